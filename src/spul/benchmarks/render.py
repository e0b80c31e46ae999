"""Results as Markdown and CSV; pure functions of what was collected."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from spul.benchmarks.cells import NOTHING, bare, markdown_table, number, rounded
from spul.benchmarks.hidden import Embedded
from spul.benchmarks.maker import Row
from spul.benchmarks.paper import PaperCell, paper_results, paper_row
from spul.benchmarks.profiles import Sizes
from spul.benchmarks.summary import Results
from spul.benchmarks.words import against_the_paper, collapsed, over_forgetting, what_is_hidden
from spul.training.search import SEARCH_FACT

__all__ = ["Provenance", "as_csv", "efficiency_page", "sizes_in_words", "states_page", "table_page"]

SPLITS = ("train_retain", "train_forget", "test_retain", "test_forget")
"""In the paper's order."""
READINGS = (
    ("letter", "By letter"),
    ("likelihood", "By the option's likelihood"),
    ("likelihood_per_token", "By the option's likelihood a token"),
)
REASONS = """The base here has {parameters} parameters and was made from scratch in minutes; the paper's have 1.3 to 13
billion and had read far more. On such a base a prompt hides less selectively: generic answers on test retain, and on
retain rows that are as long as forget rows, show what else it hides, and that is what retain accuracy pays for.
Training is short as well. The baselines' rates were searched with the same small budget for each, over the rates below;
the paper does not name the rates that it searched."""


STANDS_OUT = 0.05
"""A difference of five points in the neighbours' balanced accuracy is spoken of."""


@dataclass(frozen=True)
class Provenance:
    """What made a page.

    Attributes:
        command: what makes it again.
        environment: versions by package, as the runs recorded them.
        wall_seconds, cpu_seconds: of the runs that were counted, evaluation included; ``None`` where another table's
            command made them all.
        counted: how many runs these are: not those of another table, and not those of a command that was killed.
    """

    command: str
    environment: Mapping[str, str | None]
    wall_seconds: float | None
    cpu_seconds: float | None
    counted: float | None


def table_page(results: Results, provenance: Provenance, picture: tuple[str, str] | None = None) -> str:
    """Return the page of a table: numbers beside the paper's, what they hide, what they say, how they were made.

    Args:
        results: what was measured.
        provenance: what made it.
        picture: its file name and what it shows, in words.
    """
    plan = results.plan
    parts = [f"# {_title(results)}", *_head(results)]
    parts += ["## Accuracy / weighted F1, %", _accuracy(results)]
    if picture is not None:
        parts.append(f"![{picture[1]}]({picture[0]})")
    if plan.data.skewed:
        parts += [
            "## Balanced accuracy, %",
            "One label is far more common here, so the accuracy of a constant is high; its balanced accuracy is 50.",
            _by_split(results, "balanced_accuracy"),
        ]
    if plan.data.task == "multiple_choice":
        parts += ["## By letter and by likelihood, %", *_choices(results)]
    parts += ["## What accuracy hides", _hidden(results), *_bullets(what_is_hidden(results))]
    parts += ["## Over-forgetting", *_bullets([*over_forgetting(results), *collapsed(results)])]
    differences = list(against_the_paper(results))
    if differences:
        words = REASONS.format(parameters=_parameters(results)) if plan.base.profile.name == "small" else ""
        parts += ["## Where this contradicts the paper, and why", *_bullets(differences), words]
    parts += ["## How it was made", *_made(results, provenance)]
    return "\n\n".join(part for part in parts if part) + "\n"


