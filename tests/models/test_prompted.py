"""The prompted forward is the naive concatenation, only cheaper: every architecture, every kind of prompt."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from spul.data.batches import Batch, collate
from spul.errors import ConfigError
from spul.models.prompted import PromptedModel
from spul.prompts import Placement, build_prompt
from spul.prompts.settings import PromptSettings
from spul.types import Query
from tests.tiny import ARCHITECTURES, tiny_model

TOLERANCE = 1e-4
P = 5


def queries() -> list[Query]:
    """Rows of different lengths, one longer than the tiny Gemmas' sliding window; answers of one to three tokens."""
    generator = torch.Generator().manual_seed(7)
    rows = []
    for i, (length, answer) in enumerate([(4, 1), (12, 2), (1, 3), (20, 1)]):
        ids = torch.randint(4, 90, (length + answer,), generator=generator).tolist()
        rows.append(Query(str(i), tuple(ids[:length]), tuple(ids[length:]), "x"))
    return rows


def prompted(architecture: str, kind: str = "direct", seed: int = 0, placement: Placement = "front") -> PromptedModel:
    base, tokenizer = tiny_model(architecture)
    settings = PromptSettings(kind=kind, num_virtual_tokens=P, encoder_hidden_size=8, init="vocab", placement=placement)
    encoder = build_prompt(settings, PromptedModel(base, tokenizer).prompt_init(), seed)
    return PromptedModel(base, tokenizer, encoder)


def naive_logits(model: PromptedModel, query: Query, prompt: Tensor | None) -> Tensor:
    """One row at a time: embeddings of [front; text; behind; answer] concatenated, all logits, then those wanted."""
    embed = model.base.get_input_embeddings()
    text, answer = embed(torch.tensor(query.prompt_ids)), embed(torch.tensor(query.answer_ids))
    front = behind = text[:0]
    if prompt is not None:
        placement = model.encoder.placement if model.encoder is not None else "front"
        first_part = {"front": len(prompt), "suffix": 0, "both": (len(prompt) + 1) // 2}[placement]
        front, behind = prompt[:first_part], prompt[first_part:]
    row = torch.cat([front, text, behind, answer]).unsqueeze(0)
    logits = model.base(inputs_embeds=row, use_cache=False).logits[0]
    first = len(row[0]) - len(answer) - 1
    return logits[first : first + len(query.answer_ids)]


def batch_of(model: PromptedModel, rows: list[Query]) -> Batch:
    return collate(rows, [i % 2 == 0 for i in range(len(rows))], model.pad_id)


PLACEMENTS = get_args(Placement)


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_equal_the_naive_concatenation(architecture: str, placement: Placement) -> None:
    model = prompted(architecture, placement=placement)
    assert model.encoder is not None
    with torch.no_grad():
        found = model.answer_logits(batch_of(model, queries())).logits
        expected = torch.cat([naive_logits(model, query, model.encoder()) for query in queries()])
    torch.testing.assert_close(found, expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_equal_the_naive_concatenations(architecture: str, placement: Placement) -> None:
    """Σ log p of every answer token, differentiated to the prompt both ways."""
    model = prompted(architecture, placement=placement)
    assert model.encoder is not None
    batch = batch_of(model, queries())
    weight = next(model.encoder.parameters())
    model.answer_logits(batch).logits.log_softmax(-1).gather(1, batch.labels[:, None]).sum().backward()
    found = weight.grad
    weight.grad = None
    naive = torch.cat([naive_logits(model, query, model.encoder()) for query in queries()])
    naive.log_softmax(-1).gather(1, batch.labels[:, None]).sum().backward()
    assert found is not None and weight.grad is not None
    assert (found - weight.grad).norm() / weight.grad.norm() < 1e-5


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_disabled_prompt_is_the_base_model_bit_for_bit(architecture: str) -> None:
    model = prompted(architecture)
    rows = queries()
    batch = batch_of(model, rows)
    with torch.no_grad():
        with model.prompt_disabled():
            found = model.answer_logits(batch).logits
            assert model.num_virtual_tokens == 0
        full = model.base(input_ids=batch.input_ids, use_cache=False).logits
        never_prompted = PromptedModel(model.base, model.tokenizer).answer_logits(batch).logits
    assert torch.equal(found, never_prompted)
    # The head runs on fewer rows, so its sums may be blocked otherwise; positions and values are the model's own.
    torch.testing.assert_close(found, full[batch.rows, batch.positions], atol=1e-5, rtol=0)
    assert model.num_virtual_tokens == P


@pytest.mark.parametrize("kind", ["direct", "mlp", "lstm", "prefix", "prefix_mlp"])
def test_no_base_parameter_gets_a_gradient(kind: str) -> None:
    model = prompted("llama", kind)
    before = [p.clone() for p in model.base.parameters()]
    model.train()
    assert not model.base.training
    model.answer_logits(batch_of(model, queries())).logits.sum().backward()
    assert model.encoder is not None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.encoder.parameters())
    assert all(p.grad is None and not p.requires_grad for p in model.base.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, model.base.parameters(), strict=True))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_deep_prompt_of_a_texts_own_keys_and_values_is_that_text_in_front(architecture: str) -> None:
    """A prefix that starts from tokens' keys and values must act like those tokens."""
    base, tokenizer = tiny_model(architecture)
    plain = PromptedModel(base, tokenizer)
    settings = PromptSettings(kind="prefix", num_virtual_tokens=P, init="text", init_text="the film was dull .")
    encoder = build_prompt(settings, plain.prompt_init(settings.init_text), 0)
    model = PromptedModel(base, tokenizer, encoder)
    front = base.get_input_embeddings()(
        torch.tensor(tokenizer("the film was dull .", add_special_tokens=False).input_ids)
    )
    with torch.no_grad():
        found = model.answer_logits(batch_of(model, queries())).logits
        expected = torch.cat([naive_logits(model, query, front) for query in queries()])
    torch.testing.assert_close(found, expected, atol=TOLERANCE, rtol=0)


