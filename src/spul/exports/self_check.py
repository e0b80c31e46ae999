"""What an export is measured by before anybody may see it. Every check is a number and the most that it may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

from spul.data.batches import left_pad, pad_right
from spul.errors import ExportError
from spul.exports.reference import BATCH, COMPARED, GREEDY_TOKENS, Reference, ends_of
from spul.models.prompted import PromptedModel
from spul.settings import Settings

__all__ = [
    "Check",
    "chat_ids",
    "check_chat",
    "check_greedy",
    "check_logits",
    "check_mass",
    "check_tokenizer",
    "last_logits",
    "load_checkpoint",
    "logit_bound",
    "peft_logits",
    "require",
]

Ids = tuple[int, ...]

ROUNDING: dict[torch.dtype, float] = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 3e-2}
"""Largest difference of two logits that rounding may make, as a share of the largest logit: the prompt's keys and
values are computed alone in the run and together with the text in an export."""


class Check(Settings):
    """One measurement of an export.

    Attributes:
        name: what was compared.
        value: the measured number; smaller is better.
        bound: the most that it may be.
        n: over how many rows, positions or texts.
        unit: of value and bound.
    """

    name: str
    value: float
    bound: float
    n: int
    unit: str

    @property
    def passed(self) -> bool:
        """Return whether the value is within its bound."""
        return self.value <= self.bound


def require(checks: Sequence[Check]) -> None:
    """Raise ExportError unless every check is passed."""
    failed = [
        f"{check.name}: {check.value:.3g} {check.unit}, at most {check.bound:.3g} expected (n = {check.n})"
        for check in checks
        if not check.passed
    ]
    if failed:
        raise ExportError("the export fails its own check and was not kept: " + "; ".join(failed))


def logit_bound(reference: Reference, dtype: torch.dtype) -> float:
    """Return the largest difference of logits that rounding in ``dtype`` explains."""
    return ROUNDING[dtype] * max(1.0, reference.scale)


def check_logits(name: str, found: Sequence[Float[Tensor, "_ W"]], reference: Reference, dtype: torch.dtype) -> Check:
    """Compare logits over the base's vocabulary with the run's own."""
    n = sum(len(own) for own in found)
    value = min(reference.difference(found), torch.finfo(torch.float32).max)
    return Check(name=name, value=value, bound=logit_bound(reference, dtype), n=n, unit="logits")


def load_checkpoint(directory: Path, like: PromptedModel) -> PreTrainedModel:
    """Load a checkpoint as a stranger would, in the precision of the run's base model and on its device."""
    model = AutoModelForCausalLM.from_pretrained(
        directory,
        dtype=like.base.dtype,
        use_safetensors=True,
        attn_implementation=like.base.config._attn_implementation,
    )
    assert isinstance(model, PreTrainedModel)
    torch.nn.Module.to(model, like.device)
    model.eval()
    return model


def last_logits(
    model: PreTrainedModel, rows: Sequence[Ids], soft: Ids = (), count: int = COMPARED
) -> Iterator[Float[Tensor, "_ V"]]:
    """Yield the logits [k, V] at the last ``count`` positions of every row behind the soft tokens, right-padded."""
    for start in range(0, len(rows), BATCH):
        chunk = [soft + row for row in rows[start : start + BATCH]]
        ids = pad_right(chunk, 0).to(model.device)
        mask = pad_right([[1] * len(row) for row in chunk], 0).to(model.device)
        with torch.inference_mode():
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        for own, row in zip(logits, chunk, strict=True):
            yield own[len(soft) : len(row)][-count:]


def peft_logits(base: PreTrainedModel, directory: Path, rows: Sequence[Ids]) -> list[Float[Tensor, "_ V"]]:
    """Return the logits at the last positions of every row, padded on the right, from PEFT's own model."""
    model = PeftModel.from_pretrained(base, str(directory)).eval()
    found: list[Tensor] = []
    for start in range(0, len(rows), BATCH):
        chunk = rows[start : start + BATCH]
        ids = pad_right(list(chunk), 0).to(base.device)
        mask = pad_right([[1] * len(row) for row in chunk], 0).to(base.device)
        with torch.inference_mode():
            logits = model(input_ids=ids, attention_mask=mask).logits
        # At input level PEFT returns the logits of the virtual positions too, at the front.
        text = logits[:, logits.shape[1] - ids.shape[1] :]
        found += [own[: len(row)][-COMPARED:].float().cpu() for own, row in zip(text, chunk, strict=True)]
    return found


