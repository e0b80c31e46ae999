"""The base model's hidden states: what the model itself makes of a text. Nothing of the text's words is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Float

from spul.scopes._base import SCOPES, Detector, Encode, State
from spul.scopes._linear import VectorScore
from spul.scopes.settings import ScopeSettings

__all__ = ["HiddenStates"]

STRENGTH = 0.01


@SCOPES.register("hidden_states")
class HiddenStates(Detector):
    """Mean and maximum of the base model's last hidden states over the text, logistic regression.

    Args:
        linear: the score of a vector.
        encode: texts → vectors.
    """

    name = "hidden_states"
    reads_base: ClassVar[bool] = True

    def __init__(self, linear: VectorScore, encode: Encode) -> None:
        self._linear = linear
        self._encode = encode

    @classmethod
    def learn(
        cls, forget: Sequence[str], retain: Sequence[str], settings: ScopeSettings, encode: Encode | None
    ) -> Self:
        """Learn the weights of the dimensions."""
        assert encode is not None
        return cls(VectorScore.fit(encode(forget), encode(retain), strength=STRENGTH), encode)

    def score(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """Return the log-odds that the text is in scope, both sides alike likely beforehand."""
        return self._linear.score(self._encode(texts))

    def state(self) -> State:
        """Return the weights."""
        return self._linear.state()

    @classmethod
    def from_state(cls, state: State, encode: Encode | None) -> Self:
        """Build from :meth:`state`."""
        assert encode is not None
        return cls(VectorScore.from_state(state), encode)
