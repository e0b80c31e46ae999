"""SPUL: a soft prompt on a frozen model. Bhaila et al. 2025, section 3; α, β of its SST-2 headline."""

from spul.methods._base import METHODS, Recipe

__all__ = ["RECIPE"]

RECIPE = METHODS.register("spul")(
    Recipe(
        summary="Learn a soft prompt in front of every input; the weights stay frozen (the paper's method).",
        trainable="prompt",
        objective="generic_label",
        alpha=1.0,
        beta=0.5,
    )
)
