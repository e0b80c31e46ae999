"""What a report's numbers mean, in words: only what calls for attention, the gravest first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from spul.data.report import DataReport, Overlap, SplitReport

__all__ = ["findings"]

SHARE = 0.01
"""Leaks, repetitions and contradictions up to that share of a split's rows are left unsaid."""

MAJORITY = 0.8
"""A split in which one answer has more than that share hardly measures anything."""

IMBALANCE = 0.1
"""Largest difference between forget and retain in an answer's share that is left unsaid."""

LENGTH_AUC = 0.65
"""AUC of length alone from which on it is an easy way to tell forget from retain."""

FEW_ROWS = 100
"""A share measured on fewer rows is uncertain by ten points or so."""


def findings(report: DataReport) -> list[str]:
    """Return the warnings of a report."""
    return [*_overlaps(report), *_answers(report), *_lengths(report), *_rows(report)]


def _overlaps(report: DataReport) -> Iterator[str]:
    for overlap in report.overlaps:
        if overlap.within != "train":
            yield from _entangled(overlap)
        elif not overlap.rows_of.startswith("validation_"):
            yield from _leaks(overlap)


def _entangled(overlap: Overlap) -> Iterator[str]:
    """Say what the forget side and the retain side have in common."""
    if overlap.same or overlap.near:
        yield (
            f"{_of(overlap.same + overlap.near, overlap.rows)} of {overlap.rows_of} are the same as a row of "
            f"{overlap.within} ({overlap.same}) or nearly so ({overlap.near}): the same words are to be forgotten and "
            "kept."
        )
    if overlap.contained - overlap.same > SHARE * overlap.rows:
        yield (
            f"{overlap.contained} of the {overlap.long_enough} rows of {overlap.rows_of} with four words or more are "
            f"part of a text in {overlap.within}: what is to be forgotten stays in what is kept."
        )


def _leaks(overlap: Overlap) -> Iterator[str]:
    """Say how much of what should be new to the models was trained on."""
    if max(overlap.same + overlap.near, overlap.contained) > SHARE * overlap.rows:
        advice = " data.test_overlap=drop leaves the same ones out." if overlap.rows_of.startswith("test_") else ""
        yield (
            f"{overlap.rows_of} leaks: of its {overlap.rows} rows {overlap.same} are the same as a training row and "
            f"{overlap.near} nearly so; of the {overlap.long_enough} with four words or more, {overlap.contained} are "
            f"part of a training text. Scores on it measure memory as well.{advice}"
        )


def _answers(report: DataReport) -> Iterator[str]:
    forget, retain = (_labels_of(report, name) for name in ("train_forget", "train_retain"))
    answers = sorted(forget.keys() | retain.keys())
    if answers and all(answer.isdigit() for answer in answers):
        yield (
            f"The answers are numbers ({', '.join(answers[:5])}), and language models know words better: name them "
            "with data.label_names, or choose another column with data.columns.answer."
        )
    for name, split in report.splits.items():
        answer, count = max(split.answers.items(), key=lambda item: item[1])
        if count > MAJORITY * split.rows:
            yield f"{count / split.rows:.1%} of {name} is {answer!r}: who always says so gets that share right."
    yield from _balance(forget, retain)
    yield from _generic(report)
    yield from _listed(report, "The same text has different answers", lambda split: split.conflicting, SHARE)


def _balance(forget: Mapping[str, int], retain: Mapping[str, int]) -> Iterator[str]:
    """Compare the labels of the two sides; rows that are truly generic are there to keep that answer alive."""
    answers = sorted(forget.keys() | retain.keys())
    if not forget or not retain:
        return
    most = max(answers, key=lambda answer: abs(_share(forget, answer) - _share(retain, answer)))
    if abs(_share(forget, most) - _share(retain, most)) > IMBALANCE:
        yield (
            f"{most!r} is the answer of {_share(forget, most):.1%} of train_forget and of {_share(retain, most):.1%} "
            "of train_retain: a shift in the balance of answers can pass for forgetting."
        )


def _generic(report: DataReport) -> Iterator[str]:
    """Say where there is nothing to forget."""
    forget = report.splits["train_forget"]
    count = forget.rows - sum(_labels_of(report, "train_forget").values())
    if count:
        yield (
            f"{_of(count, forget.rows)} of train_forget have a generic answer as their truth "
            f"({', '.join(report.generic_answers)}): there is nothing to forget in them; they belong to retain."
        )


def _labels_of(report: DataReport, name: str) -> dict[str, int]:
    """Return a split's answers without the generic ones."""
    answers = report.splits[name].answers
    return {answer: count for answer, count in answers.items() if answer not in report.generic_answers}


def _lengths(report: DataReport) -> Iterator[str]:
    found = report.length_difference
    if abs(found.auc - 0.5) > LENGTH_AUC - 0.5:
        word = "longer" if found.auc > 0.5 else "shorter"
        yield (
            f"train_forget is {word} than train_retain (median {found.forget_median:g} against {found.retain_median:g} "
            f"{found.unit}; by length alone a forget row is the longer one with probability {found.auc:.2f}): a prompt "
            "can learn the length in place of what is to be forgotten. Compare with retain rows of like length."
        )
    yield from _listed(report, "Cut to fit the context", lambda split: split.truncated or 0, 0)


def _rows(report: DataReport) -> Iterator[str]:
    yield from _listed(report, "Without any text", lambda split: split.empty, 0)
    yield from _listed(report, "Repeating the text of another row", lambda split: split.repeated, SHARE)
    for name, split in report.splits.items():
        if name.startswith("test_") and split.rows < FEW_ROWS:
            points = 98 / math.sqrt(split.rows)
            yield f"{name} has {split.rows} rows: a share measured on it is uncertain by up to ±{points:.0f} points."
    if not {"validation_forget", "validation_retain"} <= report.splits.keys():
        yield "There is no validation part on both sides, so no best checkpoint can be chosen."


def _listed(report: DataReport, what: str, count: Callable[[SplitReport], int], share: float) -> Iterator[str]:
    """Say in one sentence in which splits ``count`` exceeds the share of the rows."""
    places = [
        f"{_of(count(split), split.rows)} of {name}"
        for name, split in report.splits.items()
        if count(split) > share * split.rows
    ]
    if places:
        yield f"{what}: {', '.join(places)}."


def _share(answers: Mapping[str, int], answer: str) -> float:
    return answers.get(answer, 0) / sum(answers.values())


def _of(count: int, rows: int) -> str:
    return f"{count} of {rows} rows ({count / rows:.1%})"