def test_rows_do_not_depend_on_the_rows_beside_them() -> None:
    model = prompted("llama")
    rows = queries()
    with torch.no_grad():
        together = model.answer_logits(batch_of(model, rows)).logits
        apart = torch.cat([model.answer_logits(batch_of(model, [row])).logits for row in rows])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=0)


@pytest.mark.parametrize("beginning", [(), (4, 5, 6)])
@pytest.mark.parametrize(
    ("architecture", "placement"),
    [*((architecture, "front") for architecture in ARCHITECTURES), ("opt", "suffix"), ("gemma3", "both")],
)
def test_scores_are_the_log_probabilities_of_each_answer(
    architecture: str, placement: Placement, beginning: tuple[int, ...]
) -> None:
    """Answers of one token share a row; longer ones are teacher-forced. Checked against one naive row an answer.

    A beginning that all texts share is run with the prompt, once, and must change nothing.
    """
    model = prompted(architecture, placement=placement)
    assert model.encoder is not None
    rows = [Query(query.id, beginning + query.prompt_ids, query.answer_ids, "x") for query in queries()]
    answers = [[(5,), (6,), (5, 7, 8)], [(9,)], [(5, 7), (5, 8)], [(11,), (12, 13)]]
    model.batch_size = 2
    found = model.score(rows, answers)
    for query, options, scores in zip(rows, answers, found, strict=True):
        for option, score in zip(options, scores, strict=True):
            asked = Query("", query.prompt_ids, option, "")
            with torch.no_grad():
                logprobs = naive_logits(model, asked, model.encoder()).log_softmax(-1)
            expected = logprobs.gather(1, torch.tensor(option)[:, None])[:, 0]
            torch.testing.assert_close(torch.tensor(score.logprobs), expected, atol=TOLERANCE, rtol=0)
            assert score.argmax_ids == tuple(logprobs.argmax(-1).tolist())


