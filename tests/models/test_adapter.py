"""Adapters: PEFT reads them and gives the same logits; nothing damaged or foreign is accepted in silence."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from spul.errors import AdapterError
from spul.files import file_digest
from spul.models.adapter import Adapter, check_base, load_adapter, save_adapter
from spul.models.identity import BaseIdentity, base_identity
from spul.prompts import Placement
from tests.tiny import ARCHITECTURES, HIDDEN_SIZE, tiny_model

TOLERANCE = 1e-4
LENGTHS = (9, 5, 13)
BASE = BaseIdentity("some/base", "d" * 64, "s" * 64, "float32", "LlamaForCausalLM", HIDDEN_SIZE, 2)

# PEFT 0.21 asks transformers 5.23 by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")


def right_padded() -> tuple[Tensor, Tensor]:
    """Return ids and mask [3, 13] of rows of 9, 5 and 13 tokens; more than the window of the tiny Gemmas."""
    generator = torch.Generator().manual_seed(2)
    ids = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(LENGTHS):
        ids[row, :length] = torch.randint(4, 90, (length,), generator=generator)
        mask[row, :length] = 1
    return ids, mask


def largest_difference(found: Tensor, expected: Tensor, mask: Tensor) -> float:
    """Return the largest absolute difference of logits at positions that are not padding."""
    return ((found - expected).abs().amax(dim=-1) * mask).max().item()


def with_prompt(mask: Tensor, p: int) -> Tensor:
    return torch.cat([mask.new_ones(mask.shape[0], p), mask], dim=1)


@torch.no_grad()
def soft_prompt(model: PreTrainedModel, p: int) -> Tensor:
    """Return random vectors of the scale of the model's embeddings."""
    generator = torch.Generator().manual_seed(1)
    scale = model.get_input_embeddings()(torch.arange(4, 90)).std()
    return torch.randn(p, HIDDEN_SIZE, generator=generator) * scale


@torch.no_grad()
def key_values_of(model: PreTrainedModel, ids: Tensor) -> Tensor:
    """Return the model's own keys and values for tokens, [layers, 2, heads, p, head_dim]."""
    cache = DynamicCache()
    model(ids.unsqueeze(0), past_key_values=cache, use_cache=True)
    return torch.stack([torch.cat([layer.keys, layer.values]) for layer in cache.layers])


@pytest.mark.parametrize("p", [4, 12])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@torch.no_grad()
def test_peft_gives_the_logits_of_the_naive_concatenation(architecture: str, p: int, tmp_path: Path) -> None:
    """[soft][text] written out by hand, against ``PeftModel.from_pretrained``; padded batch and single row."""
    model, _ = tiny_model(architecture)
    ids, mask = right_padded()
    soft = soft_prompt(model, p)
    inputs = torch.cat([soft.expand(len(LENGTHS), -1, -1), model.get_input_embeddings()(ids)], dim=1)
    expected = model(inputs_embeds=inputs, attention_mask=with_prompt(mask, p)).logits[:, p:]
    without = model(ids, attention_mask=mask).logits
    save_adapter(tmp_path, soft, level="input", base=base_identity(model, "base"), info={})

    peft = PeftModel.from_pretrained(model, tmp_path).eval()

    assert largest_difference(without, expected, mask) > 1
    assert largest_difference(peft(input_ids=ids, attention_mask=mask).logits[:, p:], expected, mask) < TOLERANCE
    single = peft(input_ids=ids[:1, :9]).logits[:, p:]
    assert largest_difference(single, expected[:1, :9], mask[:1, :9]) < TOLERANCE


