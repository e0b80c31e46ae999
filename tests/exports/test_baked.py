"""Baked checkpoints: ordinary to load, the prompt exactly once in front, nothing left where a check fails."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PhiConfig, PhiForCausalLM

from spul.errors import ExportError
from spul.exports import ExportSettings, baked, write_export
from spul.exports._weights import BIAS, Mask, bake, legacy_settings
from tests.exports.made import CHAT, LOOSE, TEXTS, byte_level_tokenizer, make_source, soft_prompt
from tests.tiny import ARCHITECTURES, tiny_model

TOLERANCE = 1e-4
P = 4
FEW = ("opt", "gpt2", "qwen2", "gemma3")


@pytest.mark.parametrize(
    "architecture", [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in ARCHITECTURES]
)
@torch.no_grad()
def test_checkpoint_says_what_the_run_says(architecture: str, tmp_path: Path) -> None:
    """[soft][text] written out by hand on the base, against text through the exported tokenizer and model."""
    result = write_export(make_source(tmp_path, architecture), "baked", tmp_path / "out")
    base, own = tiny_model(architecture)[0], AutoTokenizer.from_pretrained(tmp_path / "base")
    model = AutoModelForCausalLM.from_pretrained(
        tmp_path / "out", attn_implementation=base.config._attn_implementation
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    embed = base.get_input_embeddings()
    for text in TEXTS:
        ids = own(text, return_tensors="pt")["input_ids"]
        expected = base(inputs_embeds=torch.cat([soft_prompt(base), embed(ids)[0]]).unsqueeze(0)).logits[:, P:]
        found = model(**tokenizer(text, return_tensors="pt")).logits[:, P:]
        assert (base(ids).logits - expected).abs().max() > 0.5
        assert (found[..., : len(own)] - expected[..., : len(own)]).abs().max() < TOLERANCE
    assert [check.name for check in result.checks] == [
        "logits of the reloaded checkpoint",
        "greedy text that differs",
        "largest mass of the soft tokens",
        "tokenizer: texts encoded otherwise",
    ]


@torch.no_grad()
def test_rows_padded_on_the_left_are_continued_as_alone(tmp_path: Path) -> None:
    write_export(make_source(tmp_path, "gpt2"), "baked", tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out", padding_side="left")
    config = GenerationConfig(max_new_tokens=6, do_sample=False, pad_token_id=0)

    batch = tokenizer(list(TEXTS), return_tensors="pt", padding=True)
    together = model.generate(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], generation_config=config
    )
    for row, text in zip(together, TEXTS, strict=True):
        alone = tokenizer(text, return_tensors="pt")["input_ids"]
        assert model.generate(alone, generation_config=config)[0, -6:].tolist() == row[-6:].tolist()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, _short_search: None) -> Path:
    """Return a baked Llama with tied embeddings, a chat template and `add_bos_token`; nobody changes it."""
    directory = tmp_path_factory.mktemp("exported")
    source = make_source(directory, "llama_tied", chat=True)
    source.model.tokenizer.init_kwargs["add_bos_token"] = True
    result = write_export(source, "baked", directory / "out")
    assert "chat template: talks encoded otherwise" in [check.name for check in result.checks]
    return directory / "out"


def test_chat_template_puts_the_prompt_exactly_once(exported: Path) -> None:
    """A template skips the post-processor, so it has to bring the tokens itself; over several turns still once."""
    tokenizer = AutoTokenizer.from_pretrained(exported)
    turn = {"role": "user", "content": "a good film"}
    for talk in ([turn], [turn, {"role": "assistant", "content": "boring"}, turn]):
        ids = tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_dict=True)["input_ids"]
        soft = tokenizer.convert_tokens_to_ids([f"<|spul_{i}|>" for i in range(P)])
        assert ids[: P + 1] == [*soft, tokenizer.bos_token_id]
        assert not set(soft) & set(ids[P:])
    assert not (exported / "chat_template.jinja").exists(), "transformers 4.45 does not read that file"
    assert json.loads((exported / "tokenizer_config.json").read_text())["chat_template"].endswith(CHAT)


def test_tokenizer_is_of_the_class_that_keeps_its_post_processor(exported: Path, tmp_path: Path) -> None:
    """`GPTNeoXTokenizerFast` loses it on reload, and `add_bos_token` makes transformers build it anew."""
    config = json.loads((exported / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert not {"add_bos_token", "add_eos_token", "backend", "extra_special_tokens"} & config.keys()
    AutoTokenizer.from_pretrained(exported).save_pretrained(tmp_path / "again")
    again = AutoTokenizer.from_pretrained(tmp_path / "again")
    assert again.decode(again("a film")["input_ids"]) == "".join(f"<|spul_{i}|>" for i in range(P)) + "<s>a film"


def test_user_text_that_names_a_soft_token_becomes_it(exported: Path) -> None:
    """Known, said in the card, and for the server to escape."""
    tokenizer = AutoTokenizer.from_pretrained(exported)
    assert tokenizer("a <|spul_0|> film")["input_ids"].count(tokenizer.convert_tokens_to_ids("<|spul_0|>")) == 2
    assert "the server has to escape it" in (exported / "README.md").read_text()


def test_tied_embeddings_are_untied(exported: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(exported)
    rows, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    size = len(byte_level_tokenizer())
    assert model.config.tie_word_embeddings is False
    assert torch.equal(rows[:size], head[:size])
    assert not torch.allclose(rows[size : size + P], head[size : size + P])


def test_generate_masks_the_soft_tokens_too(exported: Path) -> None:
    size = len(byte_level_tokenizer())
    assert GenerationConfig.from_pretrained(exported).suppress_tokens == list(range(size, size + P))


def test_tied_embeddings_stay_tied_where_asked_for(tmp_path: Path) -> None:
    """The soft rows act as output rows then: their mass is no longer small, and it is measured."""
    settings = LOOSE.model_copy(update={"keep_tied": True})
    result = write_export(make_source(tmp_path, "gemma3", settings=settings), "baked", tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    (mass,) = [check.value for check in result.checks if "mass" in check.name]
    assert mass > 1e-3
    assert any("as vLLM's and llama.cpp's Gemma want them" in note for note in result.notes)


def test_soft_tokens_that_would_be_said_are_refused(tmp_path: Path) -> None:
    settings = ExportSettings(max_soft_mass=1e-6, keep_tied=True)
    with pytest.raises(ExportError, match=r"not kept: .*largest mass of the soft tokens: .* at most 1e-06"):
        write_export(make_source(tmp_path, "llama_tied", settings=settings), "baked", tmp_path / "out")
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


@pytest.mark.parametrize("architecture", ["gpt2", "gpt_neox"])
def test_states_on_one_side_of_a_plane_are_masked_to_nothing(architecture: str, tmp_path: Path) -> None:
    """These architectures end in a normalisation with an offset, so even random ones have such a plane."""
    settings = ExportSettings(max_soft_mass=1e-12)
    write_export(make_source(tmp_path, architecture, settings=settings), "baked", tmp_path / "out")


def test_a_head_with_a_bias_is_masked_by_it() -> None:
    """logit = h·0 + BIAS, whatever h is."""
    config = PhiConfig(vocab_size=20, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    model = PhiForCausalLM(config).eval()
    values = torch.randn(2, 8)
    bake(model, values, (20, 21), Mask(torch.zeros(8), BIAS), keep_tied=False)
    with torch.no_grad():
        logits = model(torch.tensor([[20, 21, 5]])).logits
    assert torch.equal(model.get_input_embeddings().weight[20:], values)
    assert logits.shape[-1] == 22
    assert (logits[..., 20:] == BIAS).all()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {
                "model_type": "llama",
                "dtype": "bfloat16",
                "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"},
            },
            {"torch_dtype": "bfloat16", "rope_theta": 5e5},
        ),
        (
            {"model_type": "llama", "rope_parameters": {"rope_theta": 5e5, "rope_type": "llama3", "factor": 8.0}},
            {"rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
        ),
        (
            {"model_type": "gpt_neox", "rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.25}},
            {"rope_theta": 1e4, "partial_rotary_factor": 0.25, "rotary_emb_base": 1e4, "rotary_pct": 0.25},
        ),
        (
            {
                "model_type": "gemma3_text",
                "rope_parameters": {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}},
            },
            {"rope_theta": 1e6, "rope_local_base_freq": 1e4},
        ),
        ({"model_type": "opt", "dtype": "float32"}, {"torch_dtype": "float32"}),
    ],
)
def test_settings_are_there_under_the_names_of_transformers_4(
    config: dict[str, object], expected: dict[str, object]
) -> None:
    assert legacy_settings(config) == expected


def test_a_fault_in_the_weights_fails_loudly_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: object, values: torch.Tensor, *others: object, **options: object) -> None:
        bake(model, values.flip(0), *others, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(baked, "bake", broken)
    with pytest.raises(ExportError, match="fails its own check and was not kept: logits of the reloaded checkpoint"):
        write_export(make_source(tmp_path), "baked", tmp_path / "sub" / "out")
    assert not (tmp_path / "sub").exists()


def test_a_fault_in_the_tokenizer_fails_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokens are there, but nothing puts them in front: the silent bypass."""
    monkeypatch.setattr("spul.exports._tokens._in_front", lambda processor, *_: processor)
    with pytest.raises(ExportError, match=r"tokenizer: texts encoded otherwise: \d+ texts"):
        write_export(make_source(tmp_path), "baked", tmp_path / "out")


def test_a_fault_in_the_chat_template_fails_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spul.exports._tokens.soft_chat_template", lambda tokenizer, _: tokenizer.chat_template)
    with pytest.raises(ExportError, match="chat template: talks encoded otherwise"):
        write_export(make_source(tmp_path, chat=True), "baked", tmp_path / "out")


def test_prompts_that_fill_no_blocks_are_told_so(tmp_path: Path) -> None:
    notes = " ".join(baked.checkpoint_notes(make_source(tmp_path)))
    assert re.search(r"of these 4, 4 are computed anew .* 16 virtual tokens would be cached whole", notes)
