"""Groups of forget rows come in one after another."""

from __future__ import annotations

import pytest

from spul.config import TrainSettings
from spul.errors import DataError
from spul.training.curriculum import Curriculum
from spul.training.plan import TrainingPlan
from spul.types import Query


def rows(name: str, groups: list[str]) -> list[Query]:
    return [Query(f"{name}{i}", (1, 2), (3,), "x", group=group) for i, group in enumerate(groups)]


FORGET = rows("f", ["anna", "boris", "greta", "anna", "boris", "greta", "anna", "anna"])


def plan(**settings: object) -> TrainingPlan:
    chosen = TrainSettings(max_steps=40, batch_size=8, **settings)  # type: ignore[arg-type]
    return TrainingPlan(FORGET, rows("r", [""] * 12), chosen, seed=3, pad_id=0)


def people(made: TrainingPlan, step: int) -> set[str]:
    return {FORGET[row].group for row in made.rows_of_step(step) if row < len(FORGET)}


def test_one_group_first_then_one_more_then_all() -> None:
    """Three groups within half of 40 steps: the second comes in at step 10, the third at step 20."""
    curriculum = Curriculum(FORGET, 0.5, 40, seed=3)
    assert [curriculum.num_admitted(step) for step in (0, 9, 10, 19, 20, 39)] == [1, 1, 2, 2, 3, 3]
    made = plan(curriculum=0.5)
    first = people(made, 0)
    assert len(first) == 1
    assert all(people(made, step) == first for step in range(10))
    second = set.union(*(people(made, step) for step in range(10, 20)))
    assert first < second and len(second) == 2
    assert set.union(*(people(made, step) for step in range(20, 40))) == {"anna", "boris", "greta"}


def test_nothing_else_changes() -> None:
    """Retain rows, the number of forget rows and, once all are in, every row are those of a run without it."""
    made, plain = plan(curriculum=0.5), plan()
    for step in range(40):
        mine, theirs = made.rows_of_step(step), plain.rows_of_step(step)
        assert [row for row in mine if row >= len(FORGET)] == [row for row in theirs if row >= len(FORGET)]
        assert len(mine) == len(theirs)
        if step >= 20:
            assert mine == theirs


def test_a_step_is_the_same_whatever_was_asked_before() -> None:
    once, again = plan(curriculum=0.5), plan(curriculum=0.5)
    later = again.rows_of_step(17)
    assert [once.rows_of_step(step) for step in range(18)][17] == later


def test_rows_without_groups_have_no_order() -> None:
    with pytest.raises(DataError, match="belong to 1 group"):
        Curriculum(rows("f", ["", ""]), 0.5, 40, seed=0)
