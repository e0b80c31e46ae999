"""The prompt as keys and values of every layer, computed once: with them a server pays nothing for it per request."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch

from spul.errors import ExportError
from spul.exports._base import EXPORTS, Export, Source
from spul.exports._names import public_base_name
from spul.exports.peft import check_adapter, write_adapter
from spul.exports.self_check import Check
from spul.prompts import Level

__all__ = ["PrefixExport"]


@EXPORTS.register("prefix")
class PrefixExport(Export):
    """The prompt's keys and values for every layer, computed once; loads into spul and, as prefix tuning, into PEFT."""

    levels: ClassVar[frozenset[Level]] = frozenset({"input", "deep"})

    def write(self, source: Source, directory: Path) -> None:
        """Run the prompt through the base model once and write what it leaves in the cache.

        Raises:
            ExportError: the layers' keys and values are not all of one shape.
        """
        with torch.no_grad():
            pairs = source.model.surroundings().front
        assert pairs is not None
        shapes = {tuple(part.shape) for pair in pairs for part in pair}
        if len(shapes) != 1:
            raise ExportError(
                f"expected keys and values of one shape in every layer, got {sorted(shapes)} in "
                f"{type(source.model.base).__name__}; export with --to baked or --to peft"
            )
        values = torch.stack([torch.cat(pair) for pair in pairs])
        write_adapter(source, directory, values, "deep")

    def check(self, source: Source, directory: Path) -> list[Check]:
        """Compare spul's and PEFT's logits with the run's own."""
        return check_adapter(source, directory)

    def usage(self, source: Source) -> str:
        """Return how it is loaded."""
        return (
            "```python\n"
            "from spul.models.adapter import load_adapter  # keys and values, [layers, 2, heads, p, head_dim]\n\n"
            "# or with PEFT, as prefix tuning:\n"
            "from peft import PeftModel\n"
            "from transformers import AutoModelForCausalLM\n\n"
            f'base = AutoModelForCausalLM.from_pretrained("{public_base_name(source)}")\n'
            'model = PeftModel.from_pretrained(base, "this directory")\n'
            "```\n"
        )
