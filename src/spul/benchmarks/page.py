"""A benchmark's numbers as Markdown, as CSV and for the terminal; pure functions of what was collected."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from spul.benchmarks.catalogue import Section
from spul.benchmarks.cells import NOTHING, markdown_table, number, rounded
from spul.benchmarks.maker import Row
from spul.benchmarks.render import Provenance
from spul.benchmarks.scores import Scores
from spul.training.search import SEARCH_FACT

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Page", "as_csv", "as_markdown", "as_terminal", "reasons"]


@dataclass(frozen=True)
class Page:
    """What is written about a benchmark.

    Attributes:
        name: what its files are called.
        title: its heading.
        about: paragraphs on rows and settings.
        sections: its tables.
        seeds: of the runs.
        scores: the numbers.
        provenance: how they were made.
    """

    name: str
    title: str
    about: Sequence[str]
    sections: Sequence[Section]
    seeds: Sequence[int]
    scores: Scores
    provenance: Provenance


def as_markdown(page: Page, picture: tuple[str, str] | None = None) -> str:
    """Return the page: tables, the picture (its file's name and what it shows), what is undefined, how it was made."""
    parts = [f"# {page.title}", _seeds(page.seeds), *page.about]
    if page.scores.missing:
        missing = "; ".join(f"{name} ({why})" for name, why in page.scores.missing.items())
        parts.append(f"Missing: {missing}.")
    for section in page.sections:
        rows = shown(page.scores, section)
        if rows:
            parts += [f"## {section.heading}", section.note, _markdown_section(page.scores, section, rows)]
    if picture is not None:
        name, alt = picture
        parts += ["## What is forgotten against what is kept", f"![{alt}]({name})"]
    undefined = reasons(page.scores, page.sections)
    if undefined:
        parts += ["## Undefined, and why", "\n".join(f"- {line}" for line in undefined)]
    parts += ["## How it was made", *_made(page)]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_csv(page: Page) -> str:
    """Return every number as a row: benchmark, model, place, metric, value, interval, n, seeds, unit, direction."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *("benchmark", "row", "split", "metric", "value", "low", "high", "n", "seeds", "unit"),
            *("higher_is_better", "reason"),
        ]
    )
    for row in page.scores.rows:
        for (key, place, metric), found in page.scores.numbers.items():
            if key != row.key:
                continue
            result = found.result
            values = [rounded(value) for value in (result.value, result.low, result.high)]
            better = "" if result.higher_is_better is None else str(result.higher_is_better).lower()
            told = [*values, result.n, found.seeds, result.unit, better, result.reason or ""]
            writer.writerow([page.name, key, place, metric, *told])
    return text.getvalue()


def as_terminal(page: Page) -> Table:
    """Return the first table for the terminal."""
    from rich.table import Table

    section = page.sections[0]
    table = Table(title=f"{page.title}: {section.heading}", title_justify="left", box=None, header_style="bold")
    table.add_column("model", overflow="fold")
    for column in section.columns:
        table.add_column(column.heading, justify="right", overflow="fold")
    for row in shown(page.scores, section):
        # An interval stands under its number: eight columns of both on a line are wider than a terminal.
        table.add_row(row.title, *(cell.replace(" (", "\n(", 1) for cell in _cells(page.scores, section, row)))
    return table


def shown(scores: Scores, section: Section) -> list[Row]:
    """Return the models that have one of a section's numbers at least."""
    return [
        row for row in scores.rows if any(scores.get(row.key, place, metric) for _, place, metric in section.columns)
    ]


def reasons(scores: Scores, sections: Sequence[Section]) -> list[str]:
    """Return why cells of the tables are empty: columns and models that share a reason on a line."""
    found: dict[tuple[str, str], list[str]] = {}
    for heading, place, metric in dict.fromkeys(column for section in sections for column in section.columns):
        for row in scores.rows:
            number_ = scores.get(row.key, place, metric)
            if number_ is not None and number_.result.value is None and number_.result.reason:
                found.setdefault((heading, number_.result.reason), []).append(row.title)
    return [f"{heading} ({', '.join(rows)}): {reason}" for (heading, reason), rows in found.items()]


def _cells(scores: Scores, section: Section, row: Row) -> list[str]:
    return [number(scores.get(row.key, place, metric)) for _, place, metric in section.columns]


def _markdown_section(scores: Scores, section: Section, rows: Sequence[Row]) -> str:
    head = ["model", *(column.heading for column in section.columns)]
    return markdown_table(head, [[row.title, *_cells(scores, section, row)] for row in rows])


def _seeds(seeds: Sequence[int]) -> str:
    told = ", ".join(map(str, seeds))
    if len(seeds) > 1:
        return (
            f"Seeds {told}; each trains its own base. Cells are means, in brackets the 95 % interval by Student's t "
            "over the seeds."
        )
    return f"Seed {told}. In brackets the 95 % bootstrap interval over examples, or over groups of them (authors)."


def _made(page: Page) -> list[str]:
    parts = []
    rates = list(_rates(page))
    if rates:
        parts.append(
            "Learning rates that were searched, all with the same short budget, the chosen one a seed:\n\n"
            + "\n".join(f"- {line}" for line in rates)
        )
    prompts = list(_prompts(page))
    if prompts:
        parts.append("\n".join(f"- {line}" for line in prompts))
    spent = page.provenance
    if spent.cpu_seconds is not None and spent.wall_seconds is not None and spent.counted is not None:
        runs = len(page.scores.runs)
        took = f"{spent.cpu_seconds:,.0f} CPU-seconds and {spent.wall_seconds:,.0f} s by the clock, evaluation included"
        parts.append(
            f"{spent.counted:,.0f} runs took {took}; some of them had settings that were given up for this page's."
            if spent.counted > runs
            else f"{spent.counted:,.0f} of the {runs} runs took {took}; the others were not counted (another command "
            "made them, or one that was cut off)."
        )
    environment = ", ".join(f"{name} {value}" for name, value in spent.environment.items() if value)
    return [*parts, f"```bash\n{spent.command}\n```", f"Environment: {environment}."]


def _rates(page: Page) -> list[str]:
    lines = []
    for row in page.scores.rows:
        runs = [run for name, run in page.scores.runs.items() if name.endswith(f"-{row.arm}")]
        facts = [run.manifest.facts[SEARCH_FACT] for run in runs if SEARCH_FACT in run.manifest.facts]
        if facts and row.model == "unlearned":
            tried = ", ".join(f"{entry['learning_rate']:g}" for entry in facts[0]["tries"])
            chosen = ", ".join(f"{fact['chosen']:g}" for fact in facts)
            # The smallest is taken then, which is no choice.
            idle = sum(not any(entry["score"] for entry in fact["tries"]) for fact in facts)
            told = f"; every rate scored 0 in {idle} of {len(facts)} searches" if idle else ""
            lines.append(f"{row.title}: {chosen} (of {tried}; rule: {facts[0]['rule']}{told})")
    return lines


def _prompts(page: Page) -> list[str]:
    lines = []
    for row in page.scores.rows:
        runs = [run for name, run in page.scores.runs.items() if name.endswith(f"-{row.arm}")]
        if not runs or row.model != "unlearned" or runs[0].config.trainable != "prompt":
            continue
        config, cost = runs[0].config, runs[0].cost
        weights = f"α = {config.retain.alpha:g}, β = {config.retain.beta:g}"
        if config.retain.budget is not None:
            weights = f"a retain budget of {config.retain.budget:g}"
        lines.append(
            f"{row.title}: `{config.prompt.kind}`, p = {config.prompt.num_virtual_tokens}, {weights}, "
            f"{cost.get('steps', NOTHING)} steps of {config.train.batch_size} rows at a rate of "
            f"{config.train.learning_rate:g}."
        )
    return lines
