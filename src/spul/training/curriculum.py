"""From one group of forget rows to all of them: which rows a step may ask to be forgotten."""

from __future__ import annotations

import random
from collections.abc import Sequence

from spul.errors import DataError
from spul.types import Query

__all__ = ["Curriculum"]


class Curriculum:
    """Lets groups of forget rows in one after another, at equal distances, in an order drawn by the seed.

    What a step is given depends on its number and the arguments alone, so a resumed run goes on with the same rows.

    Args:
        forget: posed forget rows; their numbers are those of a batch.
        share: of the steps, within which the groups come in; the last has come in at its end.
        num_steps: of the run.
        seed: of the order of groups, and of the rows that stand in for those that are still out.

    Raises:
        DataError: the rows belong to fewer than two groups.
    """

    def __init__(self, forget: Sequence[Query], share: float, num_steps: int, seed: int) -> None:
        groups = sorted({query.group for query in forget})
        if len(groups) < 2:
            raise DataError(
                f"train.curriculum={share} lets groups of forget rows in one after another, and the rows belong to "
                f"{len(groups)} group(s). Map a column to `group` (data.columns.group, --column group=NAME), or leave "
                "the curriculum out."
            )
        random.Random(f"{seed}:curriculum").shuffle(groups)
        rank = {group: i for i, group in enumerate(groups)}
        self._rank = [rank[query.group] for query in forget]
        self._rows = sorted(range(len(forget)), key=self._rank.__getitem__)
        self._steps = share * num_steps
        self._seed = seed
        self.num_groups = len(groups)

    def num_admitted(self, step: int) -> int:
        """Return how many groups are in at a step, counted from 0."""
        return min(self.num_groups, 1 + int(step * (self.num_groups - 1) / self._steps))

    def admit(self, step: int, rows: list[int]) -> list[int]:
        """Return a step's rows with rows of those groups that are in, in place of those of groups that are not."""
        admitted = self.num_admitted(step)
        if admitted == self.num_groups:
            return rows
        known = [row for row in self._rows if self._rank[row] < admitted]
        rng = random.Random(f"{self._seed}:curriculum:{step}")
        return [rng.choice(known) if row < len(self._rank) and self._rank[row] >= admitted else row for row in rows]
