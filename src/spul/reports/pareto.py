"""What is forgotten against what is kept, over many points, with those that no other beats."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from matplotlib.axes import Axes

from spul.reports._labels import Line, PointLabel, label_points
from spul.reports._numbers import bare
from spul.reports._outcome import Outcome, title
from spul.reports._style import MUTED, OKABE_ITO, Mark, bare_axes, canvas, mark_of, to_png, to_svg
from spul.reports.pictures import WIDTH, Picture
from spul.types import MetricResult

__all__ = ["TradeOff", "front", "pareto_picture", "trade_offs"]

MOST_LABELS = 24
"""More points than that are labelled on the front alone."""
BESIDE = ("base", "retrained")


class TradeOff(NamedTuple):
    """A point: how much is right on forget, where less is aimed for, and on retain, where more is.

    ``model`` is ``unlearned`` for what is compared, or the name of a model that stands beside it.
    """

    label: str
    forget: MetricResult
    retain: MetricResult
    model: str = "unlearned"

    @property
    def at(self) -> tuple[float, float]:
        """Return retain and forget accuracy in per cent."""
        return 100 * (self.retain.value or 0.0), 100 * (self.forget.value or 0.0)


def front(points: Sequence[TradeOff]) -> list[TradeOff]:
    """Return the points that no other beats, by retain accuracy.

    One beats another where it keeps at least as much and forgets at least as much, and one of both more.
    """

    def beaten(one: TradeOff) -> bool:
        x, y = one.at
        return any(other.at != one.at and other.at[0] >= x and other.at[1] <= y for other in points)

    return sorted((point for point in points if not beaten(point)), key=lambda point: (point.at[0], point.at[1]))


def trade_offs(outcomes: Sequence[tuple[str, Outcome]], side: str = "test") -> list[TradeOff]:
    """Return the unlearned models of several runs, and base and retrained models beside them, equal ones once."""
    found: dict[tuple[str, float, float], TradeOff] = {}
    for name, outcome in outcomes:
        for model in ("unlearned", *BESIDE):
            forget, retain = (outcome.get(model, f"{side}_{part}", "accuracy") for part in ("forget", "retain"))
            if forget is None or retain is None or forget.value is None or retain.value is None:
                continue
            point = TradeOff(name if model == "unlearned" else title(model), forget, retain, model)
            found.setdefault((point.label, *point.at), point)
    return list(found.values())


def pareto_picture(points: Sequence[TradeOff], side: str = "test", what: str = "right answers") -> Picture | None:
    """Return forget against retain accuracy in per cent; ``None`` without an unlearned model.

    A step line joins the points that no other beats. Base and retrained model are marked; they take no part in it.

    Args:
        points: what is drawn.
        side: ``train`` or ``test``.
        what: the share that the points are of, in words.
    """
    compared = [point for point in points if point.model == "unlearned"]
    if not compared:
        return None
    best = front(compared)
    with canvas(WIDTH, 4.9) as figure:
        axes = figure.subplots()
        bare_axes(axes)
        axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)
        axes.set_xlim(*_limits([value for point in points for value in _ends(point.retain)]))
        axes.set_ylim(*_limits([value for point in points for value in _ends(point.forget)]))
        for axis in (axes.xaxis, axes.yaxis):
            # Labels need room beyond the ends of what a share can be; ticks there would be of nothing.
            axis.set_ticks([tick for tick in axis.get_ticklocs() if 0 <= tick <= 100])
        axes.set_xlabel(f"{what} on {side} retain, %  (more is kept →)")
        axes.set_ylabel(f"{what} on {side} forget, %  (← less is shown)")
        x, y = zip(*(point.at for point in best), strict=True)
        axes.step(x, y, where="pre", color=MUTED, linewidth=1.2, zorder=2, label="no point beats these")
        lines = _steps([point.at for point in best])
        for point in points:
            lines += _draw(axes, point, point in best)
        named = best if len(compared) > MOST_LABELS else compared
        labels = [PointLabel(*point.at, point.label) for point in named]
        labels += [
            PointLabel(*point.at, point.label + (" (the aim)" if point.model == "retrained" else ""))
            for point in points
            if point not in compared
        ]
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderaxespad=0.2)
        label_points(axes, labels, lines)
        told = "; ".join(f"{p.label}: forget {bare(p.forget)}, retain {bare(p.retain)}" for p in points)
        on = "; ".join(point.label for point in best)
        subject = f"{what[0].upper()}{what[1:]} in per cent on {side} forget against {side} retain"
        alt = f"{subject}. {told}. No point beats: {on}."
        return Picture(to_svg(figure), alt, to_png(figure))


def _draw(axes: Axes, point: TradeOff, on_front: bool) -> list[Line]:
    mark = mark_of(point.model) if point.model != "unlearned" else Mark(OKABE_ITO["vermillion"], "s", 7.0)
    x, y = point.at
    lines: list[Line] = []
    for low, high in (_ends(point.retain),):
        lines.append(((low, y), (high, y)))
    for low, high in (_ends(point.forget),):
        lines.append(((x, low), (x, high)))
    for (x0, y0), (x1, y1) in lines:
        axes.plot((x0, x1), (y0, y1), color=mark.colour, alpha=0.3, linewidth=1.4, zorder=1)
    fill = "full" if on_front or point.model != "unlearned" else "none"
    axes.plot(x, y, mark.shape, color=mark.colour, markersize=mark.size, fillstyle=fill, zorder=3)
    return lines


def _steps(points: Sequence[tuple[float, float]]) -> list[Line]:
    """Return the pieces of the step line: up from every point but the last, and on to the next."""
    lines: list[Line] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        lines += [((x0, y0), (x0, y1)), ((x0, y1), (x1, y1))]
    return lines


def _ends(result: MetricResult) -> tuple[float, float]:
    value = result.value or 0.0
    low, high = (value if end is None else end for end in (result.low, result.high))
    # A t interval of few seeds can leave what a share can be.
    return 100 * max(low, 0.0), 100 * min(high, 1.0)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """Return limits around the values, with room for labels; never less than ten points apart."""
    low, high = min(values), max(values)
    margin = max(0.12 * (high - low), (10 - (high - low)) / 2, 2.0)
    return low - margin, high + margin
