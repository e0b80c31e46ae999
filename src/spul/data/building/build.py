"""From raw rows to four splits: repetitions out, test apart, then one rule for both sides."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spul.data.building.rule import RawRow, Rule
from spul.data.duplicates import contained_in, normalise, similar_pairs
from spul.data.formats import Row
from spul.data.sources import ANSWER_COLUMNS
from spul.data.splitting import split_off
from spul.errors import DataError, unknown_name
from spul.types import SPLIT_NAMES, Example, Splits

__all__ = ["Built", "build"]


class Built(NamedTuple):
    """The splits, and how they came about.

    Attributes:
        rows: split name → rows as they were read, in their order.
        splits: the same as examples, for the data check.
        facts: rule, counts and what was left out, ready for JSON.
    """

    rows: Mapping[str, Sequence[Row]]
    splits: Splits
    facts: Mapping[str, Any]


def build(
    train: Sequence[Row],
    rule: Rule,
    *,
    text: Sequence[str],
    answer: str | None = None,
    test: Sequence[Row] | None = None,
    test_share: float = 0.3,
    seed: int = 0,
) -> Built:
    """Make the four splits.

    Of rows with the same text (case, punctuation and white space aside) one is kept, or none where their answers
    differ. Without test rows a share is split off, near-duplicates and texts that are part of one another on one side;
    given test rows that a training row equals, nearly equals or contains are left out. The rule is fitted on the
    training side alone.

    Args:
        train: rows as read.
        rule: says what is to be forgotten.
        text: columns that hold the text which the rule and the search for duplicates go by.
        answer: column of the answer; ``answer`` or else ``label`` if missing.
        test: rows of a test set that exists already.
        test_share: share of the rows that is split off without one.
        seed: of everything that is drawn.

    Raises:
        DataError: a column is missing, or a split comes out empty.
    """
    raw = _raw(train, text, "the rows")
    column = _answer_column(raw, answer)
    kept, repeated, contradictory = _without_repetitions(raw, column)
    left_out = {"repeated": repeated, "contradictory": contradictory}
    if test is None:
        sides = split_off(_examples(kept, column), test_share, seed)
        train_side, test_side = ([kept[int(row.id)] for row in side] for side in (sides.kept, sides.split_off))
    else:
        train_side = kept
        unique, more, clashing = _without_repetitions(_raw(test, text, "the test rows"), column)
        test_side = _unseen(unique, train_side)
        left_out = {"repeated": repeated + more, "contradictory": contradictory + clashing}
        left_out["seen_in_train"] = len(unique) - len(test_side)
    fitted = rule.fit(train_side, seed)
    found = {
        f"{part}_{side}": [row for row, forget in zip(rows, fitted.chosen(rows), strict=True) if forget == wanted]
        for part, rows in (("train", train_side), ("test", test_side))
        for side, wanted in (("forget", True), ("retain", False))
    }
    _check_not_empty(found)
    facts = {
        "rule": {"kind": type(rule).__name__, **rule.model_dump(mode="json"), **fitted.facts},
        "text": list(text),
        "answer": column,
        "seed": seed,
        "test_share": test_share if test is None else None,
        "source_sha256": {"rows": _digest(train)} | ({} if test is None else {"test_rows": _digest(test)}),
        "left_out": left_out,
        "rows": {name: len(found[name]) for name in SPLIT_NAMES},
    }
    splits = Splits(**{name: tuple(_examples(found[name], column)) for name in SPLIT_NAMES}, extra={})
    return Built({name: [row.values for row in found[name]] for name in SPLIT_NAMES}, splits, facts)


def _raw(rows: Sequence[Row], columns: Sequence[str], what: str) -> list[RawRow]:
    for number, row in enumerate(rows, start=1):
        for column in columns:
            if column not in row:
                raise DataError(
                    f"{what}, row {number}: {unknown_name('column', column, row)}. Name the text's (--text)."
                )
    return [RawRow(row, "\n".join(row[column] for column in columns)) for row in rows]


def _answer_column(rows: Sequence[RawRow], named: str | None) -> str:
    known = dict.fromkeys(name for row in rows for name in row.values)
    column = named or next((name for name in ANSWER_COLUMNS if name in known), ANSWER_COLUMNS[0])
    missing = next((number for number, row in enumerate(rows, start=1) if column not in row.values), None)
    if missing is not None:
        raise DataError(f"row {missing}: {unknown_name('column', column, known)}. Name the answer's (--answer).")
    return column


def _without_repetitions(rows: Sequence[RawRow], column: str) -> tuple[list[RawRow], int, int]:
    """Return the rows to keep, how many repeated one of them, and how many contradict one another."""
    same: defaultdict[str, list[RawRow]] = defaultdict(list)
    for row in rows:
        same[normalise(row.text)].append(row)
    agreeing = [group for group in same.values() if len({row.values.get(column) for row in group}) == 1]
    contradictory = sum(map(len, same.values())) - sum(map(len, agreeing))
    return [group[0] for group in agreeing], len(rows) - contradictory - len(agreeing), contradictory


def _unseen(test: Sequence[RawRow], train: Sequence[RawRow]) -> list[RawRow]:
    trained = {normalise(row.text) for row in train}
    texts = [normalise(row.text) for row in test]
    together = sorted(trained | set(texts))
    near = {
        text
        for i, j in similar_pairs(together)
        for text, other in ((together[i], together[j]), (together[j], together[i]))
        if other in trained
    }
    contained = contained_in(texts, sorted(trained))
    return [
        row
        for row, text, inside in zip(test, texts, contained, strict=True)
        if not (inside or text in trained or text in near)
    ]


def _examples(rows: Sequence[RawRow], column: str) -> list[Example]:
    return [Example(str(i), {"text": row.text}, row.values.get(column, "")) for i, row in enumerate(rows)]


def _digest(rows: Sequence[Row]) -> str:
    return hashlib.sha256(json.dumps(list(rows), sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _check_not_empty(found: Mapping[str, Sequence[RawRow]]) -> None:
    empty = [name for name, rows in found.items() if not rows]
    if empty:
        counts = {name: len(rows) for name, rows in found.items()}
        raise DataError(
            f"expected rows in every split, but {', '.join(empty)} came out empty ({counts}). Choose what more "
            "or fewer rows have, give more rows, or change the test share."
        )
