"""SPUL in match mode: the prompt answers forget rows as a model would that never saw them."""

from spul.methods._base import METHODS, Recipe

__all__ = ["RECIPE"]

RECIPE = METHODS.register("spul_matched")(
    Recipe(
        summary="Learn a soft prompt that answers forget rows as a model would that never saw them (match mode).",
        trainable="prompt",
        objective="matched",
        alpha=1.0,
        beta=0.5,
    )
)
