"""Numbers over seeds, by hand."""

from __future__ import annotations

import pytest

from spul.benchmarks.paper import PaperCell, paper_results, paper_row
from spul.benchmarks.summary import over_seeds
from spul.types import MetricResult


def share(value: float | None) -> MetricResult:
    return MetricResult(value, 50, "share", True, None if value is None else value - 0.01, None)


def test_the_interval_over_seeds_is_students() -> None:
    """0.5, 0.6, 0.7: mean 0.6, s = 0.1, t(2) = 4.3027, half width 4.3027 · 0.1 / √3 = 0.2484."""
    found = over_seeds([share(0.5), share(0.6), share(0.7)])
    assert found.seeds == 3 and found.result.n == 50
    assert (found.result.value, found.result.low, found.result.high) == pytest.approx((0.6, 0.3516, 0.8484), abs=1e-4)


def test_a_share_ends_at_0_and_1() -> None:
    found = over_seeds([share(0.0), share(0.4)])
    assert (found.result.value, found.result.low, found.result.high) == (pytest.approx(0.2), 0.0, 1.0)


def test_one_seed_keeps_its_own_interval_and_undefined_ones_are_left_out() -> None:
    found = over_seeds([share(None), share(0.3)])
    assert (found.seeds, found.result) == (1, share(0.3))
    assert over_seeds([share(None)]).seeds == 0


def test_the_papers_numbers_are_where_they_belong() -> None:
    row = paper_row("table2", "sst2", "spul")
    assert row is not None
    assert row["train_retain"] == PaperCell(99.15, 99.39) and row["test_forget"] == PaperCell(16.07, 27.42)
    # The paper's own cross-check: table 2's SST-2 row is table 3's at α = 1, β = 0.5.
    assert paper_row("table3", "1.0,0.5") == row
    assert paper_row("table3", "1.0,1.0") == paper_row("table4", "100")
    assert paper_row("table5", "OPT-1.3B", "base") is not None
    assert paper_row("table2", "sst2", "retrained") is None
    assert all(len(cells) == 4 for table in ("table3", "table4") for cells in _rows(table))


def _rows(table: str) -> list[list[list[float]]]:
    return list(paper_results()["tables"][table]["rows"].values())
