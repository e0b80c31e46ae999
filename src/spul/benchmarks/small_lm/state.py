"""The training state between two sittings: weights, optimiser state and progress in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from spul.errors import RunError
from spul.files import write_bytes

__all__ = ["Progress", "load_state", "save_state"]

_MODEL = "model"


class Progress(NamedTuple):
    """Steps done, processor seconds spent on them over all sittings, and the smoothed training loss in nats a token."""

    step: int
    cpu_seconds: float
    loss: float


def save_state(path: Path, model: nn.Module, optimizers: Mapping[str, Optimizer], progress: Progress) -> None:
    """Write everything that the next step depends on; the file at ``path`` is the old one or the new one, whole."""
    # Tied weights share memory, which safetensors refuses; named_parameters lists each tensor once.
    tensors = {f"{_MODEL}/{name}": parameter.detach() for name, parameter in model.named_parameters()}
    for name, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}/{index}/{key}": value for key, value in state.items()}
    metadata = {"progress": json.dumps(progress._asdict())}
    write_bytes(path, save(tensors, metadata=metadata))


def load_state(path: Path, model: nn.Module, optimizers: Mapping[str, Optimizer]) -> Progress:
    """Put the saved weights and optimiser states in place and return how far they had come.

    Raises:
        RunError: the file cannot be read, or is not of this model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            progress = Progress(**json.loads(file.metadata()["progress"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise RunError(f"{path}: expected a training state, came {error}; delete it to start anew") from error
    weights = {name: tensors.pop(f"{_MODEL}/{name}") for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        parameter.data.copy_(weights[name])
    for name, optimizer in optimizers.items():
        _restore(optimizer, {key: value for key, value in tensors.items() if key.startswith(f"{name}/")})
    return progress


def _restore(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        _, index, name = key.split("/")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
