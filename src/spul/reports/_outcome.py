"""What a report reads from a run: its numbers by model, split and name, in the order they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spul.runs import Run
from spul.types import MetricResult

__all__ = ["SHOWN_SPLITS", "Outcome", "split_title", "title"]

SHOWN_SPLITS = ("train_forget", "test_forget", "train_retain", "test_retain")
MODELS = ("base", "retrained", "unlearned", "unlearned_gated", "pretrained")
TITLES = {
    "base": "base",
    "retrained": "retrained",
    "unlearned": "unlearned",
    "unlearned_gated": "unlearned, gated",
    "pretrained": "pre-trained",
}
CONSTANT = "constant:"
MOST_CONSTANTS = 4


@dataclass(frozen=True)
class Outcome:
    """The numbers of one run.

    Attributes:
        metrics: by ``<model>/<split>/<metric>``.
        models: which models were scored, in the order they are shown.
        constants: which constant predictors are shown: all of them, or of many labels those that are right most often.
        prompted: whether the unlearned model is the base behind a soft prompt, and not one with other weights.
        budget: what became of the budget that the retain loss was to stay in, where the run had one.
        epsilon: the share of retain queries that the scope gate may touch; ``None`` without a gate.
    """

    metrics: Mapping[str, MetricResult]
    models: tuple[str, ...]
    constants: tuple[str, ...]
    prompted: bool = True
    budget: Mapping[str, Any] | None = None
    epsilon: float | None = None

    @classmethod
    def of(cls, run: Run) -> Outcome:
        """Read a run's metrics.

        Raises:
            RunError: it was not evaluated.
        """
        metrics = dict(run.metrics)
        present = {key.partition("/")[0] for key in metrics}
        others = sorted(name for name in present if name not in MODELS and not name.startswith(CONSTANT))
        models = (*(name for name in MODELS if name in present), *others)
        constants = [name for name in present if name.startswith(CONSTANT)]

        def right(name: str) -> float:
            return sum(metrics[f"{name}/{split}/accuracy"].value or 0.0 for split in SHOWN_SPLITS)

        best = sorted(constants, key=lambda name: (-right(name), name))[:MOST_CONSTANTS]
        budget = run.manifest.facts.get("retain_budget")
        epsilon = run.config.scope.epsilon if run.config.scope.name == "gate" else None
        prompted = run.config.trainable == "prompt"
        return cls(metrics, models, tuple(sorted(best)), prompted, budget, epsilon)

    def get(self, model: str, split: str, metric: str) -> MetricResult | None:
        """Return a number, ``None`` where it was not computed; ``split`` is empty for what is no split's."""
        return self.metrics.get("/".join(part for part in (model, split, metric) if part))

    @property
    def grouped(self) -> str:
        """Which splits' intervals are over groups of examples, in a sentence; empty where none is."""
        parts = []
        for split in SHOWN_SPLITS:
            found = next((r for model in self.models if (r := self.get(model, split, "nll")) is not None), None)
            if found is not None and found.groups is not None:
                parts.append(f"{split_title(split)} over {found.groups:,} groups ({found.n:,} examples)")
        if not parts:
            return ""
        return f"Intervals are over groups of examples that belong together: {', '.join(parts)}."

    def has(self, metric: str) -> bool:
        """Return whether a number of that name was computed for any model on any split that is shown."""
        return any(self.get(model, split, metric) is not None for model in self.models for split in SHOWN_SPLITS)

    def value(self, model: str, split: str, metric: str) -> float | None:
        """Return a number without its interval, ``None`` where it is undefined or was not computed."""
        result = self.get(model, split, metric)
        return None if result is None else result.value


def title(model: str) -> str:
    """Return how a model is called in tables."""
    if model.startswith(CONSTANT):
        return f"always “{model.removeprefix(CONSTANT)}”"
    return TITLES.get(model, model)


def split_title(split: str) -> str:
    """Return how a split is called in tables."""
    return split.replace("_", " ")
