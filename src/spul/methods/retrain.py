"""The gold standard: train on retain alone, from the same start by the same recipe as the base."""

from spul.methods._base import METHODS, Recipe

__all__ = ["RECIPE"]

RECIPE = METHODS.register("retrain")(
    Recipe(
        summary="Train on retain alone: the model that never saw the forget set, the gold standard.",
        trainable="all",
        objective=None,
        alpha=1.0,
        beta=0.0,
        stage="base",
        settings={
            "train": {"forget_ratio": "natural", "warmup_ratio": 0.05, "keep": "last"},
            "data": {"validation_share": 0.0},
        },
    )
)