@pytest.mark.parametrize("p", [4, 12])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@torch.no_grad()
def test_peft_gives_the_logits_of_the_text_behind_a_deep_prompt(architecture: str, p: int, tmp_path: Path) -> None:
    """The keys and values of real tokens, saved as a deep prompt, are as good as the tokens themselves.

    So the logits of ``[tokens][text]`` must come out: any other order of layers, heads, keys and values, or positions
    would show. Covers grouped heads, head sizes of their own and windows shorter than the prompt.
    """
    model, _ = tiny_model(architecture)
    ids, mask = right_padded()
    tokens = torch.randint(4, 90, (p,), generator=torch.Generator().manual_seed(1))
    whole = torch.cat([tokens.expand(len(LENGTHS), -1), ids], dim=1)
    expected = model(whole, attention_mask=with_prompt(mask, p)).logits[:, p:]
    without = model(ids, attention_mask=mask).logits
    key_values = key_values_of(model, tokens)
    save_adapter(tmp_path, key_values, level="deep", base=base_identity(model, "base"), info={})

    peft = PeftModel.from_pretrained(model, tmp_path).eval()

    assert largest_difference(without, expected, mask) > 0.5
    assert largest_difference(peft(input_ids=ids, attention_mask=mask).logits, expected, mask) < TOLERANCE
    single = peft(input_ids=ids[:1, :9]).logits
    assert largest_difference(single, expected[:1, :9], mask[:1, :9]) < TOLERANCE
    assert torch.equal(load_adapter(tmp_path).values, key_values)


def write(directory: Path, **changes: Any) -> Adapter:
    """Save and load a small input-level adapter."""
    values = torch.arange(5 * HIDDEN_SIZE, dtype=torch.float32).view(5, HIDDEN_SIZE)
    arguments = {"level": "input", "base": BASE, "info": {"task": "classification", "generic_answers": ["unknown"]}}
    save_adapter(directory, values, **{**arguments, **changes})
    return load_adapter(directory)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    adapter = write(tmp_path / "new" / "adapter")
    assert torch.equal(adapter.values, torch.arange(5.0 * HIDDEN_SIZE).view(5, HIDDEN_SIZE))
    assert (adapter.level, adapter.base) == ("input", BASE)
    assert adapter.info == {"task": "classification", "generic_answers": ["unknown"]}


def test_the_artefact_is_p_times_d_numbers_and_no_pickle(tmp_path: Path) -> None:
    write(tmp_path)
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    assert {name: (tuple(t.shape), t.dtype) for name, t in tensors.items()} == {
        "prompt_embeddings": ((5, HIDDEN_SIZE), torch.float32)
    }
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "spul.json",
    ]


@pytest.mark.parametrize("placement", ["suffix", "both"])
def test_a_prompt_behind_the_text_is_loaded_here_and_refused_by_peft(placement: Placement, tmp_path: Path) -> None:
    """PEFT would put it in front without a word; an older spul knows no such schema."""
    adapter = write(tmp_path, placement=placement)
    assert adapter.placement == placement
    assert torch.equal(adapter.values, torch.arange(5.0 * HIDDEN_SIZE).view(5, HIDDEN_SIZE))
    record = json.loads((tmp_path / "spul.json").read_text())
    assert record["schema"] == 2
    with pytest.raises(KeyError, match="SPUL_PLACED_PROMPT"):
        PeftModel.from_pretrained(tiny_model()[0], tmp_path)
    (tmp_path / "spul.json").write_text(json.dumps(record | {"placement": "aside"}))
    with pytest.raises(AdapterError, match="no placement 'aside'"):
        load_adapter(tmp_path)


def test_values_of_a_half_precision_prompt_are_stored_in_float32(tmp_path: Path) -> None:
    values = torch.full((2, HIDDEN_SIZE), 0.1, dtype=torch.bfloat16)
    save_adapter(tmp_path, values, level="input", base=BASE, info={})
    assert torch.equal(load_adapter(tmp_path).values, values.float())


@pytest.mark.parametrize(
    ("shape", "level", "words"),
    [
        ((5, HIDDEN_SIZE + 1), "input", r"expected a prompt of shape \[p, 32\].*got \[5, 33\]"),
        ((2, 2, 2, 5, 8), "input", r"expected a prompt of shape \[p, 32\]"),
        ((3, 2, 2, 5, 8), "deep", r"expected a prompt of shape \[2, 2, heads, p, head_dim\].*got \[3, 2, 2, 5, 8\]"),
    ],
)
def test_values_that_do_not_fit_the_base_are_not_saved(
    shape: tuple[int, ...], level: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(AdapterError, match=words):
        save_adapter(tmp_path, torch.zeros(shape), level=level, base=BASE, info={})
    assert list(tmp_path.iterdir()) == []


def test_values_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    values = torch.zeros(5, HIDDEN_SIZE)
    values[1, 2] = torch.nan
    with pytest.raises(AdapterError, match="not finite"):
        save_adapter(tmp_path, values, level="input", base=BASE, info={})


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "spul.json"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(AdapterError, match=f"{name} is missing"):
        load_adapter(tmp_path)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="nowhere"):
        load_adapter(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:-1] + b"\x01"])
