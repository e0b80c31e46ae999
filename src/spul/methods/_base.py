from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from spul.registry import Registry

__all__ = ["METHODS", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """A point in the product of trainable part, forget objective and retain terms.

    Attributes:
        summary: one sentence for ``spul list methods``.
        trainable: what is trained.
        objective: registered objective on the forget set; ``None`` leaves the forget set out.
        alpha, beta: weights of the retain terms.
        stage: ``base`` makes a model to start or to compare with (``spul finetune``); ``unlearn`` takes something away
            from one (``spul unlearn``).
        settings: further defaults of the configuration, as a mapping like the YAML file.
    """

    summary: str
    trainable: Literal["prompt", "lora", "all"]
    objective: str | None
    alpha: float
    beta: float
    stage: Literal["base", "unlearn"] = "unlearn"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def defaults(self) -> dict[str, Any]:
        """Return the recipe as configuration values, to stand under the user's."""
        return {
            "trainable": self.trainable,
            "objective": self.objective,
            "retain": {"alpha": self.alpha, "beta": self.beta},
            **self.settings,
        }


METHODS: Registry[Recipe] = Registry("method", "spul.methods")
