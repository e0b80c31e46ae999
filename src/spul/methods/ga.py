"""Gradient ascent on the forget set alone. Bhaila et al. 2025, section 4 (GA); Jang et al. 2023 (arXiv:2210.01504)."""

from spul.methods._base import METHODS, Recipe

__all__ = ["RECIPE"]

RECIPE = METHODS.register("ga")(
    Recipe(
        summary="Raise the loss of the true answer on forget rows by training all weights (baseline GA).",
        trainable="all",
        objective="gradient_ascent",
        alpha=0.0,
        beta=0.0,
        settings={"train": {"num_epochs": 1}},
    )
)
