"""An ordinary checkpoint whose tokenizer puts the prompt in front of every input, as p tokens more.

Any engine serves it, since there is nothing left of the prompt but weights and a tokenizer. The price: whoever has the
checkpoint can leave the tokens out, and every way of sending text that goes round the tokenizer's special tokens does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import torch
from transformers import PreTrainedModel

from spul.errors import ExportError
from spul.exports._base import EXPORTS, Export, Source
from spul.exports._tokens import SoftTokens, add_soft_tokens, write_tokenizer
from spul.exports._weights import BIAS, Mask, bake, least_likely, legacy_settings
from spul.exports.self_check import (
    Check,
    check_chat,
    check_greedy,
    check_logits,
    check_mass,
    check_tokenizer,
    last_logits,
    load_checkpoint,
)
from spul.files import write_json
from spul.models.head import head_of

__all__ = ["BakedExport", "bake_source", "checkpoint_notes", "refuse_checkpoint"]

BLOCK = 16
"""Tokens of a block of vLLM's prefix cache."""


@EXPORTS.register("baked")
class BakedExport(Export):
    """An ordinary checkpoint and tokenizer with p further tokens, put in front of every input exactly once."""

    is_checkpoint: ClassVar[bool] = True

    def refuse(self, source: Source) -> None:
        """Refuse what no ordinary checkpoint can hold."""
        refuse_checkpoint(source)

    def write(self, source: Source, directory: Path) -> None:
        """Write weights, configuration and tokenizer; the run's base model is taken apart for it."""
        soft = bake_source(source)
        base = source.model.base
        base.save_pretrained(directory)
        _mend_settings(directory, base, soft)
        write_tokenizer(directory, source.model.tokenizer, soft)

    def check(self, source: Source, directory: Path) -> list[Check]:
        """Load the checkpoint with the Auto classes and compare all that an engine uses with the run's own."""
        reference, like = source.reference, source.model
        soft = add_soft_tokens(like.tokenizer, like.num_virtual_tokens).ids
        model = load_checkpoint(directory, like)
        logits = list(last_logits(model, reference.rows, soft))
        return [
            check_logits("logits of the reloaded checkpoint", logits, reference, like.base.dtype),
            check_greedy(model, soft, reference, like),
            check_mass(model, soft, reference, source.settings.max_soft_mass),
            check_tokenizer(directory, soft, reference, like),
            *check_chat(directory, soft, reference, like),
        ]

    def usage(self, source: Source) -> str:
        """Return how it is loaded and served."""
        return (
            "```python\n"
            "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            'model = AutoModelForCausalLM.from_pretrained("this directory")\n'
            'tokenizer = AutoTokenizer.from_pretrained("this directory")  # puts the prompt in front by itself\n'
            "```\n\n"
            "An ordinary checkpoint: `transformers serve`, `vllm serve DIRECTORY`, SGLang's `--model-path DIRECTORY`."
        )

    def notes(self, source: Source) -> list[str]:
        """Return what to know before serving it."""
        return checkpoint_notes(source)


def refuse_checkpoint(source: Source) -> None:
    """Raise ExportError for a base model that cannot be written as an ordinary checkpoint with more tokens."""
    config = source.run.config.model
    if config.quantization != "none":
        raise ExportError(
            f"the prompt was learned on weights quantised to {config.quantization}, and a checkpoint that any engine "
            "serves holds plain ones: unlearn with model.quantization=none and export that run, or use --to peft or "
            "--to prefix on the quantised base"
        )
    if "auto_map" in source.model.base.config.to_dict():
        raise ExportError(
            "the base model runs code of its own repository, which an ordinary checkpoint does not carry; use --to "
            "peft or --to prefix"
        )


def bake_source(source: Source) -> SoftTokens:
    """Put the prompt into the weights of the source's base model, in place, and return the tokenizer that goes with it.

    Raises:
        ExportError: the tokenizer or the embeddings do not allow it.
    """
    model, adapter = source.model, source.adapter
    soft = add_soft_tokens(model.tokenizer, len(adapter.values))
    biased = getattr(head_of(model.base), "bias", None) is not None
    reference = source.reference
    # Half of the rows are left out of the fit, so that the mass is measured on others than it was made small on.
    row = least_likely(reference.hidden, reference.logsumexp, reference.every_other_row)
    mask = Mask(torch.zeros_like(row), BIAS) if biased else Mask(row, None)
    bake(model.base, adapter.values, soft.ids, mask, keep_tied=source.settings.keep_tied)
    return soft


def checkpoint_notes(source: Source) -> list[str]:
    """Return what is true of every export that holds the prompt as tokens."""
    p = source.model.num_virtual_tokens
    notes = [
        f"The {p} soft tokens count against the context and in `usage.prompt_tokens`, which tells if they are there.",
        "Text sent without special tokens (`add_special_tokens=False`, token ids, a template rendered by hand) reaches "
        "the model without the prompt; rendering a chat template and encoding that with special tokens puts it twice.",
        "A user's text that holds the name of a soft token (`<|spul_0|>`, …) becomes that token: the server has to "
        "escape it.",
    ]
    if rest := -p % BLOCK:
        notes.append(
            f"vLLM caches whole blocks of {BLOCK} tokens: of these {p}, {p % BLOCK} are computed anew with every "
            f"request; {p + rest} virtual tokens would be cached whole."
        )
    if type(source.model.base).__name__.startswith("Gemma"):
        notes.append(
            "Input and output embeddings are tied, as vLLM's and llama.cpp's Gemma want them; the soft tokens are not "
            "masked on the output side, only measured."
            if source.settings.keep_tied
            else "Input and output embeddings are untied, which vLLM's and llama.cpp's Gemma do not take: export with "
            "--keep-tied for those."
        )
    return notes


def _mend_settings(directory: Path, base: PreTrainedModel, soft: SoftTokens) -> None:
    """Write the names of transformers 4 beside those of 5, and mask the soft tokens where `generate` reads it."""
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    write_json(directory / "config.json", {**legacy_settings(config), **config})
    file = directory / "generation_config.json"
    there = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    masked = sorted({*(there.get("suppress_tokens") or []), *soft.ids})
    write_json(file, {**there, "suppress_tokens": masked})