def test_a_damaged_tensor_file_is_refused(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    write(tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(AdapterError, match="SHA-256 differs"):
        load_adapter(tmp_path)


def rerecord(directory: Path, **changes: Any) -> None:
    """Change the record, and let it name the tensor file's present digest."""
    record = json.loads((directory / "spul.json").read_text())
    record |= {"sha256": file_digest(directory / "adapter_model.safetensors"), **changes}
    (directory / "spul.json").write_text(json.dumps(record))


def test_a_tensor_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"\x80\x04pickled")
    rerecord(tmp_path)
    with pytest.raises(AdapterError, match="no readable safetensors"):
        load_adapter(tmp_path)


def test_a_tensor_of_another_name_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    save_file({"lora_A": torch.zeros(2)}, tmp_path / "adapter_model.safetensors")
    rerecord(tmp_path)
    with pytest.raises(AdapterError, match=r"expected the tensor 'prompt_embeddings'.*lora_A"):
        load_adapter(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": 99}, "schema version 99"),
        ({"level": "middle"}, "'middle'"),
        ({"level": "deep"}, "not of type PREFIX_TUNING"),
        ({"shape": [6, HIDDEN_SIZE]}, "one of them is damaged"),
        ({"base": {"path": "x"}}, "damaged"),
        ({"base": dataclasses.asdict(BASE) | {"hidden_size": 64}}, r"expected a prompt of shape \[p, 64\]"),
    ],
)
def test_a_record_that_says_something_else_is_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    write(tmp_path)
    rerecord(tmp_path, **changes)
    with pytest.raises(AdapterError, match=words):
        load_adapter(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "\udce9"])
@pytest.mark.parametrize("name", ["spul.json", "adapter_config.json"])
def test_a_file_that_is_no_json_object_is_refused(text: str, name: str, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(AdapterError, match=f"expected (a )?JSON.*{name}"):
        load_adapter(tmp_path)


def test_saving_that_is_interrupted_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tensor file is new and the record still the old one: neither the old prompt nor the new, so no prompt."""
    write(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spul.models.adapter.write_json", full)
    with pytest.raises(OSError, match="No space left"):
        save_adapter(tmp_path, torch.ones(5, HIDDEN_SIZE), level="input", base=BASE, info={})
    with pytest.raises(AdapterError, match="saving was interrupted"):
        load_adapter(tmp_path)


def test_its_own_base_is_accepted_wherever_it_lies(tmp_path: Path) -> None:
    check_base(write(tmp_path), dataclasses.replace(BASE, path="elsewhere"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "other weights"),
        ({"structure": "t" * 64}, "built differently"),
        ({"structure": "t" * 64, "hidden_size": 64}, "32 wide.*64 wide"),
        ({"precision": "bfloat16"}, "learned on float32 weights.*loaded in bfloat16.*Load the base model in float32"),
    ],
)
def test_another_base_is_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    other = dataclasses.replace(BASE, path="another/base", digest="e" * 64, **changes)
    with pytest.raises(AdapterError, match=words):
        check_base(write(tmp_path), other)


def test_another_precision_is_accepted_where_asked_for_but_no_other_model_is(tmp_path: Path) -> None:
    adapter = write(tmp_path)
    rounded = dataclasses.replace(BASE, digest="e" * 64, precision="bfloat16")
    check_base(adapter, rounded, other_precision=True)
    with pytest.raises(AdapterError, match="built differently"):
        check_base(adapter, dataclasses.replace(rounded, structure="t" * 64), other_precision=True)
    with pytest.raises(AdapterError, match="other weights"):
        check_base(adapter, dataclasses.replace(BASE, digest="e" * 64), other_precision=True)


def test_a_fine_tuned_base_is_refused(tmp_path: Path) -> None:
    model, _ = tiny_model()
    adapter = write(tmp_path, base=base_identity(model, "base"))
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    with pytest.raises(AdapterError, match="other weights"):
        check_base(adapter, base_identity(model, "tuned"))
