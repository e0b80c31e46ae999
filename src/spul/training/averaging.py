"""The mean of the trained parameters over the last steps: noise of single steps cancels, the solution stays.

Izmailov et al. 2018 (arXiv:1803.05407) average along a trajectory at a constant rate; here over the end of any.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from spul.errors import RunError
from spul.files import write_bytes

__all__ = ["LastAverage"]


class LastAverage(TrainerCallback):
    """A running mean of what is trained, from a step on.

    Args:
        model: its trained parameters require gradients.
        after: steps up to this one are not counted.
    """

    FILE = "average.safetensors"

    def __init__(self, model: nn.Module, after: int) -> None:
        self._trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.after = after
        self.count = 0
        self._mean: dict[str, Tensor] = {}

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Count the parameters as they are after the step."""
        if state.global_step > self.after:
            self.count_step()

    @torch.no_grad()
    def count_step(self) -> None:
        """Take the present parameters into the mean: m ← m + (p − m)/n, in float32."""
        self.count += 1
        for name, parameter in self._trained.items():
            now = parameter.detach().float()
            before = self._mean.get(name)
            self._mean[name] = now.clone() if before is None else before + (now - before) / self.count

    @torch.no_grad()
    def put_into_model(self) -> None:
        """Replace the trained parameters by their mean; without a step that counted they stay."""
        for name, mean in self._mean.items():
            self._trained[name].copy_(mean)

    def save(self, path: Path) -> None:
        """Write the mean and its count, atomically."""
        tensors = {name: mean.cpu().contiguous() for name, mean in self._mean.items()}
        write_bytes(path, save(tensors, metadata={"count": str(self.count)}))

    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote.

        Raises:
            RunError: the file does not read.
        """
        try:
            with safe_open(path, framework="pt") as file:
                self.count = int((file.metadata() or {})["count"])
                names = [name for name in self._trained if self.count]
                self._mean = {name: file.get_tensor(name).to(self._trained[name].device) for name in names}
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise RunError(f"{path} cannot be read: {error}. Start the run anew.") from error
