"""Forget objectives: what is asked of the model on the forget set. One file each; pure functions of a forward pass."""

from spul.objectives._base import OBJECTIVES, ForgetObjective, Sought

__all__ = ["OBJECTIVES", "ForgetObjective", "Sought"]
