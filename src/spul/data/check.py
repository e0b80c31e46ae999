"""What is in the data, before any training: counts, balance, duplicates, overlaps, truncation, lengths."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from spul.data.duplicates import MIN_CONTAINED, contained_in, normalise, similar_pairs, text_of
from spul.data.findings import findings
from spul.data.report import DataReport, LengthDifference, Lengths, Overlap, SplitReport
from spul.stats import auc
from spul.types import Example, Query, Splits

__all__ = ["check_splits"]

TRAIN = ("train_forget", "train_retain")
LOOKED_UP = (
    ("train_forget", "train_retain"),
    ("test_forget", "test_retain"),
    ("test_forget", "train"),
    ("test_retain", "train"),
    ("validation_forget", "train"),
    ("validation_retain", "train"),
    ("holdout", "train"),
)
"""Which rows are looked up where."""


def check_splits(
    splits: Splits, posed: Mapping[str, Sequence[Query]] | None = None, generic: Sequence[str] = ()
) -> DataReport:
    """Look the data over.

    Takes seconds for tens of thousands of short texts on one core.

    Args:
        splits: the data.
        posed: split name → its examples as token ids, for lengths in tokens and truncation; all splits that are not
            empty, or none.
        generic: answers outside the labels, which may be the truth of a row.

    Raises:
        ValueError: ``posed`` lacks a split (a programming error).
    """
    names = splits.names
    if posed is not None and not posed.keys() >= set(names):
        raise ValueError(f"expected posed examples of {names}, got {sorted(posed)}")
    texts = {name: [normalise(text_of(example)) for example in splits[name]] for name in names}
    kin = _neighbours({text for rows in texts.values() for text in rows})
    forget, retain = (_word_counts(splits[name]) if posed is None else _token_counts(posed[name]) for name in TRAIN)
    unchecked = DataReport(
        splits={
            name: _split_report(splits[name], texts[name], kin, None if posed is None else posed[name])
            for name in names
        },
        generic_answers=tuple(generic),
        overlaps=tuple(_overlaps(texts, kin)),
        length_difference=LengthDifference(
            unit="words" if posed is None else "tokens",
            forget_median=float(np.median(forget)),
            retain_median=float(np.median(retain)),
            auc=auc(forget, retain),
        ),
        warnings=(),
    )
    return unchecked.model_copy(update={"warnings": tuple(findings(unchecked))})


def _neighbours(texts: set[str]) -> Mapping[str, set[str]]:
    """Return the near-duplicates of every text that has any."""
    ordered = sorted(texts)
    near: defaultdict[str, set[str]] = defaultdict(set)
    for i, j in similar_pairs(ordered):
        near[ordered[i]].add(ordered[j])
        near[ordered[j]].add(ordered[i])
    return dict(near)


def _split_report(
    examples: Sequence[Example], texts: Sequence[str], kin: Mapping[str, set[str]], posed: Sequence[Query] | None
) -> SplitReport:
    present = set(texts)
    answers: defaultdict[str, set[str]] = defaultdict(set)
    for example, text in zip(examples, texts, strict=True):
        answers[text].add(example.answer)
    return SplitReport(
        rows=len(examples),
        answers=dict(Counter(example.answer for example in examples).most_common()),
        empty=sum(not text.strip() for text in texts),
        repeated=len(texts) - len(present),
        near=sum(not present.isdisjoint(kin.get(text, ())) for text in texts),
        conflicting=sum(len(answers[text]) > 1 for text in texts),
        words=_summary("words", _word_counts(examples)),
        tokens=None if posed is None else _summary("tokens", _token_counts(posed)),
        truncated=None if posed is None else sum(query.truncated for query in posed),
    )


def _overlaps(texts: Mapping[str, Sequence[str]], kin: Mapping[str, set[str]]) -> Iterable[Overlap]:
    for within in dict.fromkeys(place for _, place in LOOKED_UP):
        places = TRAIN if within == "train" else (within,)
        there = {text for name in places for text in texts.get(name, ())}
        asked = [name for name, place in LOOKED_UP if place == within and name in texts]
        needles = sorted({text for name in asked for text in texts[name]})
        contained = {text for text, found in zip(needles, contained_in(needles, sorted(there)), strict=True) if found}
        for name in asked if there else ():
            rows = texts[name]
            yield Overlap(
                rows_of=name,
                within=within,
                rows=len(rows),
                same=sum(text in there for text in rows),
                near=sum(text not in there and not there.isdisjoint(kin.get(text, ())) for text in rows),
                long_enough=sum(text.count(" ") >= MIN_CONTAINED - 1 for text in rows),
                contained=sum(text in contained for text in rows),
            )


def _word_counts(examples: Sequence[Example]) -> np.ndarray:
    return np.array([len(text_of(example).split()) for example in examples], dtype=np.float64)


def _token_counts(posed: Sequence[Query]) -> np.ndarray:
    return np.array([len(query.prompt_ids) + len(query.answer_ids) for query in posed], dtype=np.float64)


def _summary(unit: Literal["words", "tokens"], counts: np.ndarray) -> Lengths:
    median, p95 = np.quantile(counts, (0.5, 0.95))
    return Lengths(unit=unit, median=float(median), p95=float(p95), max=int(counts.max()))
