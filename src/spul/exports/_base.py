from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from spul.exports.reference import Reference
from spul.exports.self_check import Check
from spul.models.adapter import Adapter
from spul.models.prompted import PromptedModel
from spul.prompts import Level
from spul.registry import Registry
from spul.runs import Run
from spul.settings import Settings

__all__ = ["EXPORTS", "Export", "ExportSettings", "Source"]


class ExportSettings(Settings):
    """What a user may decide about an export.

    Attributes:
        max_soft_mass: most probability that the soft tokens may get together at any position of the calibration text;
            an export with more is refused. It shifts the log-probability of all else by log(1 + mass).
        keep_tied: leave input and output embeddings tied where they are. The soft tokens cannot be masked on the output
            side then, only measured.
        base_name: what the export calls its base model; a hub id if missing, else the directory's name.
    """

    max_soft_mass: Annotated[float, Field(gt=0, le=1)] = 1e-6
    keep_tied: bool = False
    base_name: str | None = None


@dataclass(frozen=True)
class Source:
    """What an export is made from.

    Attributes:
        run: a complete run that learned a soft prompt.
        model: its model. A format may take its base model apart, so nothing else may use it afterwards.
        adapter: the prompt, with the identity of the base that it was learned on.
        reference: what the model says, taken before anything is written.
        settings: the user's.
    """

    run: Run
    model: PromptedModel
    adapter: Adapter
    reference: Reference
    settings: ExportSettings


class Export(ABC):
    """A format.

    Attributes:
        levels: which prompts it can carry.
        is_checkpoint: whether it holds the base model's weights as well.
    """

    levels: ClassVar[frozenset[Level]] = frozenset({"input"})
    is_checkpoint: ClassVar[bool] = False

    def refuse(self, source: Source) -> None:
        """Raise ExportError where this format cannot carry the run, before anything is written."""
        return None

    @abstractmethod
    def write(self, source: Source, directory: Path) -> None:
        """Write the format's files into an empty directory."""

    @abstractmethod
    def check(self, source: Source, directory: Path) -> list[Check]:
        """Load what was written as a stranger would and compare it with the run's own forward pass."""

    @abstractmethod
    def usage(self, source: Source) -> str:
        """Return how the export is loaded, as Markdown for its model card."""

    def notes(self, source: Source) -> list[str]:
        """Return what the user has to know, a sentence or two each."""
        return []


EXPORTS: Registry[type[Export]] = Registry("export", "spul.exports")