@pytest.mark.parametrize(
    ("architecture", "placement"),
    [*((architecture, "front") for architecture in ARCHITECTURES), ("gemma3", "both"), ("gpt2", "suffix")],
)
def test_batched_greedy_generation_equals_one_row_at_a_time(architecture: str, placement: Placement) -> None:
    """Left padding: the prompt's positions and the mask must be right, or rows of other lengths change the text."""
    model = prompted(architecture, placement=placement)
    texts = ["the film was dull", "a", "she is a good writer and he was not very funny but we play"]
    together = model.generate(texts, max_new_tokens=6)
    assert together == [model.generate(text, max_new_tokens=6)[0] for text in texts]


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_greedy_generation_follows_the_naive_argmax(placement: Placement) -> None:
    model = prompted("gpt2", placement=placement)
    assert model.encoder is not None
    ids = tuple(model.tokenizer("the song was")["input_ids"])
    said: list[int] = []
    with torch.no_grad():
        while len(said) < 5 and model.tokenizer.eos_token_id not in said:
            asked = Query("", ids, (*said, 0), "")
            said.append(int(naive_logits(model, asked, model.encoder())[-1].argmax()))
    assert model.generate("the song was", max_new_tokens=5)[0] == model.decode(said)


@pytest.mark.parametrize("kind", ["direct", "prefix_mlp"])
def test_a_prompt_is_run_once_until_it_changes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without gradients; a change that goes around autograd's count of versions is seen, too."""
    model = prompted("llama", kind)
    assert model.encoder is not None
    with torch.inference_mode():
        first = model.surroundings()
        assert model.surroundings() is first
    with torch.no_grad():
        assert model.surroundings() is first
        for parameter in model.encoder.parameters():
            parameter.data.add_(torch.rand(parameter.shape))
        second = model.surroundings()
        assert second is not first
        assert second.front is not None and first.front is not None
        assert not torch.allclose(second.front[0][0], first.front[0][0])
        next(model.base.parameters()).mul_(1.5)
        assert model.surroundings() is not second
    assert model.surroundings() is not model.surroundings()
    monkeypatch.setattr(model, "_kept", None)
    with torch.no_grad():
        torch.testing.assert_close(model.surroundings().tensors(), [t.detach() for t in _with_graph(model)])


def _with_graph(model: PromptedModel) -> list[Tensor]:
    with torch.enable_grad():
        return model.surroundings().tensors()


def test_what_stands_where() -> None:
    behind = prompted("llama", placement="suffix")
    assert (behind.surroundings().front, behind.surroundings().num_behind) == (None, P)
    with behind.prompt_disabled():
        assert behind.surroundings() == (None, None)
    both = prompted("llama", placement="both").surroundings()
    assert (both.num_front, both.num_behind) == (3, 2)


@pytest.mark.parametrize("kind", ["prefix", "prefix_mlp"])
def test_a_deep_prompt_has_no_place_behind_the_text(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"Use prompt\.kind direct, mlp or lstm"):
        prompted("llama", kind, placement="suffix")


def test_sampling_repeats_with_its_seed() -> None:
    model = prompted("llama")
    first = model.generate("the song", max_new_tokens=8, temperature=1.0, top_p=0.9, seed=3)
    assert first == model.generate("the song", max_new_tokens=8, temperature=1.0, top_p=0.9, seed=3)
    assert first != model.generate("the song", max_new_tokens=8, temperature=1.0, top_p=0.9, seed=4)


def test_texts_to_continue_go_through_the_chat_template_where_posed_ones_did() -> None:
    """The template spells out the first token, a word before and two behind; nothing else is added."""
    model = prompted("llama")
    model.tokenizer.chat_template = "{{ bos_token }} text {{ messages[0]['content'] }} answer :"
    plain = model.generate("text the song was answer :", max_new_tokens=4)
    assert model.generate("the song was", max_new_tokens=4) != plain
    model.chat = True
    assert model.generate("the song was", max_new_tokens=4) == plain
    model.tokenizer.chat_template = None
    with pytest.raises(ConfigError, match="a tokenizer with a chat template"):
        model.generate("the song was")
