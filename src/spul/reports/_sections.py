"""The report's tables, as words in cells: everything that the HTML template shows is made here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from spul.metrics import Confusion
from spul.reports._numbers import UNDEFINED, bare, interval, scientific, size, whole
from spul.reports._outcome import SHOWN_SPLITS, Outcome, split_title, title
from spul.runs import Run
from spul.types import MetricResult

__all__ = [
    "Cell",
    "Table",
    "confusion_table",
    "cost_rows",
    "gap_table",
    "gate_table",
    "learned_table",
    "main_tables",
    "membership_tables",
    "more_tables",
    "overview_table",
    "removal_table",
]

SCORES = (
    ("loss", "membership_auc", "By the loss of the truth"),
    ("generic", "membership_auc_generic", "By the probability of a generic answer"),
)
FALSE_POSITIVE_RATES = ("0.001", "0.01", "0.05")


@dataclass(frozen=True)
class Cell:
    """A number or a heading: what is written large, what is written small below it, and why a number is missing."""

    text: str
    small: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under headings; the first entry of a row is its heading.

    Attributes:
        caption: what the numbers are.
        head: the columns' headings.
        rows: heading and cells.
        marked: headings of rows that are set off.
        notes: reasons for numbers that are missing, said once.
    """

    caption: str
    head: tuple[Cell, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    marked: tuple[str, ...] = ("unlearned", "unlearned, gated")

    @property
    def notes(self) -> list[str]:
        """The reasons of what is undefined, each once."""
        return list(dict.fromkeys(cell.reason for _, cells in self.rows for cell in cells if cell.reason))


MAIN = (
    ("accuracy", "Right answers, %: every answer of the vocabulary is allowed", True),
    (
        "restricted_accuracy",
        "Right answers among the task’s labels only, %: what a generic answer on top can hide",
        False,
    ),
    ("rouge:l_recall", "Words of the true answer that are written, in their order, % (ROUGE-L recall)", False),
    ("probability", "Probability of the true answer per token, %", False),
    ("generic_rate", "Generic answers, % of the examples whose truth is not generic itself", False),
)
MORE = (
    ("weighted_f1", "Weighted F1, % (the paper’s second number; an answer outside the labels is wrong)", True),
    ("balanced_accuracy", "Balanced accuracy, % (mean over the classes)", True),
    ("out_of_label_rate", "Answers that are neither a label nor generic, %", False),
    ("most_common_answer_rate", "The answer that is given most often, % (near 100, the model is a constant)", False),
    ("exact_memorization", "Tokens of the true answer that are the most probable, %", False),
    ("extraction_strength", "Extraction strength, %: how much of the answer follows by itself", False),
    ("truth_ratio:geometric", "Truth ratio, %: min(R, 1/R) on forget splits, max(0, 1 − R) on the others", False),
    ("repetition_rate", "Repeated runs of four words in what is written, %", False),
    ("empty_answer_rate", "Empty answers, %", False),
    ("nll", "Loss of the truth, nats per token", False),
)
GAPS = (
    ("unlearning_gap:accuracy", "right answers, points"),
    ("unlearning_gap:weighted_f1", "weighted F1, points"),
    ("unlearning_gap:restricted_accuracy", "right among labels, points"),
    ("unlearning_gap:rouge:l_recall", "ROUGE-L recall, points"),
    ("unlearning_gap:probability", "probability of the true answer, points"),
    ("unlearning_gap:generic_rate", "generic answers, points"),
    ("unlearning_gap:nll", "loss of the truth, nats"),
    ("loss_ks", "distribution of the losses (Kolmogorov–Smirnov, 0 to 1)"),
)


def main_tables(outcome: Outcome) -> list[Table]:
    """Return models × splits for the three numbers that belong side by side."""
    return [_models_by_splits(outcome, *metric) for metric in MAIN if outcome.has(metric[0])]


def more_tables(outcome: Outcome) -> list[Table]:
    """Return models × splits for the other numbers."""
    return [_models_by_splits(outcome, *metric) for metric in MORE if outcome.has(metric[0])]


def removal_table(outcome: Outcome) -> Table | None:
    """Return what leaving out the prompt restores; ``None`` without a prompt or without the two models."""
    if not outcome.prompted or not {"unlearned", "base"} <= set(outcome.models):
        return None
    rows = tuple(
        (
            split_title(split),
            (
                _cell(outcome.get("unlearned", split, "accuracy")),
                _cell(outcome.get("base", split, "accuracy")),
                _cell(outcome.get("unlearned", split, "nll")),
                _cell(outcome.get("base", split, "nll")),
            ),
        )
        for split in SHOWN_SPLITS
    )
    states = ("with the prompt", "prompt removed")
    head = tuple(Cell(state, number) for number in ("right answers, %", "loss of the truth, nats") for state in states)
    return Table("With the prompt, and with the prompt removed", head, rows)


def gap_table(outcome: Outcome) -> Table | None:
    """Return the distance to the retrained model, beside the base's; ``None`` without an unlearned model."""
    models = [model for model in ("base", "unlearned", "unlearned_gated") if model in outcome.models]
    if "unlearned" not in models:
        return None
    rows = tuple(
        (
            f"{title(model)}: {label}",
            tuple(_cell(outcome.get(model, split, metric)) for split in SHOWN_SPLITS),
        )
        for metric, label in GAPS
        if outcome.has(metric)
        for model in models
    )
    marked = tuple(heading for heading, _ in rows if heading.startswith("unlearned"))
    caption = "Unlearning gap: distance to the model retrained without the forget set; 0 is perfect"
    return Table(caption, tuple(Cell(split_title(split)) for split in SHOWN_SPLITS), rows, marked)


def gate_table(outcome: Outcome) -> Table | None:
    """Return which share of every split the scope gate takes for in scope; ``None`` without a gate."""
    if "unlearned_gated" not in outcome.models:
        return None
    sides = (("train", "train_retain"), ("test", "test_retain"))
    rates = tuple(_cell(outcome.get("unlearned_gated", split, "gate_rate")) for split in SHOWN_SPLITS)
    rows: list[tuple[str, tuple[Cell, ...]]] = [("in scope, %", rates)]
    for heading, metric in (("AUC", "gate_auc"), ("AUC, like lengths", "gate_auc:length_matched")):
        found = {side: _cell(outcome.get("unlearned_gated", split, metric)) for side, split in sides}
        # One number tells forget from retain of a side, so it stands once.
        rows.append((heading, (found["train"], found["test"], Cell(""), Cell(""))))
    caption = "The scope gate: what the prompt is applied to, and how well its detector tells forget from retain"
    return Table(caption, tuple(Cell(split_title(split)) for split in SHOWN_SPLITS), tuple(rows), ())


def learned_table(outcome: Outcome) -> Table | None:
    """Return generic rates where only a name differs, and where only the lengths do not; ``None`` without the first."""
    models = [m for m in outcome.models if outcome.get(m, "test_forget_replaced", "generic_rate") is not None]
    if not models:
        return None
    columns = (
        (Cell("test forget"), "test_forget", "generic_rate"),
        (Cell("test forget", "with other names"), "test_forget_replaced", "generic_rate"),
        (Cell("test retain", "as long as forget"), "test_retain", "generic_rate_length_matched"),
        (Cell("test retain"), "test_retain", "generic_rate"),
    )
    rows = tuple(
        (title(m), tuple(_cell(outcome.get(m, split, metric)) for _, split, metric in columns)) for m in models
    )
    return Table(
        "Generic answers, %: is it the name that is hidden, or long texts and texts known by heart?",
        tuple(head for head, _, _ in columns),
        rows,
    )


def membership_tables(outcome: Outcome) -> list[Table]:
    """Return, for each score, AUC, its distance to the retrained model's, and members found at few false alarms."""
    found = (Cell("members found, %", f"at {100 * float(rate):g} % false alarms") for rate in FALSE_POSITIVE_RATES)
    head = (Cell("AUC"), Cell("distance", "to retrained"), *found)
    return [Table(caption, head, tuple(_membership_rows(outcome, by, metric))) for by, metric, caption in SCORES]


def _membership_rows(outcome: Outcome, by: str, metric: str) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    for model in outcome.models:
        keys = (metric, f"unlearning_gap:{metric}", *(f"membership_tpr:{by}@{rate}" for rate in FALSE_POSITIVE_RATES))
        yield title(model), tuple(_cell(outcome.get(model, "", key)) for key in keys)


def confusion_table(table: Confusion, split: str) -> Table:
    """Return counts of answers by truth."""
    rows = tuple(
        (truth, tuple(Cell(whole(count)) for count in counts))
        for truth, counts in zip(table.truths, table.counts, strict=True)
    )
    return Table(
        f"Truth (rows) and answer (columns), {split_title(split)}", tuple(map(Cell, table.predictions)), rows, ()
    )


def overview_table(runs: Sequence[tuple[str, Outcome, Run]]) -> Table:
    """Return the unlearned model of every run in a row."""
    columns: tuple[tuple[Cell, Callable[[Outcome], MetricResult | None]], ...] = (
        (Cell("right, %", "test forget"), lambda o: o.get("unlearned", "test_forget", "accuracy")),
        (Cell("among labels, %", "test forget"), lambda o: o.get("unlearned", "test_forget", "restricted_accuracy")),
        (Cell("generic, %", "test forget"), lambda o: o.get("unlearned", "test_forget", "generic_rate")),
        (Cell("right, %", "test retain"), lambda o: o.get("unlearned", "test_retain", "accuracy")),
        (
            Cell("gap to retrained", "right, test forget"),
            lambda o: o.get("unlearned", "test_forget", "unlearning_gap:accuracy"),
        ),
        (Cell("membership AUC", "by the loss"), lambda o: o.get("unlearned", "", "membership_auc")),
    )
    rows = tuple(
        (
            name,
            (
                *(_cell(read(outcome)) for _, read in columns),
                Cell(_seconds(run.cost.get("seconds"))),
                Cell(whole(run.cost.get("trained_parameters"))),
            ),
        )
        for name, outcome, run in runs
    )
    head = (*(heading for heading, _ in columns), Cell("seconds"), Cell("trained", "parameters"))
    return Table("The unlearned model of every run", head, rows, ())


def cost_rows(run: Run) -> list[tuple[str, str]]:
    """Return what the run cost, named."""
    cost = run.cost
    search = cost.get("search_seconds")
    return [
        *([("Search for the learning rate", f"{_seconds(search)} seconds")] if search is not None else []),
        ("Training", f"{_seconds(cost.get('seconds'))} seconds, {whole(cost.get('steps'))} steps"),
        ("An epoch", f"{_seconds(cost.get('seconds_per_epoch'))} seconds, {whole(cost.get('steps_per_epoch'))} steps"),
        ("Tokens", f"{whole(cost.get('tokens'))}, {whole(cost.get('tokens_per_second'))} a second"),
        ("Floating-point operations", f"{scientific(cost.get('training_flops'))} by formula"),
        ("Share of the matrix-product rate", _matmul(run)),
        ("Accelerator", f"{_seconds(cost.get('accelerator_seconds'))} seconds"),
        ("Trained parameters", whole(cost.get("trained_parameters"))),
        ("Kept on disk", size(cost.get("artefact_bytes"))),
        ("Peak memory", size(cost.get("peak_memory_bytes"))),
        ("Device", str(cost.get("device") or UNDEFINED)),
    ]


def _models_by_splits(outcome: Outcome, metric: str, caption: str, with_constants: bool) -> Table:
    models = outcome.models + (outcome.constants if with_constants else ())
    rows = tuple(
        (title(model), tuple(_cell(outcome.get(model, split, metric)) for split in SHOWN_SPLITS)) for model in models
    )
    counts = [_count(outcome, split, metric) for split in SHOWN_SPLITS]
    head = tuple(Cell(split_title(split), f"n = {count}") for split, count in zip(SHOWN_SPLITS, counts, strict=True))
    return Table(caption, head, rows)


def _count(outcome: Outcome, split: str, metric: str) -> str:
    found = {result.n for model in outcome.models if (result := outcome.get(model, split, metric)) is not None}
    return " / ".join(f"{n:,}" for n in sorted(found)) or "0"


def _cell(result: MetricResult | None) -> Cell:
    if result is None:
        return Cell(UNDEFINED)
    if result.value is None:
        return Cell(UNDEFINED, reason=result.reason or "")
    return Cell(bare(result), interval(result))


def _matmul(run: Run) -> str:
    """Return the share of what the machine's own product of matrices reaches, and what that is."""
    share, rate = (run.cost.get(f"matmul_{name}") for name in ("share", "flops_per_second"))
    if not isinstance(share, int | float) or not isinstance(rate, int | float):
        return f"{UNDEFINED} ({run.cost.get('matmul_reason') or 'it was not measured'})"
    threads = run.manifest.facts.get("num_threads")
    of = f", {threads} CPU thread(s)" if run.cost.get("device") == "cpu" and threads else ""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}% of {scientific(rate)} a second ({run.cost.get('matmul_dtype')}{of})"


def _seconds(value: float | int | str | None) -> str:
    return f"{value:,.1f}" if isinstance(value, int | float) else UNDEFINED
