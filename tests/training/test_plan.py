"""Every forward pass of a run is fixed before its first step."""

from __future__ import annotations

import pytest

from spul.config import TrainSettings
from spul.errors import DataError
from spul.training.plan import TrainingPlan
from spul.types import Query


def rows(prefix: str, count: int) -> list[Query]:
    return [Query(f"{prefix}{i}", (1, 2, 3), (4,), "x") for i in range(count)]


def plan(forget: int, retain: int, **settings: object) -> TrainingPlan:
    return TrainingPlan(rows("f", forget), rows("r", retain), TrainSettings(**settings), seed=0, pad_id=0)  # type: ignore[arg-type]


def ids_of(some: TrainingPlan, index: int) -> list[str]:
    batch = some[index].batch
    assert batch is not None
    return batch.ids


def test_number_of_steps_is_epochs_times_rows_over_batch() -> None:
    """10 + 30 rows in batches of 8 are 5 steps an epoch; 2.5 epochs are 13 steps."""
    assert len(plan(10, 30, batch_size=8, num_epochs=2.5)) == 13
    assert len(plan(10, 30, batch_size=8, num_epochs=2.5, max_steps=4, micro_batch_size=2)) == 16


def test_the_passes_of_a_step_are_its_rows_and_know_its_totals() -> None:
    whole = plan(10, 30, batch_size=8, forget_ratio=0.25, max_steps=6)
    parts = plan(10, 30, batch_size=8, forget_ratio=0.25, max_steps=6, micro_batch_size=2)
    for step in range(6):
        ids = [i for part in range(4) for i in ids_of(parts, 4 * step + part)]
        assert sorted(ids) == sorted(ids_of(whole, step))
        assert all(
            (parts[4 * step + part].step_forget, parts[4 * step + part].step_retain) == (2, 6) for part in range(4)
        )


def test_any_pass_can_be_asked_for_in_any_order() -> None:
    one, other = plan(10, 30, batch_size=8, num_epochs=3), plan(10, 30, batch_size=8, num_epochs=3)
    forwards = [ids_of(one, i) for i in range(len(one))]
    backwards = [ids_of(other, i) for i in reversed(range(len(other)))]
    assert forwards == backwards[::-1]
    assert forwards[:5] != forwards[5:10]


def test_the_natural_ratio_sees_every_row_once_an_epoch() -> None:
    natural = plan(10, 31, batch_size=8, forget_ratio="natural", num_epochs=1)
    seen = [i for item in range(len(natural)) for i in ids_of(natural, item)]
    assert sorted(seen) == sorted(q.id for q in rows("f", 10) + rows("r", 31))


def test_a_step_with_fewer_rows_than_passes_has_empty_passes() -> None:
    """10 rows in steps of 8 leave 2 for the last step, whose other 6 passes of one row are empty."""
    parts = plan(0, 10, batch_size=8, micro_batch_size=1, num_epochs=1)
    last = [parts[i].batch for i in range(8, 16)]
    assert [batch is None for batch in last] == [False] * 2 + [True] * 6
    assert parts[15].step_retain == 2


def test_no_rows_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="rows to train on"):
        plan(0, 0)
