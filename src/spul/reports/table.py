"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from spul.reports._numbers import bare, interval, scientific, size, whole
from spul.reports._outcome import SHOWN_SPLITS, Outcome, split_title, title
from spul.runs import Run
from spul.types import MetricResult

__all__ = ["cost_table", "metrics_table", "results_table"]

SECTIONS = (
    ("accuracy", "right answers, %", True),
    ("restricted_accuracy", "right answers among the task's labels only, %", False),
    ("rouge:l_recall", "words of the true answer that are written, in order, % (ROUGE-L recall)", False),
    ("exact_memorization", "tokens of the true answer that are the most probable, %", False),
    ("probability", "probability of the true answer per token, %", False),
    ("generic_rate", "generic answers, % of what has a label or a text for truth", False),
)
"""Metric, heading, and whether constant predictors stand beside the models. What was not measured has no table."""
MEMBERSHIP = (
    ("", "membership_auc", "by the loss of the truth"),
    ("", "membership_auc_generic", "by the probability of a generic answer"),
)
MEMBERSHIP_HEADING = "can train forget be told from test forget? AUC of membership inference; 0.5: no"
LEARNED = (
    ("test_forget", "generic_rate", "test forget"),
    ("test_forget_replaced", "generic_rate", "with other names"),
    ("test_retain", "generic_rate_length_matched", "test retain of like length"),
)
LEARNED_HEADING = "is it the name that is hidden, or how texts look? generic answers, %"
GATE_SECTION = ("gate_rate", "in the gate's scope, %: what the prompt is applied to", False)
UNLEARNED = ("unlearned", "unlearned_gated")
WIDEST_CELL = len("100.0 (92.6–100.0)")
LEAST_CELL = len("(92.6–100.0)")


class ResultsTable:
    """Models × four splits; intervals stand under the numbers where the terminal is too narrow for both on a line."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        models = (*self._outcome.models, *self._outcome.constants)
        names = max(len(title(model)) for model in models)
        between = " " if options.max_width >= names + len(SHOWN_SPLITS) * (WIDEST_CELL + 1) else "\n"
        gated = (GATE_SECTION,) if "unlearned_gated" in models else ()
        for metric, heading, with_constants in (*SECTIONS, *gated):
            if not self._outcome.has(metric):
                continue
            yield Text(heading, style="bold")
            table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
            table.add_column("", min_width=names)
            for split in SHOWN_SPLITS:
                table.add_column(split_title(split), justify="right", min_width=LEAST_CELL)
            shown = self._outcome.models if metric != "gate_rate" else ("unlearned_gated",)
            for model in shown + (self._outcome.constants if with_constants else ()):
                cells = [_cell(self._outcome.get(model, split, metric), between) for split in SHOWN_SPLITS]
                table.add_row(Text(title(model), style="bold" if model in UNLEARNED else ""), *cells)
            yield table
            yield ""
        if any(self._outcome.get(model, "test_forget_replaced", "generic_rate") for model in models):
            yield Text(LEARNED_HEADING, style="bold")
            yield self._by_columns(names, LEARNED)
            yield ""
        yield Text(MEMBERSHIP_HEADING, style="bold")
        yield self._by_columns(names, MEMBERSHIP)
        yield ""
        if self._outcome.grouped:
            yield self._outcome.grouped
        if gated:
            yield "Unlearned: the prompt for every query. Unlearned, gated: for those in scope, else the base."
        if "unlearned" in models and self._outcome.prompted:
            yield "The prompt suppresses; it does not erase: leave it out, and the base is back."

    def _by_columns(self, names: int, columns: Sequence[tuple[str, str, str]]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
        table.add_column("", min_width=names)
        for _, _, heading in columns:
            table.add_column(heading, justify="right")
        for model in self._outcome.models:
            cells = [_cell(self._outcome.get(model, split, metric), " ") for split, metric, _ in columns]
            table.add_row(Text(title(model), style="bold" if model in UNLEARNED else ""), *cells)
        return table


def results_table(run: Run) -> RenderableType:
    """Return models × four splits: accuracy, accuracy among the labels, generic rate; and membership inference.

    Every number has its 95 % interval.

    Raises:
        RunError: the run was not evaluated.
    """
    return ResultsTable(Outcome.of(run))


def metrics_table(metrics: Mapping[str, MetricResult]) -> RenderableType:
    """Return every number with its interval and n, or why it is undefined; undefined gaps are left out."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("where", "metric", "value", "95 %", "n", "unit"):
        table.add_column(heading, justify="right" if heading in ("value", "n") else "left", overflow="fold")
    for key, result in metrics.items():
        where, _, metric = key.rpartition("/")
        if result.value is not None:
            cells = (f"{result.value:.4g}", _ends(result), f"{result.n:,}", result.unit)
        elif metric.startswith("unlearning_gap:"):
            continue
        else:
            cells = ("–", result.reason or "", f"{result.n:,}", result.unit)
        table.add_row(*(Text(cell) for cell in (where, metric, *cells)))
    return table


def _ends(result: MetricResult) -> str:
    return "" if result.low is None or result.high is None else f"{result.low:.4g} to {result.high:.4g}"


def cost_table(runs: Sequence[Run]) -> RenderableType:
    """Return what every run cost: time, steps, speed, operations, trained parameters, what is kept, peak memory."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("run", overflow="fold")
    for heading in ("seconds", "s/epoch", "steps", "tokens/s", "FLOPs", "trained", "kept", "peak memory"):
        table.add_column(heading, justify="right")
    for run in runs:
        cost = run.cost
        table.add_row(
            Text(run.config.name or run.config.method),
            _seconds(cost.get("seconds")),
            _seconds(cost.get("seconds_per_epoch")),
            whole(cost.get("steps")),
            whole(cost.get("tokens_per_second")),
            scientific(cost.get("training_flops")),
            whole(cost.get("trained_parameters")),
            size(cost.get("artefact_bytes")),
            size(cost.get("peak_memory_bytes")),
        )
    return table


def _seconds(value: float | int | str | None) -> str:
    return f"{value:,.1f}" if isinstance(value, int | float) else whole(None)


def _cell(result: MetricResult | None, between: str) -> Text:
    text = Text(bare(result))
    if result is not None and result.value is not None and interval(result):
        text.append(between).append(interval(result), style="dim")
    return text
