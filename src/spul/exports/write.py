"""From a run to a directory that can be shipped: written beside its place, checked, and only then moved there."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from spul.errors import ExportError
from spul.exports._base import EXPORTS, Export, Source
from spul.exports.card import model_card
from spul.exports.self_check import Check, require
from spul.files import file_digest, write_json, write_text
from spul.runs import Run
from spul.versions import environment

__all__ = ["ExportResult", "check_exportable", "write_export"]

logger = logging.getLogger(__name__)

RECORD = "export.json"
SPARE = 1.05
"""Room that is asked for, as a multiple of the weights: configuration and tokenizer need some too."""


@dataclass(frozen=True)
class ExportResult:
    """A finished export.

    Attributes:
        path: its directory.
        checks: what it was measured by, all passed.
        notes: what the user has to know.
        address: where it was uploaded to.
    """

    path: Path
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    address: str | None = None


def check_exportable(run: Run, name: str, destination: Path) -> None:
    """Refuse what cannot be exported before anything large is loaded.

    Raises:
        ConfigError: the format is unknown.
        ExportError: the run holds no soft prompt, or there is something at the destination.
    """
    EXPORTS.get(name)
    if run.config.trainable != "prompt":
        raise ExportError(
            f"expected a run that learned a soft prompt, but run {run.path} trained weights (trainable: "
            f"{run.config.trainable}): it is an ordinary checkpoint already. Load or serve {run.model_dir} as it is."
        )
    if run.config.prompt.placement != "front":
        raise ExportError(
            f"the virtual tokens of run {run.path} stand elsewhere than in front of the text (prompt.placement="
            f"{run.config.prompt.placement}), and everything that loads an export puts them in front. Unlearn with "
            "prompt.placement=front to export; spul itself evaluates and loads this run as it is."
        )
    if destination.exists():
        raise ExportError(f"{destination} is there already; move it away, or give another --output")


def write_export(source: Source, name: str, destination: Path) -> ExportResult:
    """Write an export, check it, and move it to its place; if anything fails, nothing is left.

    Raises:
        ExportError: the format does not carry this prompt or base model, there is no room, or a check fails.
        OSError: the directory cannot be written.
    """
    export = EXPORTS.get(name)()
    _refuse_level(export, source, name)
    export.refuse(source)
    notes = (*_gate_notes(source), *export.notes(source))
    for note in _gate_notes(source):
        logger.warning(note)
    with _staged(destination) as directory:
        _check_room(source, export, directory)
        try:
            export.write(source, directory)
            checks = tuple(export.check(source, directory))
        except SafetensorError as error:
            raise ExportError(f"the weights could not be written to {destination.parent}: {error}") from error
        require(checks)
        write_json(directory / RECORD, _record(source, name, checks, notes, directory))
        write_text(directory / "README.md", model_card(source, name, export.usage(source), checks, notes))
    return ExportResult(destination, checks, notes)


def _gate_notes(source: Source) -> list[str]:
    if source.run.config.scope.name != "gate":
        return []
    return [
        "NO EXPORT CARRIES THE SCOPE GATE of this run: here the prompt stands in front of every query, those included "
        "that the gate leaves to the base model, and the numbers of `unlearned` hold, not those of `unlearned_gated`. "
        "`spul serve` on the run directory applies the gate."
    ]


def _refuse_level(export: Export, source: Source, name: str) -> None:
    if source.adapter.level in export.levels:
        return
    raise ExportError(
        f"a deep prompt cannot be exported to {name}: it is keys and values in every layer, and no token has such. Use "
        "--to prefix or --to peft, or unlearn with an input-level prompt (prompt.kind=direct, mlp or lstm)."
    )


@contextmanager
def _staged(destination: Path) -> Iterator[Path]:
    """Yield a directory beside the destination that is moved there at the end, and removed if anything fails."""
    parent = destination.parent
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    parent.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=parent))
    try:
        yield directory
        if destination.exists():
            raise ExportError(f"{destination} has come up while the export was made; it was not touched")
        _open_to_readers(directory)
        directory.rename(destination)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        for folder in made:
            if not any(folder.iterdir()):
                folder.rmdir()
        raise


def _open_to_readers(directory: Path) -> None:
    """Give files and folder the permissions of the folder they go to: temporary ones are the owner's alone."""
    mode = directory.parent.stat().st_mode & 0o777
    directory.chmod(mode)
    for file in directory.rglob("*"):
        file.chmod(mode & 0o666 if file.is_file() else mode)


def _check_room(source: Source, export: Export, directory: Path) -> None:
    if not export.is_checkpoint:
        return
    base = source.model.base
    size = sum(weight.numel() * weight.element_size() for weight in base.parameters())
    # Untied, the embeddings are stored twice.
    size += sum(weight.numel() * weight.element_size() for weight in _embeddings(base))
    needed, free = int(size * SPARE), shutil.disk_usage(directory).free
    if needed > free:
        raise ExportError(
            f"expected {needed / 1e9:.2f} GB of free space in {directory.parent} for the checkpoint, found "
            f"{free / 1e9:.2f} GB; make room, or give --output on another disk"
        )


def _embeddings(base: nn.Module) -> list[torch.Tensor]:
    return [module.weight for module in base.modules() if isinstance(module, nn.Embedding)][:1]


def _record(source: Source, name: str, checks: tuple[Check, ...], notes: tuple[str, ...], directory: Path) -> object:
    base = source.adapter.base
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    return {
        "schema": 1,
        "format": name,
        "num_virtual_tokens": source.model.num_virtual_tokens,
        "base": {"digest": base.digest, "architecture": base.architecture, "precision": base.precision},
        "calibration": source.reference.origin,
        "checks": [{**check.model_dump(), "passed": check.passed} for check in checks],
        "notes": list(notes),
        "environment": environment(),
        "files": {str(file.relative_to(directory)): file_digest(file) for file in files},
    }
