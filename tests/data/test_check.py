from __future__ import annotations

import pytest

from spul.data.check import check_splits
from spul.data.report import Overlap
from spul.types import Example, Query, Splits

LINE = "one two three four five six seven eight"


def examples(name: str, *rows: tuple[str, str]) -> tuple[Example, ...]:
    return tuple(Example(f"{name}{i}", {"text": text}, answer) for i, (text, answer) in enumerate(rows))


SPLITS = Splits(
    train_forget=examples("f", (LINE, "good"), (LINE.upper() + "!", "bad"), ("a cat", "good"), (" ", "good")),
    train_retain=examples("r", (LINE.replace("eight", "nine"), "good"), ("so it was said then", "bad")),
    test_forget=examples("tf", ("Two three, four five", "good"), ("a cat", "bad"), ("quite new", "good")),
    test_retain=examples("tr", ("quite other", "bad")),
)


def test_hand_worked_counts() -> None:
    forget = check_splits(SPLITS).splits["train_forget"]
    assert forget.rows == 4
    assert forget.answers == {"good": 3, "bad": 1}
    assert (forget.repeated, forget.conflicting, forget.near, forget.empty) == (1, 2, 0, 1)
    assert (forget.words.median, forget.words.max) == (5.0, 8)
    assert (forget.tokens, forget.truncated) == (None, None)


def test_hand_worked_overlaps() -> None:
    """Forget row 0 and 1 are nearly retain row 0 (5 of 7 shingles); of test_forget one row is in train as it stands and
    another of four words is part of a training line."""
    found = {(overlap.rows_of, overlap.within): overlap for overlap in check_splits(SPLITS).overlaps}
    assert found.keys() == {
        ("train_forget", "train_retain"),
        ("test_forget", "test_retain"),
        ("test_forget", "train"),
        ("test_retain", "train"),
    }
    assert found["train_forget", "train_retain"] == Overlap(
        rows_of="train_forget", within="train_retain", rows=4, same=0, near=2, long_enough=2, contained=0
    )
    assert found["test_forget", "train"] == Overlap(
        rows_of="test_forget", within="train", rows=3, same=1, near=0, long_enough=1, contained=1
    )
    assert found["test_retain", "train"].same == 0


def test_a_row_is_counted_as_the_same_or_as_near_but_not_as_both() -> None:
    retain = examples("r", (LINE, "good"), (LINE.replace("eight", "nine"), "bad"))
    report = check_splits(Splits(SPLITS.train_forget, retain, SPLITS.test_forget, SPLITS.test_retain))
    assert (report.overlaps[0].rows_of, report.overlaps[0].same, report.overlaps[0].near) == ("train_forget", 2, 0)


def test_near_duplicates_within_a_split() -> None:
    near = examples("n", (LINE, "good"), (LINE.replace("eight", "nine"), "good"), ("a cat", "bad"))
    report = check_splits(Splits(near, SPLITS.train_retain, SPLITS.test_forget, SPLITS.test_retain))
    assert (report.splits["train_forget"].near, report.splits["train_forget"].repeated) == (2, 0)


def test_optional_splits_are_looked_up_too() -> None:
    splits = Splits(
        SPLITS.train_forget,
        SPLITS.train_retain,
        SPLITS.test_forget,
        SPLITS.test_retain,
        holdout=examples("h", ("A cat.", "bad")),
    )
    report = check_splits(splits)
    assert "validation_forget" not in report.splits
    (overlap,) = [overlap for overlap in report.overlaps if overlap.rows_of == "holdout"]
    assert overlap.same == 1


def test_hand_worked_length_difference() -> None:
    """Words of forget: 8, 8, 2, 0; of retain: 8, 5. 8 ties with 8 and beats 5, twice: (0.5 + 1) · 2 / 8."""
    difference = check_splits(SPLITS).length_difference
    assert (difference.unit, difference.forget_median, difference.retain_median) == ("words", 5.0, 6.5)
    assert difference.auc == pytest.approx(3 / 8)


def test_posed_examples_give_tokens_and_truncation() -> None:
    lengths = {"train_forget": (3, 5, 9, 3), "train_retain": (2, 2), "test_forget": (4, 4, 4), "test_retain": (1,)}
    posed = {
        name: [Query(str(i), (0,) * (n - 1), (1,), "good", truncated=n > 4) for i, n in enumerate(counts)]
        for name, counts in lengths.items()
    }
    report = check_splits(SPLITS, posed)
    forget = report.splits["train_forget"]
    assert forget.tokens is not None
    assert (forget.tokens.unit, forget.tokens.median, forget.tokens.max) == ("tokens", 4.0, 9)
    assert forget.truncated == 2
    assert report.length_difference.unit == "tokens"
    assert report.length_difference.auc == 1.0
    assert "Cut to fit the context: 2 of 4 rows (50.0%) of train_forget." in report.warnings
    with pytest.raises(ValueError, match="posed examples"):
        check_splits(SPLITS, {"train_forget": posed["train_forget"]})


def test_a_report_is_a_document() -> None:
    report = check_splits(SPLITS)
    assert type(report).model_validate_json(report.model_dump_json()) == report
