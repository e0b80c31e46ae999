"""Gradient ascent on forget, KL to the base on retain. Bhaila et al. 2025, section 4 (GA+KL); Yao et al. 2024."""

from spul.methods._base import METHODS, Recipe

__all__ = ["RECIPE"]

RECIPE = METHODS.register("ga_kl")(
    Recipe(
        summary="Gradient ascent on forget rows, KL to the base on retain rows, all weights trained (baseline GA+KL).",
        trainable="all",
        objective="gradient_ascent",
        alpha=0.0,
        beta=1.0,
        settings={"train": {"num_epochs": 1}},
    )
)
