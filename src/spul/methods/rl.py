"""Generic answers on the forget set alone. Bhaila et al. 2025, section 4 (RL, random label)."""

from spul.methods._base import METHODS, Recipe

__all__ = ["RECIPE"]

RECIPE = METHODS.register("rl")(
    Recipe(
        summary="Train all weights to answer forget rows with a generic label (baseline RL).",
        trainable="all",
        objective="generic_label",
        alpha=0.0,
        beta=0.0,
        settings={"train": {"num_epochs": 1}},
    )
)