def check_greedy(model: PreTrainedModel, soft: Ids, reference: Reference, like: PromptedModel) -> Check:
    """Continue the first rows as one batch, padded on the left, and count those that go another way.

    Where the run's own best token led by less than rounding explains, either way is right.
    """
    prompts = [soft + row for row in reference.prompts]
    padded = left_pad(prompts, like.pad_id)
    ends = ends_of(like)
    # Rows of the head that are no tokens are left out, as in the reference; the soft tokens are not.
    nothing = set(range(model.config.get_text_config(decoder=True).vocab_size))
    nothing -= {*range(len(like.tokenizer)), *soft}
    config = GenerationConfig(
        max_new_tokens=GREEDY_TOKENS,
        do_sample=False,
        eos_token_id=sorted(ends) or None,
        pad_token_id=like.pad_id,
        suppress_tokens=sorted(nothing) or None,
    )
    with torch.inference_mode():
        out: Tensor = model.generate(  # type: ignore[operator]
            input_ids=padded.input_ids.to(model.device),
            attention_mask=padded.attention_mask.to(model.device),
            generation_config=config,
        )
    width = padded.input_ids.shape[1]
    bound = 2 * logit_bound(reference, like.base.dtype)
    others = 0
    for ids, said in zip(out[:, width:].tolist(), reference.greedy, strict=True):
        for t, token in enumerate(said.tokens):
            if ids[t] != token:
                others += said.leads[t] > bound
                break
    return Check(name="greedy text that differs", value=others, bound=0, n=len(prompts), unit="texts")


def check_mass(model: PreTrainedModel, soft: Ids, reference: Reference, bound: float) -> Check:
    """Measure the probability that the soft tokens get together, at every position; report the largest."""
    largest, n = 0.0, 0
    ids = torch.tensor(soft, device=model.device)
    for logits in last_logits(model, reference.rows, soft, count=max(map(len, reference.rows))):
        mass = torch.softmax(logits.float(), dim=-1)[:, ids].sum(dim=-1)
        largest, n = max(largest, mass.max().item()), n + len(mass)
    return Check(name="largest mass of the soft tokens", value=largest, bound=bound, n=n, unit="probability")


def check_tokenizer(directory: Path, soft: Ids, reference: Reference, like: PromptedModel) -> Check:
    """Encode texts with the reloaded tokenizer, alone and as a batch: the soft tokens stand in front exactly once.

    What follows them, and what is decoded without special tokens, is as the base's tokenizer has it.
    """
    baked, base = AutoTokenizer.from_pretrained(directory), like.tokenizer
    texts = _texts(reference, base)
    wrong = 0
    together = baked(texts)["input_ids"]
    expected = base(texts)["input_ids"]
    for text, own, ids in zip(texts, together, expected, strict=True):
        same = own == [*soft, *ids] and baked(text)["input_ids"] == own
        plain = baked(text, add_special_tokens=False)["input_ids"] == base(text, add_special_tokens=False)["input_ids"]
        readable = baked.decode(own, skip_special_tokens=True) == base.decode(ids, skip_special_tokens=True)
        wrong += not (same and plain and readable)
    return Check(name="tokenizer: texts encoded otherwise", value=wrong, bound=0, n=len(texts), unit="texts")


def check_chat(directory: Path, soft: Ids, reference: Reference, like: PromptedModel) -> list[Check]:
    """Apply the reloaded chat template to one turn and to three: the soft tokens stand in front exactly once."""
    base = like.tokenizer
    if not base.chat_template:
        return []
    baked = AutoTokenizer.from_pretrained(directory)
    texts = _texts(reference, base)
    wrong = n = 0
    for text in texts:
        turn = {"role": "user", "content": text}
        for talk in ([turn], [turn, {"role": "assistant", "content": text}, turn]):
            own, ids = (chat_ids(tokenizer, talk) for tokenizer in (baked, base))
            wrong += own != [*soft, *ids]
            n += 1
    return [Check(name="chat template: talks encoded otherwise", value=wrong, bound=0, n=n, unit="talks")]


def chat_ids(tokenizer: Any, talk: list[dict[str, str]]) -> list[int]:
    """Return what a chat template makes of a talk, up to where the model answers."""
    encoded = tokenizer.apply_chat_template(talk, add_generation_prompt=True, tokenize=True, return_dict=True)
    ids: list[int] = encoded["input_ids"]
    return ids


def _texts(reference: Reference, tokenizer: PreTrainedTokenizerFast) -> list[str]:
    texts = [str(tokenizer.decode(list(row), skip_special_tokens=True)) for row in reference.rows]
    # A text that is no row of ids: what the tokenizer has never seen, and nothing at all.
    return [*texts, "Ünïcode 漢字 🦙\n\ttab", ""]
