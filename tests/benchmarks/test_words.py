"""Sentences follow from the numbers by stated rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from spul.benchmarks.bases import Base
from spul.benchmarks.datasets import dataset
from spul.benchmarks.maker import Row
from spul.benchmarks.plan import Plan
from spul.benchmarks.profiles import SMALL
from spul.benchmarks.summary import Results, SeedMean
from spul.benchmarks.words import against_the_paper, over_forgetting, what_is_hidden
from spul.types import MetricResult

ROWS = (
    Row("base", "Base", "base", "base", ("sst2", "base")),
    Row("retrained", "Retrained", "retrained", "retrained"),
    Row("spul", "SPUL", "spul", paper=("sst2", "spul")),
)


def results(**cells: tuple[float, float, float]) -> Results:
    """Return results with value, low and high by ``row__split__metric``."""
    numbers = {}
    for name, (value, low, high) in cells.items():
        row, split, metric = name.split("__")
        numbers[row, split, metric] = SeedMean(MetricResult(value, 100, "share", None, low, high), 3)
    plan = Plan("table2", dataset("sst2_spul"), Base("b", "b", SMALL), (1, 2, 3), Path("runs"), ROWS, ())
    return Results(plan, ROWS, numbers, {})


@pytest.mark.parametrize(
    ("spul", "words"),
    [
        ((0.13, 0.10, 0.16), "**over-forgetting** by 57 points"),
        ((0.90, 0.88, 0.92), "20 points short of the retrained model"),
        ((0.68, 0.60, 0.76), "no clear difference"),  # less than five points
        ((0.50, 0.20, 0.80), "no clear difference"),  # its interval holds the retrained model's mean
    ],
)
def test_over_forgetting_is_said_where_the_intervals_allow(spul: tuple[float, float, float], words: str) -> None:
    found = results(retrained__test_forget__accuracy=(0.70, 0.66, 0.74), spul__test_forget__accuracy=spul)
    (sentence,) = over_forgetting(found)
    assert words in sentence and sentence.startswith("SPUL: ")


def test_without_a_retrained_model_nothing_is_called_over_forgetting() -> None:
    assert list(over_forgetting(results(spul__test_forget__accuracy=(0.1, 0.0, 0.2)))) == []


def test_what_the_labels_alone_still_show_is_said() -> None:
    found = results(
        base__train_forget__restricted_accuracy=(0.99, 0.98, 1.0),
        spul__train_forget__accuracy=(0.05, 0.0, 0.1),
        spul__train_forget__restricted_accuracy=(0.94, 0.9, 0.98),
    )
    (sentence,) = what_is_hidden(found)
    assert "5 % right on train forget, 94 %" in sentence and "base 99 %" in sentence


def test_forgetting_and_its_price_are_held_against_the_papers() -> None:
    """Paper, SST-2: base 96.07 → 16.07 on test forget (80 points), 95.57 → 94.93 on test retain (under 1).

    Here 75 → 15 (60) and 75 → 45 (30): 20 and 29 points apart, so both are named.
    """
    found = results(
        base__test_forget__accuracy=(0.75, 0.7, 0.8),
        base__test_retain__accuracy=(0.75, 0.7, 0.8),
        spul__test_forget__accuracy=(0.15, 0.1, 0.2),
        spul__test_retain__accuracy=(0.45, 0.4, 0.5),
    )
    forgets, costs = against_the_paper(found)
    assert "forgets 60 points" in forgets and "80 in the paper" in forgets
    assert "costs 30 points" in costs and "1 in the paper" in costs
