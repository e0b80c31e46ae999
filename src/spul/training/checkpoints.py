"""Checkpoints: the trained parameters, and which checkpoint is whole."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from spul.errors import RunError
from spul.files import file_digest, write_bytes, write_json

__all__ = ["latest_checkpoint", "load_trained", "mark_complete", "save_trained", "trained_state"]

WEIGHTS = "trained.safetensors"
MARKER = "complete.json"


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters that are trained, by name, on the CPU; frozen ones are not part of a run."""
    return {name: p.detach().cpu().contiguous() for name, p in model.named_parameters() if p.requires_grad}


def save_trained(model: nn.Module, path: Path, **facts: float | int) -> None:
    """Write the trained parameters and some facts about them to one file, atomically."""
    write_bytes(path, save(trained_state(model), metadata={"facts": json.dumps(facts)}))


def load_trained(model: nn.Module, path: Path) -> dict[str, float]:
    """Read what :func:`save_trained` wrote into the model, and return the facts.

    Raises:
        RunError: the file is missing, corrupt, or has other parameters.
    """
    wanted = {name: p for name, p in model.named_parameters() if p.requires_grad}
    try:
        with safe_open(path, framework="pt") as file:
            if set(file.keys()) != set(wanted):
                raise RunError(f"{path} holds other parameters than this run trains; start the run anew")
            for name, parameter in wanted.items():
                parameter.data.copy_(file.get_tensor(name))
            facts: dict[str, float] = json.loads((file.metadata() or {}).get("facts", "{}"))
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise RunError(f"{path} cannot be read: {error}. Start the run anew.") from error
    return facts


def mark_complete(checkpoint: Path) -> None:
    """Say that a checkpoint is whole: its files' hashes, written last."""
    files = {file.name: file_digest(file) for file in sorted(checkpoint.iterdir()) if file.name != MARKER}
    write_json(checkpoint / MARKER, files)


def latest_checkpoint(directory: Path) -> Path | None:
    """Return the newest whole checkpoint (``checkpoint-<step>``) in a directory; ``None`` without one."""
    found = sorted(directory.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    return next((path for path in found if _is_whole(path)), None)


def _is_whole(checkpoint: Path) -> bool:
    try:
        files = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))
        return all(file_digest(checkpoint / name) == digest for name, digest in files.items())
    except (OSError, json.JSONDecodeError):
        return False
