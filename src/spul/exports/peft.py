"""The adapter as PEFT loads it: prompt tuning at input level, prefix tuning for a deep prompt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from spul.exports._base import EXPORTS, Export, Source
from spul.exports._names import public_base_name
from spul.exports.self_check import Check, check_logits, peft_logits
from spul.models.adapter import load_adapter, save_adapter
from spul.models.prompted import PromptedModel
from spul.prompts import FixedPrompt, Level

__all__ = ["PeftExport", "check_adapter", "write_adapter"]


@EXPORTS.register("peft")
class PeftExport(Export):
    """The prompt as an adapter that PEFT loads (prompt tuning; prefix tuning for a deep prompt)."""

    levels: ClassVar[frozenset[Level]] = frozenset({"input", "deep"})

    def write(self, source: Source, directory: Path) -> None:
        """Write the prompt's values, whatever network made them in training."""
        write_adapter(source, directory, source.adapter.values, source.adapter.level)

    def check(self, source: Source, directory: Path) -> list[Check]:
        """Compare spul's and PEFT's logits with the run's own."""
        return check_adapter(source, directory)

    def usage(self, source: Source) -> str:
        """Return how PEFT loads it, and where PEFT goes wrong."""
        return (
            "```python\n"
            "from peft import PeftModel\n"
            "from transformers import AutoModelForCausalLM\n\n"
            f'base = AutoModelForCausalLM.from_pretrained("{public_base_name(source)}", dtype="{_dtype(source)}")\n'
            'model = PeftModel.from_pretrained(base, "this directory")\n'
            "```\n"
        )

    def notes(self, source: Source) -> list[str]:
        """Return what PEFT does wrong with batches and caches."""
        return [
            "PEFT puts padding between prompt and text in batches that are padded on the left, and their answers are "
            "wrong: send single texts, or pad on the right. It drops the prompt without a word where a warm cache is "
            "passed in."
        ]


def write_adapter(source: Source, directory: Path, values: Tensor, level: Level) -> None:
    """Write a prompt in PEFT's layout, with the base model under the name that the public may know."""
    base = replace(source.adapter.base, path=public_base_name(source))
    save_adapter(directory, values, level=level, base=base, info={"task": source.run.config.task.name})


def check_adapter(source: Source, directory: Path) -> list[Check]:
    """Load an adapter with spul and with PEFT, and compare the logits of both with the run's own."""
    model, reference = source.model, source.reference
    adapter = load_adapter(directory)
    encoder = FixedPrompt(adapter.values, adapter.level).to(model.device)
    own = PromptedModel(model.base, model.tokenizer, encoder)
    dtype = model.base.dtype
    return [
        check_logits("logits of the reloaded prompt", reference.logits_of(own), reference, dtype),
        check_logits("logits of PEFT's model", peft_logits(model.base, directory, reference.rows), reference, dtype),
    ]


def _dtype(source: Source) -> str:
    return str(source.model.base.dtype).removeprefix("torch.")
