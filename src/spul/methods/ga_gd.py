"""Gradient difference: ascent on forget, descent on retain. Bhaila et al. 2025, section 4 (GA+GD)."""

from spul.methods._base import METHODS, Recipe

__all__ = ["RECIPE"]

RECIPE = METHODS.register("ga_gd")(
    Recipe(
        summary="Gradient ascent on forget rows, true answers on retain rows, all weights trained (baseline GA+GD).",
        trainable="all",
        objective="gradient_ascent",
        alpha=1.0,
        beta=0.0,
        settings={"train": {"num_epochs": 1}},
    )
)
