"""The picture of a study: a line over one swept field, a pair of maps over two, else forget against retain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spul.reports._numbers import bare
from spul.reports._outcome import title
from spul.reports._style import INK, OKABE_ITO, bare_axes, canvas, to_png, to_svg
from spul.reports.pareto import TradeOff, pareto_picture
from spul.reports.pictures import WIDTH, Picture
from spul.reports.study import StudyRow, StudyTable, Value, written
from spul.types import MetricResult

__all__ = ["study_pareto", "study_picture"]

LINES = ((OKABE_ITO["vermillion"], "s"), (OKABE_ITO["blue"], "o"))
"""How the forget and the retain metric are drawn."""
DARK = 0.55
"""Above that share of its range a map's colour wants light numbers on it."""


def study_picture(table: StudyTable, forget: str, retain: str) -> Picture | None:
    """Return the picture that fits the number of swept fields; ``None`` where no point is known.

    Args:
        table: with both metrics in its rows.
        forget, retain: names of the two metrics that are shown, shares.
    """
    rows = [row for row in table.rows if _known(row, forget) and _known(row, retain)]
    if not rows:
        return None
    if len(table.fields) == 1:
        return _line_picture(rows, table, forget, retain)
    if len(table.fields) == 2 and _is_a_grid(rows, table.fields):
        return _map_picture(rows, table, forget, retain)
    return study_pareto(table, forget, retain)


def study_pareto(table: StudyTable, forget: str, retain: str) -> Picture | None:
    """Return forget against retain for every known point; ``None`` without one."""
    points = [
        TradeOff(_label(row, table.fields), row.metrics[forget], row.metrics[retain])
        for row in table.rows
        if _known(row, forget) and _known(row, retain)
    ]
    points += [
        TradeOff(title(model), metrics[forget], metrics[retain], model)
        for model, metrics in table.models.items()
        if forget in metrics and retain in metrics
    ]
    return pareto_picture(points)


def _known(row: StudyRow, metric: str) -> bool:
    return metric in row.metrics and row.metrics[metric].value is not None


def _label(row: StudyRow, fields: Sequence[str]) -> str:
    return ", ".join(f"{_short(field)} {written(row.values.get(field))}" for field in fields) or "the run"


def _short(field: str) -> str:
    return field.rpartition(".")[2]


def _is_a_grid(rows: Sequence[StudyRow], fields: Sequence[str]) -> bool:
    first, second = ({row.values.get(field) for row in rows} for field in fields)
    return len(first) > 1 and len(second) > 1 and 2 * len(rows) > len(first) * len(second)


def _order(values: set[Value]) -> list[Value]:
    return sorted(
        values,
        key=lambda value: (
            not isinstance(value, int | float),
            value if isinstance(value, int | float) else 0,
            str(value),
        ),
    )


def _line_picture(rows: Sequence[StudyRow], table: StudyTable, forget: str, retain: str) -> Picture:
    (field,) = table.fields
    values = _order({row.values[field] for row in rows})
    rows = sorted(rows, key=lambda row: values.index(row.values[field]))
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    x: list[Any] = values if numeric else list(range(len(values)))
    with canvas(WIDTH, 3.4) as figure:
        axes = figure.subplots()
        bare_axes(axes)
        told = []
        for (colour, shape), metric in zip(LINES, (forget, retain), strict=True):
            results = [row.metrics[metric] for row in rows]
            y = [100 * (result.value or 0.0) for result in results]
            low, high = zip(*(_ends(result) for result in results), strict=True)
            name = metric.partition("/")[0].replace("_", " ")
            axes.plot(x, y, color=colour, marker=shape, markersize=5, linestyle="-" if numeric else "", label=name)
            if numeric and len(x) > 1:
                axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
            else:
                axes.vlines(x, low, high, color=colour, alpha=0.4)
            told.append(
                f"{name}: " + ", ".join(f"{written(v)}: {bare(r)}" for v, r in zip(values, results, strict=True))
            )
            for model in ("base", "retrained"):
                beside = table.models.get(model, {}).get(metric)
                if beside is not None and beside.value is not None:
                    style = ":" if model == "base" else "--"
                    axes.axhline(100 * beside.value, color=colour, linewidth=0.9, linestyle=style)
        if numeric and len(values) > 2 and min(x) > 0 and max(x) / min(x) >= 50:
            axes.set_xscale("log")
        axes.set_xticks(x, [written(value) for value in values], minor=False)
        axes.set_ylim(-4, 104)
        axes.set_xlabel(field)
        axes.set_ylabel("right answers, %")
        others = "dotted: base, dashed: retrained" if "retrained" in table.models else "dotted: base"
        figure.legend(loc="outside upper left", ncols=2, frameon=False, title=others, alignment="left")
        alt = f"Right answers in per cent over {field}. {'; '.join(told)}."
        return Picture(to_svg(figure), alt, to_png(figure))


def _map_picture(rows: Sequence[StudyRow], table: StudyTable, forget: str, retain: str) -> Picture:
    across, down = table.fields
    columns, lines = (_order({row.values[field] for row in rows}) for field in (across, down))
    with canvas(2 * WIDTH * 0.72, 0.9 + 0.55 * len(lines) + 0.5) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        told = []
        for panel, metric, colours in zip(panels, (forget, retain), ("Oranges", "Blues"), strict=True):
            cells = np.full((len(lines), len(columns)), np.nan)
            for row in rows:
                at = lines.index(row.values[down]), columns.index(row.values[across])
                cells[at] = 100 * (row.metrics[metric].value or 0.0)
            name = metric.partition("/")[0].replace("_", " ")
            panel.imshow(cells, cmap=colours, aspect="auto", vmin=0, vmax=100, origin="lower")
            for (i, j), value in np.ndenumerate(cells):
                text = "missing" if np.isnan(value) else f"{value:.1f}"
                panel.text(j, i, text, ha="center", va="center", color="white" if value > 100 * DARK else INK)
            panel.set_title(f"right on {name}, %" + _beside(table, metric), loc="left", fontsize=9.5)
            panel.set_xticks(range(len(columns)), [written(value) for value in columns])
            panel.set_yticks(range(len(lines)), [written(value) for value in lines])
            panel.set_xlabel(across)
            panel.tick_params(length=0)
            panel.spines[:].set_visible(False)
            told.append(f"{name}: " + "; ".join(f"{_label(r, table.fields)}: {bare(r.metrics[metric])}" for r in rows))
        panels[0].set_ylabel(down)
        alt = f"Right answers in per cent over {across} and {down}. {'. '.join(told)}."
        return Picture(to_svg(figure), alt, to_png(figure))


def _beside(table: StudyTable, metric: str) -> str:
    known = {model: table.models[model].get(metric) for model in ("base", "retrained") if model in table.models}
    told = [f"{model} {bare(result)}" for model, result in known.items() if result is not None]
    return f"\n{', '.join(told)}" if told else ""


def _ends(result: MetricResult) -> tuple[float, float]:
    value = result.value or 0.0
    low, high = (value if end is None else end for end in (result.low, result.high))
    return 100 * max(low, 0.0), 100 * min(high, 1.0)
