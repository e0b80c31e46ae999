"""A study's points in a table: for people as Markdown, for programs as CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

from spul.reports._numbers import number
from spul.types import MetricResult

__all__ = ["MISSING", "StudyRow", "StudyTable", "Value", "as_csv", "as_markdown", "written"]

MISSING = "missing"

Value = str | int | float | bool | None


@dataclass(frozen=True)
class StudyRow:
    """One point of a study.

    Attributes:
        values: swept field → value.
        metrics: what is shown, by name; only those that are known.
        seeds: how many seeds are complete, and of how many.
    """

    values: Mapping[str, Value]
    metrics: Mapping[str, MetricResult]
    seeds: tuple[int, int]


@dataclass(frozen=True)
class StudyTable:
    """The points of a study.

    Attributes:
        fields: swept fields.
        metrics: names of the columns.
        rows: one a point.
        models: model → metric → its number, for the models beside the unlearned ones.
    """

    fields: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[StudyRow, ...]
    models: Mapping[str, Mapping[str, MetricResult]]

    @property
    def is_complete(self) -> bool:
        """Return whether every point has all of its seeds."""
        return all(done == wanted for done, wanted in (row.seeds for row in self.rows))


def as_markdown(table: StudyTable) -> str:
    """Return the table with shares as per cent, the models beside the points below, and what the brackets are."""
    lines = [
        _line([*table.fields, "seeds", *table.metrics]),
        _line(["---"] * (len(table.fields) + 1 + len(table.metrics))),
    ]
    for row in table.rows:
        done, wanted = row.seeds
        cells = [written(row.values[field]) if field in row.values else "–" for field in table.fields]
        numbers = [number(row.metrics[name]) if name in row.metrics else MISSING for name in table.metrics]
        lines.append(_line([*cells, f"{done} of {wanted}", *numbers]))
    for model, metrics in table.models.items():
        cells = [model, *[""] * (len(table.fields) - 1)] if table.fields else []
        numbers = [number(metrics.get(name)) for name in table.metrics]
        lines.append(_line([*cells, "" if table.fields else model, *numbers]))
    return "\n".join([*lines, "", _brackets(table.rows), ""])


def as_csv(table: StudyTable) -> str:
    """Return one row a point: swept fields, seeds, and of every metric value, ends of the interval, n and unit."""
    out = StringIO()
    parts = ("value", "low", "high", "n", "unit")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*table.fields, "seeds_complete", "seeds", *(f"{m} {p}" for m in table.metrics for p in parts)])
    for row in table.rows:
        numbers = [_parts(row.metrics.get(name)) for name in table.metrics]
        writer.writerow(
            [*(row.values.get(field) for field in table.fields), *row.seeds, *(v for n in numbers for v in n)]
        )
    return out.getvalue()


def _parts(result: MetricResult | None) -> Sequence[Value]:
    if result is None:
        return [None] * 5
    return [result.value, result.low, result.high, result.n, result.unit]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def written(value: Value) -> str:
    """Return a swept value as it is shown."""
    return f"{value:g}" if isinstance(value, float) else "–" if value is None else str(value)


def _brackets(rows: Sequence[StudyRow]) -> str:
    shares = "Shares in per cent. In brackets: 95 % intervals, "
    if all(wanted == 1 for _, wanted in (row.seeds for row in rows)):
        return shares + "over examples, for one seed; another seed gives another result."
    return shares + "Student's t over seeds around their mean (over examples where one seed is complete)."
