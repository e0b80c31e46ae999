"""Forget by source or topic: every row with certain values in a column. Bhaila et al. 2025, section 4 (WMDP, SciQ)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from spul.data.building.rule import Fitted, RawRow, Rule, Share, draw_groups
from spul.errors import DataError, unknown_name

__all__ = ["ColumnValues"]


class ColumnValues(Rule):
    """Forget the rows with certain values in a column.

    Attributes:
        column: whose values tell topics or sources apart.
        values: what is to be forgotten; drawn where empty.
        forget_share: share of the training rows that drawn values have, at most.
    """

    column: str
    values: tuple[str, ...] = ()
    forget_share: Share = 0.05

    def fit(self, train: Sequence[RawRow], seed: int) -> Fitted:
        """Return the rule with its values.

        Raises:
            DataError: the column or a value is in no training row.
        """
        groups: defaultdict[str, set[int]] = defaultdict(set)
        for i, row in enumerate(train):
            groups[self._value(row)].add(i)
        for value in self.values:
            if value not in groups:
                raise DataError(f"{unknown_name(f'value of column {self.column!r}', value, groups)}")
        chosen = list(self.values) or draw_groups(groups, len(train), self.forget_share, seed)
        return Fitted(
            lambda rows: [self._value(row) in chosen for row in rows],
            {"values": {value: len(groups[value]) for value in chosen}, "candidates": len(groups)},
        )

    def _value(self, row: RawRow) -> str:
        if self.column not in row.values:
            raise DataError(f"{unknown_name('column', self.column, row.values)} (in the row {row.text[:60]!r})")
        return row.values[self.column]