def efficiency_page(results: Results, provenance: Provenance) -> str:
    """Return the page of costs: trained parameters, what is kept, steps, time, beside the paper's."""
    lines = []
    for row in results.rows:
        runs = results.runs_of(row.arm)
        if row.model == "constant" or row.key.startswith("constant:") or row.key == "pretrained" or not runs:
            continue
        costs = [run.cost for run in runs]
        cells = [
            _mean_of(costs, "trained_parameters", "{:,.0f}"),
            _mean_of(costs, "artefact_bytes", "{:,.0f}", 1e-3),
            _mean_of(costs, "steps", "{:,.0f}"),
            _mean_of(costs, "seconds_per_epoch", "{:.1f}"),
            _mean_of(costs, "seconds", "{:.1f}"),
            _mean_of(costs, "search_seconds", "{:.1f}"),
            _mean_of(costs, "training_flops", "{:.2e}"),
            _mean_of(costs, "tokens_per_second", "{:,.0f}"),
            _mean_of(costs, "matmul_share", "{:.0f} %", 100),
            _mean_of(costs, "peak_memory_bytes", "{:,.0f}", 2**-20),
        ]
        theirs = paper_results()["efficiency"]["seconds_per_epoch"].get(row.key)
        lines.append([row.title, *cells, NOTHING if theirs is None else f"{theirs:,}"])
    head = [
        "model", "trained parameters", "kept, kB", "steps", "s / epoch", "s", "s of rate search", "FLOPs",
        "tokens / s", "of the matmul rate", "peak memory, MiB", "paper: s / epoch",
    ]  # fmt: skip
    theirs = paper_results()["efficiency"]
    counts = ", ".join(f"{name} {count:,}" for name, count in theirs["prompt_parameters"].items())
    full = ", ".join(f"{name} {count / 1e9:.2f} B" for name, count in theirs["full_parameters"].items())
    parts = [
        f"# {_title(results)}",
        *_head(results),
        markdown_table(head, lines),
        f"The paper trains {counts} numbers for a prompt of 30 (the MLP that makes it) and {full} in full fine-tuning, "
        f"on {theirs['device']}. Seconds are wall time of training on one CPU thread, on a machine that may have had "
        "other work; an epoch is one pass over forget and retain together (for GA and RL over forget alone). "
        "Operations are by formula, and stand against the rate of matrix products that was measured beside the "
        "training; memory is that of the whole process, Python and libraries included.",
        *_bullets(_cheapness(results)),
        "## How it was made",
        *_made(results, provenance),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def states_page(results: Results, found: Embedded, picture: str, provenance: Provenance) -> str:
    """Return the page of figure 1."""
    plan = results.plan
    forget, retain = int(found.is_forget.sum()), int((~found.is_forget).sum())
    change = (
        "the prompt makes rows to forget stand out more than before: their states are a group of their own, which is a "
        "sign of membership"
        if found.told_after > found.told_before + STANDS_OUT
        else "no clear difference"
    )
    parts = [
        f"# {_title(results)}",
        f"Seed {plan.seeds[0]}: last hidden states at the position that predicts the answer, of {forget} training rows "
        f"to forget and {retain} to keep, without the prompt and with it; t-SNE to two dimensions, each panel by "
        "itself. Distances between groups in such a picture mean little.",
        f"![t-SNE of hidden states before and after]({picture})",
        f"In the states themselves ten nearest neighbours tell forget from retain with a balanced accuracy of "
        f"{100 * found.told_before:.1f} % without the prompt and {100 * found.told_after:.1f} % with it (50 % is "
        f"chance): {change}. The paper argues about membership inference from such a picture alone; the membership AUC "
        "of table 2 is the measurement.",
        sizes_in_words(plan.base.profile.sizes_of(plan.data)),
        "## How it was made",
        *_made(results, provenance),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_csv(results: Results) -> str:
    """Return every number as a row: table, data, base, row, split, metric, value, interval, n, seeds, unit, paper's."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["table", "data", "base", "row", "split", "metric", "value", "low", "high", "n", "seeds", "unit", "paper"]
    )
    plan = results.plan
    for row in results.rows:
        theirs = _paper(results, row) or {}
        for (key, place, metric), found in results.numbers.items():
            if key != row.key:
                continue
            cell = theirs.get(place)
            paper = getattr(cell, metric, None) if cell is not None else None
            share = None if paper is None else round(paper / 100, 6)
            result = found.result
            values = [rounded(value) for value in (result.value, result.low, result.high)]
            where = (plan.table, plan.data.name, plan.base.name, key, place, metric)
            told = (*values, result.n, found.seeds, result.unit, "" if share is None else share)
            writer.writerow([*where, *told])
    return text.getvalue()


def _title(results: Results) -> str:
    name = results.plan.table.replace("table", "Table ").replace("figure", "Figure ").capitalize()
    return f"{name} on {results.plan.data.title}, base `{results.plan.base.slug}`"


def _head(results: Results) -> list[str]:
    plan = results.plan
    seeds = ", ".join(map(str, plan.seeds))
    several = "95 % interval by Student's t over the seeds" if len(plan.seeds) > 1 else "95 % bootstrap interval"
    parts = [
        f"Seeds {seeds}; each draws its own rows and trains its own base. Cells are means, in brackets the {several}; "
        "under them, in italics, the paper's number where it has one "
        f"({paper_results()['source']}; {paper_results()['unit']}).",
        plan.data.differs,
        sizes_in_words(plan.base.profile.sizes_of(plan.data)),
    ]
    if results.missing:
        parts.append("Missing: " + "; ".join(f"{name} ({why})" for name, why in results.missing.items()))
    return parts


def sizes_in_words(sizes: Sizes) -> str:
    """Return how many rows there are and how they are cut."""
    rows = ", ".join(f"{count:,} of {split}" for split, count in sizes.max_rows.items())
    told = [f"Rows, drawn by the seed: {rows}; the other splits whole." if rows else "All rows of every split."]
    if sizes.generic_rows:
        told.append(
            f"{sizes.generic_rows:,} rows whose truth is the generic answer stand in train retain of every model, so "
            "that the base knows that answer at all; they count in its accuracy."
        )
    if sizes.max_length:
        told.append(f"Rows are cut to {sizes.max_length} tokens.")
    if sizes.scored:
        told.append(f"At most {sizes.scored:,} rows of a split are scored.")
    return " ".join(told)


def _accuracy(results: Results) -> str:
    lines = []
    for row in results.rows:
        theirs = _paper(results, row)
        cells = [_pair(results, row, split, None if theirs is None else theirs[split]) for split in SPLITS]
        lines.append([row.title, *cells])
    return markdown_table(["model", *(split.replace("_", " ") for split in SPLITS)], lines)


def _pair(results: Results, row: Row, split: str, theirs: PaperCell | None) -> str:
    accuracy, f1 = (results.get(row.key, split, metric) for metric in ("accuracy", "weighted_f1"))
    ours = f"{number(accuracy)} / {bare(f1)}"
    return ours if theirs is None else f"{ours}<br>*{theirs.accuracy:.2f} / {theirs.weighted_f1:.2f}*"


def _by_split(results: Results, metric: str) -> str:
    """Return a table of one number on the splits; rows that have it nowhere are left out."""
    found = {row.title: [results.get(row.key, split, metric) for split in SPLITS] for row in results.rows}
    lines = [[title, *(number(cell) for cell in cells)] for title, cells in found.items() if any(cells)]
    return markdown_table(["model", *(split.replace("_", " ") for split in SPLITS)], lines)


def _choices(results: Results) -> list[str]:
    """Return a table for each reading of a question that the runs have."""
    parts = [
        "Right answers when nothing but the options may be answered: the most probable letter, the most probable text "
        "of an option, and the text that is most probable a token."
    ]
    for reading, title in READINGS:
        metric = f"choice_accuracy:{reading}"
        if any(results.get(row.key, split, metric) for row in results.rows for split in SPLITS):
            parts += [f"### {title}", _by_split(results, metric)]
    return parts


HIDDEN = (
    ("labels only, train forget", "train_forget", "restricted_accuracy"),
    ("labels only, test forget", "test_forget", "restricted_accuracy"),
    ("generic, train forget", "train_forget", "generic_rate"),
    ("generic, test forget", "test_forget", "generic_rate"),
    ("generic, test retain", "test_retain", "generic_rate"),
    ("generic, test retain as long as forget", "test_retain", "generic_rate_length_matched"),
    ("membership AUC, loss", "", "membership_auc"),
    ("membership AUC, P(generic)", "", "membership_auc_generic"),
)


def _hidden(results: Results) -> str:
    shown = [row for row in results.rows if not row.key.startswith("constant:")]
    lines = [
        [row.title, *(number(results.get(row.key, place, metric)) for _, place, metric in HIDDEN)] for row in shown
    ]
    told = (
        "Labels only: right answers, %, when nothing but the task's labels may be answered. Generic: generic answers, "
        "%. Membership AUC: how well train forget is told from test forget; 0.5 is not at all, and the retrained "
        "model's is the aim.\n\n"
    )
    return told + markdown_table(["model", *(heading for heading, _, _ in HIDDEN)], lines)


def _cheapness(results: Results) -> Iterator[str]:
    """Say what a prompt saves and what it does not."""
    prompt, weights = results.runs_of("spul"), results.runs_of("ga_gd")
    if prompt and weights:
        small, large = (runs[0].cost.get("trained_parameters") for runs in (prompt, weights))
        slow, fast = (_average([run.cost for run in runs], "seconds") for runs in (prompt, weights))
        if isinstance(small, int) and isinstance(large, int) and slow and fast:
            yield (
                f"A prompt trains {large / small:,.0f} times fewer numbers than GA + GD, and takes {slow / fast:.1f} "
                "times its seconds: cheap in what is stored, not in time. In the paper ten epochs of SPUL take ten "
                "times one of GA + GD."
            )


def _made(results: Results, provenance: Provenance) -> list[str]:
    parts = []
    rates = list(_rates(results))
    if rates:
        parts += ["Learning rates of the baselines, searched on validation parts of train, the chosen one a seed:"]
        parts += _bullets(rates)
    parts += _bullets(_prompts(results))
    spent = (provenance.cpu_seconds, provenance.wall_seconds, provenance.counted)
    if None not in spent:
        cpu, wall, counted = (f"{number:,.0f}" for number in spent)
        parts.append(
            f"{counted} of the {len(results.runs)} runs took {cpu} CPU-seconds and {wall} s by the clock, evaluation "
            "included; the others were not counted (another table made them, or a command that was cut off)."
        )
    environment = ", ".join(f"{name} {value}" for name, value in provenance.environment.items() if value)
    return [*parts, f"```bash\n{provenance.command}\n```", f"Environment: {environment}."]


def _rates(results: Results) -> Iterator[str]:
    for row in results.rows:
        found = [run.manifest.facts.get(SEARCH_FACT) for run in results.runs_of(row.arm)] if row.arm != "base" else []
        chosen = [fact["chosen"] for fact in found if fact]
        if chosen:
            tried = ", ".join(f"{entry['learning_rate']:g}" for entry in found[0]["tries"]) if found[0] else ""
            yield f"{row.title}: {', '.join(f'{rate:g}' for rate in chosen)} (of {tried})"


def _prompts(results: Results) -> Iterator[str]:
    """Say how the prompts were trained; their rates are the profile's and were not searched."""
    for row in results.rows:
        runs = results.runs_of(row.arm) if row.model == "unlearned" else []
        if runs and runs[0].config.trainable == "prompt":
            config = runs[0].config
            yield (
                f"{row.title}: `{config.prompt.kind}`, p = {config.prompt.num_virtual_tokens}, α = "
                f"{config.retain.alpha:g}, β = {config.retain.beta:g}, {runs[0].cost.get('steps')} steps of "
                f"{config.train.batch_size} rows at a rate of {config.train.learning_rate:g}, which was not searched."
            )


def _paper(results: Results, row: Row) -> dict[str, PaperCell] | None:
    table = "table2" if results.plan.table == "efficiency" else results.plan.table
    return paper_row(table, *row.paper) if row.paper else None


def _parameters(results: Results) -> str:
    runs = results.runs_of("base")
    count = runs[0].cost.get("trained_parameters") if runs else None
    return f"{count / 1e6:.1f} million" if isinstance(count, int) else "a few million"


def _bullets(sentences: Iterable[str]) -> list[str]:
    text = "\n".join(f"- {sentence}" for sentence in sentences)
    return [text] if text else []


def _average(costs: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = [cost[key] for cost in costs if isinstance(cost.get(key), int | float)]
    return sum(values) / len(values) if values else None


def _mean_of(costs: Sequence[Mapping[str, Any]], key: str, form: str, scale: float = 1.0) -> str:
    value = _average(costs, key)
    return NOTHING if value is None else form.format(value * scale)
