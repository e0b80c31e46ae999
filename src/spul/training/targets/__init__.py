"""Targets of match mode: what a model says that never saw the forget set, prepared once and kept in the run."""

from spul.training.targets.prepare import prepare_targets
from spul.training.targets.store import Targets

__all__ = ["Targets", "prepare_targets"]
