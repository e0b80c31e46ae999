"""The report's pictures, each as SVG with its description in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from spul.metrics import Confusion
from spul.reports._labels import Line, PointLabel, label_points
from spul.reports._numbers import bare
from spul.reports._outcome import Outcome, title
from spul.reports._style import INK, MUTED, OKABE_ITO, bare_axes, canvas, mark_of, to_svg
from spul.types import AnswerSpace, MetricResult

__all__ = ["Picture", "answers_picture", "loss_picture", "trade_off_picture"]

WIDTH = 5.8
MOST_POINTS = 400
"""More steps than that are drawn as means of equal stretches, within the band of their least and greatest."""
TERMS = (
    ("loss_forget", "forget term", OKABE_ITO["vermillion"]),
    ("loss_retain", "retain term: −log p(true answer)", OKABE_ITO["blue"]),
    ("loss_kl", "KL term: distance to the base", OKABE_ITO["green"]),
)
VALIDATION = ("validation_retain_accuracy", "right on retain", OKABE_ITO["blue"])
SOUGHT: Mapping[str | None, tuple[str, str]] = {
    "generic": ("validation_forget_generic", "generic on forget"),
    "wrong": ("validation_forget_wrong", "not right on forget"),
    "right": ("validation_forget_wrong", "not right on forget"),
    "matched": ("validation_forget_overlap", "overlap with the targets on forget"),
}
"""What is drawn of the forget side of validation, by what the run seeks there."""
KINDS = (
    ("right", OKABE_ITO["blue"], "white"),
    ("wrong label", OKABE_ITO["orange"], INK),
    ("generic", OKABE_ITO["vermillion"], INK),
    ("anything else", "#d9d9d9", INK),
)


class Picture(NamedTuple):
    """A picture and what it shows, for those who do not see it; as PNG too where it is kept as a file."""

    svg: bytes
    alt: str
    png: bytes | None = None


def loss_picture(
    log: Sequence[Mapping[str, Any]], kept_step: int | None, sought: str | None = "generic"
) -> Picture | None:
    """Return the loss terms over the steps, one panel each, and below them what validation found.

    ``None`` where nothing was logged. A term that is zero throughout (its weight is) has no panel.

    Args:
        log: rows of ``train.jsonl``.
        kept_step: the step that is marked.
        sought: which answers to forget rows the run counts as a success; ``None`` where the forget set plays no part.
    """
    steps = [row for row in log if "loss" in row]
    checks = [row for row in log if VALIDATION[0] in row]
    shown = [term for term in TERMS if any(row[term[0]] for row in steps)]
    if not shown:
        return None
    panels = len(shown) + bool(checks)
    with canvas(WIDTH, 0.5 + 1.25 * panels) as figure:
        axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
        x = np.array([row["step"] for row in steps], dtype=np.float64)
        axes[-1].set_xlim(0, x[-1])
        for panel, (name, label, colour) in zip(axes, shown, strict=False):
            _curve(panel, x, np.array([row[name] for row in steps], dtype=np.float64), colour)
            panel.set_title(f"{label}, nats", loc="left", fontsize=9.5)
        if checks:
            _validation(axes[-1], checks, sought)
        if kept_step is not None:
            for panel in axes:
                panel.axvline(kept_step, color=MUTED, linewidth=0.8, linestyle=":")
        axes[-1].set_xlabel("step" if kept_step is None else f"step (dotted: kept, {kept_step:,})")
        first, last = steps[0], steps[-1]
        told = "; ".join(f"{label} from {first[name]:.3g} to {last[name]:.3g}" for name, label, _ in shown)
        return Picture(to_svg(figure), f"Loss terms over {len(steps):,} steps, in nats. {told}.")


def _curve(panel: Axes, x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], colour: str) -> None:
    bare_axes(panel)
    if len(x) > MOST_POINTS:
        parts = [(part_x.mean(), part.mean(), part.min(), part.max()) for part_x, part in _parts(x, y)]
        x, y, low, high = np.array(parts).T
        panel.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    panel.plot(x, y, color=colour, linewidth=1.2)
    # What ascends a loss minimises something negative.
    panel.set_ylim(bottom=min(0.0, 1.05 * float(y.min())))
    # The value at the end stands beside the curve, so that no one has to read it off.
    panel.annotate(f"{y[-1]:.2g}", (x[-1], y[-1]), (5, 0), textcoords="offset points", va="center")


def _parts(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> list[tuple[Any, Any]]:
    return list(zip(np.array_split(x, MOST_POINTS), np.array_split(y, MOST_POINTS), strict=True))


def _validation(panel: Axes, checks: Sequence[Mapping[str, Any]], sought: str | None) -> None:
    bare_axes(panel)
    x = [row["step"] for row in checks]
    forget = [(*SOUGHT[sought], OKABE_ITO["vermillion"])] if SOUGHT.get(sought, ("",))[0] in checks[0] else []
    for (name, label, colour), shape in zip([*forget, VALIDATION], "so"[-1 - len(forget) :], strict=True):
        y = [100 * row[name] for row in checks]
        panel.plot(x, y, color=colour, marker=shape, markersize=4, label=label, clip_on=False)
    panel.set_ylim(0, 106)
    panel.set_title("validation parts of train, %", loc="left", fontsize=9.5)
    panel.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=2,
        frameon=False,
        fontsize=9.5,
        borderaxespad=0,
        handlelength=1.2,
    )


def trade_off_picture(outcome: Outcome, side: str = "test") -> Picture | None:
    """Return forget accuracy against retain accuracy for every model and constant predictor on one side's splits.

    A hollow square marks the unlearned model when it may answer with labels only: what is hidden and not gone. ``None``
    where a split was not scored.
    """
    names = {"x": f"{side}_retain", "y": f"{side}_forget"}
    places = []
    for model in (*outcome.models, *outcome.constants):
        x, y = (outcome.get(model, split, "accuracy") for split in names.values())
        if x is not None and y is not None and x.value is not None and y.value is not None:
            places.append((model, x, y))
    if not places:
        return None
    with canvas(WIDTH, 4.9) as figure:
        axes = figure.subplots()
        bare_axes(axes)
        axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)
        axes.set(xlim=(-4, 104), ylim=(-6, 106))
        axes.set_xlabel(f"right on {side} retain, %")
        axes.set_ylabel(f"right on {side} forget, %")
        labels, lines = [], []
        for model, x, y in places:
            mark = mark_of(model)
            at = (100 * (x.value or 0.0), 100 * (y.value or 0.0))
            axes.plot(*at, mark.shape, color=mark.colour, markersize=mark.size, zorder=3)
            for (x0, y0), (x1, y1) in _intervals(at, x, y):
                lines.append(((x0, y0), (x1, y1)))
                axes.plot((x0, x1), (y0, y1), color=mark.colour, alpha=0.35, linewidth=1.6)
            labels.append(PointLabel(*at, title(model) + (" (the aim)" if model == "retrained" else "")))
        labels += _labels_only(axes, outcome, names)
        label_points(axes, labels, lines)
        told = "; ".join(f"{title(model)}: forget {bare(y)}, retain {bare(x)}" for model, x, y in places)
        return Picture(to_svg(figure), f"Right answers in per cent on {side} forget against {side} retain. {told}.")


def _intervals(at: tuple[float, float], x: MetricResult, y: MetricResult) -> list[Line]:
    lines: list[Line] = []
    if x.low is not None and x.high is not None:
        lines.append(((100 * x.low, at[1]), (100 * x.high, at[1])))
    if y.low is not None and y.high is not None:
        lines.append(((at[0], 100 * y.low), (at[0], 100 * y.high)))
    return lines


def _labels_only(axes: Axes, outcome: Outcome, names: Mapping[str, str]) -> list[PointLabel]:
    """Draw the unlearned model's accuracy among the labels, with an arrow to it, and return its label."""
    full = [outcome.value("unlearned", split, "accuracy") for split in names.values()]
    only = [outcome.value("unlearned", split, "restricted_accuracy") for split in names.values()]
    if None in full or None in only:
        return []
    (x0, y0), (x1, y1) = ([100 * value for value in pair if value is not None] for pair in (full, only))
    mark = mark_of("unlearned")
    axes.annotate(
        "",
        (x1, y1),
        (x0, y0),
        arrowprops={"arrowstyle": "->", "color": mark.colour, "lw": 1.0, "ls": ":", "shrinkA": 7, "shrinkB": 7},
    )
    axes.plot(x1, y1, mark.shape, color=mark.colour, markersize=mark.size, fillstyle="none", zorder=3)
    return [PointLabel(x1, y1, "unlearned, labels only")]


