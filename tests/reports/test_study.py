"""A study's table and picture, with what is missing marked."""

from __future__ import annotations

import csv
import itertools

import pytest

from spul.reports.study import StudyRow, StudyTable, Value, as_csv, as_markdown
from spul.reports.study_pictures import study_picture
from spul.types import MetricResult

FORGET, RETAIN = "test_forget/accuracy", "test_retain/accuracy"


def share(value: float, n: int = 3) -> MetricResult:
    return MetricResult(value, n, "share", True, value - 0.1, value + 0.1)


def row(forget: float | None, seeds: int = 3, **values: Value) -> StudyRow:
    metrics = {} if forget is None else {FORGET: share(forget), RETAIN: share(1 - forget)}
    return StudyRow({name.replace("_", "."): value for name, value in values.items()}, metrics, (seeds, 3))


def table(*rows: StudyRow) -> StudyTable:
    return StudyTable(
        tuple(rows[0].values), (FORGET, RETAIN), rows, {"base": {FORGET: share(0.98), RETAIN: share(0.95)}}
    )


ONE = table(row(0.2, a_b=1.0), row(None, 0, a_b=2.0), row(0.4, 2, a_b=10.0))
TWO = table(*(row(x / 10 + y / 100, a_x=x, a_y=y) for x, y in itertools.product((1, 2, 3), (0, 5))))


def test_markdown_marks_what_is_missing() -> None:
    lines = as_markdown(ONE).splitlines()
    assert lines[0] == f"| a.b | seeds | {FORGET} | {RETAIN} |"
    assert lines[2] == "| 1 | 3 of 3 | 20.0 (10.0–30.0) | 80.0 (70.0–90.0) |"
    assert lines[3] == "| 2 | 0 of 3 | missing | missing |"
    assert lines[4].startswith("| 10 | 2 of 3 | 40.0")
    assert lines[5].startswith("| base |  | 98.0")
    assert "Student's t over seeds" in lines[-1]
    assert not ONE.is_complete and TWO.is_complete


def test_csv_has_numbers_as_they_are() -> None:
    rows = list(csv.DictReader(as_csv(ONE).splitlines()))
    assert rows[0][f"{FORGET} value"] == "0.2" and rows[0][f"{FORGET} n"] == "3" and rows[0]["seeds_complete"] == "3"
    assert rows[1][f"{FORGET} value"] == ""
    assert [row["a.b"] for row in rows] == ["1.0", "2.0", "10.0"]


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (ONE, "over a.b. test forget: 1: 20.0, 10: 40.0; test retain: 1: 80.0, 10: 60.0."),
        (TWO, "over a.x and a.y. test forget: x 1, y 0: 10.0; x 1, y 5: 15.0; x 2"),
        (table(row(0.1, a="mlp"), row(0.2, a="direct")), "over a. test forget: direct: 20.0, mlp: 10.0"),
        (table(row(0.1, a=1, b=1, c=1), row(0.2, a=1, b=2, c=1)), "No point beats: a 1, b 1, c 1."),
        (table(row(0.1, a=0.013, b=1.5), row(0.2, a=0.02, b=2.5)), "No point beats: a 0.013, b 1.5."),
    ],
    ids=["line", "map", "names", "pareto", "draws"],
)
def test_the_picture_fits_what_was_varied(shown: StudyTable, words: str) -> None:
    picture = study_picture(shown, FORGET, RETAIN)
    assert picture is not None and picture.png is not None
    assert words in picture.alt


def test_without_a_complete_point_there_is_no_picture() -> None:
    assert study_picture(table(row(None, 0, a=1)), FORGET, RETAIN) is None
