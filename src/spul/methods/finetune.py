"""The base stage: train on forget ∪ retain, so that the forget set is memorised. Bhaila et al. 2025, appendix."""

from spul.methods._base import METHODS, Recipe

__all__ = ["RECIPE"]

RECIPE = METHODS.register("finetune")(
    Recipe(
        summary="Train the base model on forget and retain together: what is in service before the request.",
        trainable="all",
        objective="learn",
        alpha=1.0,
        beta=0.0,
        stage="base",
        settings={
            "train": {"forget_ratio": "natural", "warmup_ratio": 0.05, "keep": "last"},
            "data": {"validation_share": 0.0},
        },
    )
)
