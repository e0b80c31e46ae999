"""What a detector is: one score a text, higher for what looks more like the forget set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from jaxtyping import Float

from spul.registry import Registry
from spul.scopes.settings import ScopeSettings

__all__ = ["SCOPES", "Detector", "Encode", "State"]

Encode = Callable[[Sequence[str]], np.ndarray]
"""Texts → one vector each, [n, d]; the base model's, for detectors that ask for it."""


class State(NamedTuple):
    """All that a detector has learned, ready for JSON and safetensors.

    Attributes:
        facts: JSON-ready.
        arrays: by name.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


class Detector(ABC):
    """Tells queries in scope from others.

    Attributes:
        name: the registered name.
        reads_base: whether it looks at the base model's hidden states (else at the text alone).
    """

    name: ClassVar[str]
    reads_base: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def learn(
        cls, forget: Sequence[str], retain: Sequence[str], settings: ScopeSettings, encode: Encode | None
    ) -> Self:
        """Learn from texts in scope and texts out of it; deterministic.

        Args:
            forget, retain: neither is empty.
            settings: what the user said of the gate.
            encode: the base model's vectors; given where ``reads_base``.
        """

    @abstractmethod
    def score(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """Return a finite score a text, which does not depend on the texts beside it."""

    @abstractmethod
    def state(self) -> State:
        """Return what was learned; the inverse of :meth:`from_state`."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: State, encode: Encode | None) -> Self:
        """Build from :meth:`state`; its scores are the same, bit for bit."""


SCOPES: Registry[type[Detector]] = Registry("scope detector", "spul.scopes")
