"""What the numbers say, in sentences that follow from them by stated rules."""

from __future__ import annotations

from collections.abc import Iterator

from spul.benchmarks.maker import Row
from spul.benchmarks.paper import paper_row
from spul.benchmarks.summary import Results, SeedMean

__all__ = ["against_the_paper", "collapsed", "over_forgetting", "what_is_hidden"]

CONSTANT = 0.9
CLEAR = 0.05
"""Differences of less than five points are not spoken of."""


def over_forgetting(results: Results) -> Iterator[str]:
    """Say of every method whether it answers forget rows worse than a model that never saw them.

    Clear means: the means differ by five points or more, and neither interval over the seeds holds the other's mean.
    """
    gold = results.get("retrained", "test_forget", "accuracy")
    if gold is None:
        return
    for row in _methods(results):
        found = results.get(row.key, "test_forget", "accuracy")
        if found is None or found.result.value is None or gold.result.value is None:
            continue
        gap = found.result.value - gold.result.value
        told = f"{row.title}: {_percent(found)} right on test forget, the retrained model {_percent(gold)}"
        if abs(gap) < CLEAR or not _apart(found, gold):
            yield f"{told}: no clear difference."
        elif gap < 0:
            yield (
                f"{told}: **over-forgetting** by {-100 * gap:.0f} points. A model that never saw the forget set would "
                "not answer like this, so the answers themselves say what was to be forgotten."
            )
        else:
            yield f"{told}: {100 * gap:.0f} points short of the retrained model."


def collapsed(results: Results) -> Iterator[str]:
    """Name the methods that give one and the same answer to nine in ten rows to keep, whatever they are asked."""
    for row in _methods(results):
        found = results.get(row.key, "test_retain", "most_common_answer_rate")
        if found is not None and found.result.value is not None and found.result.value >= CONSTANT:
            yield f"{row.title}: one and the same answer to {_percent(found)} of test retain: it has collapsed."


def what_is_hidden(results: Results) -> Iterator[str]:
    """Say of every method what is still there when only the task's labels may be answered."""
    base = results.get("base", "train_forget", "restricted_accuracy")
    for row in _methods(results):
        plain = results.get(row.key, "train_forget", "accuracy")
        hidden = results.get(row.key, "train_forget", "restricted_accuracy")
        if plain is None or hidden is None or base is None or None in (plain.result.value, hidden.result.value):
            continue
        yield (
            f"{row.title}: {_percent(plain)} right on train forget, {_percent(hidden)} when only the task's labels may "
            f"be answered (base {_percent(base)})."
        )


def against_the_paper(results: Results) -> Iterator[str]:
    """Say where forgetting or its price differ from the paper's, each measured against the same table's base.

    Forgetting is the base's accuracy on test forget minus the method's; the price is the same on test retain. Named are
    differences of five points and more.
    """
    table = "table2" if results.plan.table == "efficiency" else results.plan.table
    theirs_base = next((paper_row(table, *row.paper) for row in results.rows if row.key == "base" and row.paper), None)
    if theirs_base is None:
        return
    for row in _methods(results):
        theirs = paper_row(table, *row.paper) if row.paper else None
        if theirs is None:
            continue
        for split, what in (("test_forget", "forgets"), ("test_retain", "costs")):
            ours, base = (results.get(key, split, "accuracy") for key in (row.key, "base"))
            if ours is None or base is None or ours.result.value is None or base.result.value is None:
                continue
            here = 100 * (base.result.value - ours.result.value)
            there = theirs_base[split].accuracy - theirs[split].accuracy
            if abs(here - there) >= 100 * CLEAR:
                where = split.replace("_", " ")
                yield f"{row.title} {what} {here:.0f} points of {where} accuracy here and {there:.0f} in the paper."


def _methods(results: Results) -> list[Row]:
    return [row for row in results.rows if row.model == "unlearned"]


def _apart(first: SeedMean, second: SeedMean) -> bool:
    return not (_holds(first, second) or _holds(second, first))


def _holds(outer: SeedMean, inner: SeedMean) -> bool:
    low, high, value = outer.result.low, outer.result.high, inner.result.value
    return low is not None and high is not None and value is not None and low <= value <= high


def _percent(found: SeedMean) -> str:
    return "–" if found.result.value is None else f"{100 * found.result.value:.0f} %"
