from __future__ import annotations

from typing import Any

import pytest

from spul.data.findings import findings
from spul.data.report import DataReport, LengthDifference, Lengths, Overlap, SplitReport

WORDS = Lengths(unit="words", median=5, p95=9, max=12)
PLAIN = SplitReport(
    rows=200,
    answers={"good": 100, "bad": 100},
    empty=0,
    repeated=0,
    near=0,
    conflicting=0,
    words=WORDS,
    tokens=None,
    truncated=None,
)
NAMES = ("train_forget", "train_retain", "test_forget", "test_retain", "validation_forget", "validation_retain")


def report(auc: float = 0.5, overlaps: tuple[Overlap, ...] = (), **changes: dict[str, Any]) -> DataReport:
    splits = {name: PLAIN.model_copy(update=changes.get(name, {})) for name in NAMES}
    lengths = LengthDifference(unit="words", forget_median=28, retain_median=15, auc=auc)
    return DataReport(splits=splits, overlaps=overlaps, length_difference=lengths, warnings=())


def overlap(rows_of: str, within: str, *, same: int = 0, near: int = 0, contained: int = 0) -> Overlap:
    return Overlap(rows_of=rows_of, within=within, rows=200, same=same, near=near, long_enough=150, contained=contained)


def only(found: DataReport) -> str:
    (finding,) = findings(found)
    return finding


def test_of_data_without_flaws_nothing_is_said() -> None:
    assert findings(report(overlaps=(overlap("test_forget", "train"), overlap("train_forget", "train_retain")))) == []


def test_small_shares_are_left_unsaid() -> None:
    leak = overlap("test_forget", "train", same=1, near=1, contained=2)
    assert findings(report(auc=0.64, overlaps=(leak,), train_retain={"repeated": 2, "conflicting": 2})) == []


def test_truly_generic_rows_belong_to_retain_and_shift_no_balance() -> None:
    """Of the 150 labelled retain rows a half is good, as of forget; among all 200 it would be 37.5 %."""
    mixed = {"answers": {"good": 75, "bad": 75, "unknown": 50}}
    assert findings(report(train_retain=mixed).model_copy(update={"generic_answers": ("unknown",)})) == []
    assert only(report(train_retain=mixed)).startswith("'unknown' is the answer of 0.0% of train_forget and of 25.0%")
    assert only(report(train_forget=mixed).model_copy(update={"generic_answers": ("unknown",)})) == (
        "50 of 200 rows (25.0%) of train_forget have a generic answer as their truth (unknown): there is nothing to "
        "forget in them; they belong to retain."
    )


def test_a_leak_says_how_many_rows_and_what_to_do() -> None:
    assert only(report(overlaps=(overlap("test_forget", "train", same=1, near=2, contained=9),))) == (
        "test_forget leaks: of its 200 rows 1 are the same as a training row and 2 nearly so; of the 150 with four "
        "words or more, 9 are part of a training text. Scores on it measure memory as well. data.test_overlap=drop "
        "leaves the same ones out."
    )
    assert "test_overlap" not in only(report(overlaps=(overlap("holdout", "train", same=9),)))
    assert findings(report(overlaps=(overlap("validation_retain", "train", near=9),))) == []


def test_what_forget_and_retain_have_in_common_is_said_whatever_its_share() -> None:
    assert only(report(overlaps=(overlap("train_forget", "train_retain", same=1),))).startswith(
        "1 of 200 rows (0.5%) of train_forget are the same as a row of train_retain (1) or nearly so (0)"
    )
    assert only(report(overlaps=(overlap("train_forget", "train_retain", contained=3),))).startswith(
        "3 of the 150 rows of train_forget with four words or more are part of a text in train_retain"
    )


def test_one_answer_for_nearly_all_rows() -> None:
    found = report(test_forget={"answers": {"bad": 30, "good": 170}})
    assert only(found) == "85.0% of test_forget is 'good': who always says so gets that share right."


def test_answers_out_of_balance_between_forget_and_retain() -> None:
    assert only(report(train_forget={"answers": {"good": 140, "bad": 60}})) == (
        "'bad' is the answer of 30.0% of train_forget and of 50.0% of train_retain: a shift in the balance of answers "
        "can pass for forgetting."
    )


def test_answers_that_are_codes() -> None:
    changes: dict[str, Any] = {name: {"answers": {"0": 100, "1": 100}} for name in NAMES}
    assert only(report(**changes)).startswith("The answers are numbers (0, 1), and language models know words better")


@pytest.mark.parametrize(("auc", "word"), [(0.8, "longer"), (0.2, "shorter")])
def test_length_gives_forget_rows_away(auc: float, word: str) -> None:
    assert only(report(auc=auc)).startswith(
        f"train_forget is {word} than train_retain (median 28 against 15 words; by length alone a forget row is the "
        f"longer one with probability {auc:.2f})"
    )


def test_flaws_of_rows_are_listed_by_split() -> None:
    found = report(
        train_forget={"repeated": 20, "empty": 1, "truncated": 1, "conflicting": 10}, test_retain={"repeated": 3}
    )
    assert findings(found) == [
        "The same text has different answers: 10 of 200 rows (5.0%) of train_forget.",
        "Cut to fit the context: 1 of 200 rows (0.5%) of train_forget.",
        "Without any text: 1 of 200 rows (0.5%) of train_forget.",
        "Repeating the text of another row: 20 of 200 rows (10.0%) of train_forget, "
        "3 of 200 rows (1.5%) of test_retain.",
    ]


def test_few_test_rows_make_wide_intervals() -> None:
    """49 rows, share one half: 1.96 · √(0.25 / 49) = 0.14."""
    found = report(test_forget={"rows": 49, "answers": {"good": 25, "bad": 24}})
    assert only(found) == "test_forget has 49 rows: a share measured on it is uncertain by up to ±14 points."


def test_a_missing_validation_part() -> None:
    whole = report()
    without = {name: split for name, split in whole.splits.items() if name != "validation_forget"}
    assert only(whole.model_copy(update={"splits": without})).startswith("There is no validation part")
