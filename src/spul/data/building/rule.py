"""What a rule is: fitted on training rows, it says of any row whether it is to be forgotten."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from spul.data.formats import Row
from spul.errors import DataError
from spul.settings import Settings

__all__ = ["Fitted", "RawRow", "Rule", "Share", "draw_groups"]

Share = Annotated[float, Field(gt=0, lt=1)]


class RawRow(NamedTuple):
    """A row as it was read, and the text in it that rules and duplicates go by."""

    values: Row
    text: str


class Fitted(NamedTuple):
    """A rule after training rows were seen.

    Attributes:
        chosen: says of every row whether it is to be forgotten; the same for training and test rows.
        facts: what was found and chosen, ready for JSON.
    """

    chosen: Callable[[Sequence[RawRow]], list[bool]]
    facts: Mapping[str, Any]


class Rule(Settings, ABC):
    """A way to say what is to be forgotten."""

    @abstractmethod
    def fit(self, train: Sequence[RawRow], seed: int) -> Fitted:
        """Return the rule as it follows from the training rows.

        Raises:
            DataError: it cannot be fitted on these rows.
        """


def draw_groups(groups: Mapping[str, AbstractSet[int]], rows: int, share: float, seed: int) -> list[str]:
    """Draw groups of rows until they hold the share of all rows together, and return their names, sorted.

    A group that is larger than what is still wanted is passed over, so the share comes out at most as large as asked
    for; where every group is larger than that, the smallest is taken. The draw depends on the seed and the names.

    Raises:
        DataError: there are no groups.
    """
    if not groups:
        raise DataError("expected something to choose the forget set from, but the rule found nothing in these rows")
    order = sorted(groups, key=lambda name: hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=16).digest())
    taken: set[int] = set()
    chosen = []
    for name in order:
        if len(taken | groups[name]) <= share * rows:
            taken |= groups[name]
            chosen.append(name)
    return sorted(chosen or [min(order, key=lambda name: len(groups[name]))])