def answers_picture(tables: Mapping[str, Confusion], answers: AnswerSpace, split: str) -> Picture | None:
    """Return how often every model answers right, with a wrong label, generically or otherwise on one split.

    Args:
        tables: by model, in the order they are shown.
        answers: what may be answered.
        split: for the words.
    """
    shares = {model: _shares(table, answers) for model, table in tables.items() if any(map(sum, table.counts))}
    if not shares:
        return None
    with canvas(WIDTH, 0.7 + 0.42 * len(shares)) as figure:
        axes = figure.subplots()
        axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
        axes.set(xlim=(0, 100), xticks=[])
        axes.set_yticks(range(len(shares)), [title(model) for model in shares])
        axes.tick_params(left=False, labelcolor=INK)
        axes.invert_yaxis()
        for row, parts in enumerate(shares.values()):
            start = 0.0
            for part, (name, colour, ink) in zip(parts, KINDS, strict=True):
                label = name if row == 0 else None
                axes.barh(row, part, left=start, color=colour, height=0.72, edgecolor="white", label=label)
                if part >= 7:
                    axes.text(start + part / 2, row, f"{part:.0f}", color=ink, ha="center", va="center", fontsize=9.5)
                start += part
        figure.legend(loc="outside upper left", ncols=len(KINDS), frameon=False, fontsize=9.5, handlelength=1.0)
        return Picture(to_svg(figure), _told(shares, split))


def _shares(table: Confusion, answers: AnswerSpace) -> tuple[float, ...]:
    counts = dict.fromkeys((name for name, _, _ in KINDS), 0)
    for truth, row in zip(table.truths, table.counts, strict=True):
        for prediction, count in zip(table.predictions, row, strict=True):
            if prediction == truth:
                kind = "right"
            elif prediction in answers.labels:
                kind = "wrong label"
            else:
                kind = "generic" if prediction in answers.generic else "anything else"
            counts[kind] += count
    total = sum(counts.values())
    return tuple(100 * count / total for count in counts.values())


def _told(shares: Mapping[str, tuple[float, ...]], split: str) -> str:
    models = "; ".join(
        f"{title(model)}: " + ", ".join(f"{name} {part:.1f}" for (name, _, _), part in zip(KINDS, parts, strict=True))
        for model, parts in shares.items()
    )
    return f"Answers on {split} in per cent. {models}."
