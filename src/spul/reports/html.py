"""The HTML report: one file with everything in it, built from run directories alone.

It needs no network and runs no script; its own policy forbids both. All text from runs is escaped. No example's text is
shown: a page about forgetting should not spread what is to be forgotten.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from spul.files import write_text
from spul.metrics import confusion
from spul.reports import _sections as sections
from spul.reports._outcome import SHOWN_SPLITS, Outcome, split_title
from spul.reports.pareto import pareto_picture, trade_offs
from spul.reports.pictures import Picture, answers_picture, loss_picture, trade_off_picture
from spul.reports.verdict import Finding, verdict
from spul.runs import Run
from spul.scopes import Calibration
from spul.types import AnswerSpace

__all__ = ["render_report", "write_report"]

TEMPLATES = Path(__file__).parent / "templates"
OF_A_PROMPT = (
    "The prompt suppresses; it does not erase. The weights are unchanged: whoever can leave out the prompt has the "
    "base model, with all it knows."
)
LIMITS = (
    "A generic answer can stand in front of knowledge that is untouched: read the accuracy among the labels beside the "
    "plain one.",
    "Answering “unknown” where others answer is itself a sign that something was to be forgotten. The aim is the "
    "retrained model’s behaviour, not the lowest forget accuracy.",
    "The membership numbers are those of two simple attacks. Stronger ones may tell more.",
    "Intervals are over examples, or over groups of them where the data says what belongs together, for one training "
    "seed; another seed gives another result.",
)


@dataclass(frozen=True)
class Figure:
    """A picture ready to stand in the page."""

    heading: str
    source: str
    alt: str


@dataclass(frozen=True)
class Chapter:
    """What the page shows of one run."""

    name: str
    path: str
    run: Run
    findings: list[Finding]
    main: list[sections.Table]
    more: list[sections.Table]
    figures: list[Figure]
    removal: sections.Table | None
    gap: sections.Table | None
    gate: sections.Table | None
    learned: sections.Table | None
    calibration: str
    prompted: bool
    grouped: str
    membership: list[sections.Table]
    confusions: list[sections.Table]
    cost: list[tuple[str, str]]
    config: str


def write_report(runs: Sequence[Run], path: Path) -> Path:
    """Write the report of evaluated runs to ``path`` atomically, and return it.

    Raises:
        RunError: a run was not evaluated.
    """
    write_text(path, render_report(runs))
    return path


def render_report(runs: Sequence[Run]) -> str:
    """Return the report of evaluated runs as one HTML page.

    Raises:
        RunError: a run was not evaluated.
    """
    outcomes = [Outcome.of(run) for run in runs]
    names = [f"{i}. {run.config.name or run.config.method}" for i, run in enumerate(runs, start=1)]
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        chapters=[_chapter(run, outcome) for run, outcome in zip(runs, outcomes, strict=True)],
        overview=sections.overview_table(list(zip(names, outcomes, runs, strict=True))) if len(runs) > 1 else None,
        together=_together(list(zip(names, outcomes, strict=True))) if len(runs) > 1 else None,
        limits=(*((OF_A_PROMPT,) if any(outcome.prompted for outcome in outcomes) else ()), *LIMITS),
    )


def _together(named: Sequence[tuple[str, Outcome]]) -> Figure | None:
    picture = pareto_picture(trade_offs(named))
    if picture is None:
        return None
    return Figure("Forget against retain over all runs, unseen examples", _inline(picture), picture.alt)


def _chapter(run: Run, outcome: Outcome) -> Chapter:
    answers = _answers(run)
    return Chapter(
        name=run.config.name or run.config.method,
        path=run.path.name,
        run=run,
        findings=verdict(outcome),
        main=sections.main_tables(outcome),
        more=sections.more_tables(outcome),
        figures=_figures(run, outcome, answers),
        removal=sections.removal_table(outcome),
        gap=sections.gap_table(outcome),
        gate=sections.gate_table(outcome),
        learned=sections.learned_table(outcome),
        calibration=_calibration(run),
        prompted=outcome.prompted,
        grouped=outcome.grouped,
        membership=sections.membership_tables(outcome),
        confusions=_confusions(run, answers),
        cost=sections.cost_rows(run),
        config=run.config.to_yaml(),
    )


def _calibration(run: Run) -> str:
    """Return what is promised of the gate's threshold, in words; nothing without a gate."""
    record = run.scope_dir / "scope.json"
    if run.config.scope.name != "gate" or not record.is_file():
        return ""
    known = json.loads(record.read_text(encoding="utf-8"))
    calibration = Calibration(**known["calibration"])
    low, high = (100 * share for share in calibration.range)
    return (
        f"Detector {known['detector']}; its threshold was set on {calibration.n:,} retain rows that it had not learned "
        f"from ({known['facts']['calibration']}). Of retain queries like these at most {100 * calibration.epsilon:g} % "
        f"are touched on average over calibrations; by this very threshold, {low:.1f} to {high:.1f} % with 95 % "
        "confidence."
    )


def _figures(run: Run, outcome: Outcome, answers: AnswerSpace) -> list[Figure]:
    places = set(run.sample_places())

    def answered(split: str) -> Picture | None:
        models = [model for model in outcome.models if f"{model}/{split}" in places]
        tables = {model: confusion(run.read_samples(f"{model}/{split}"), answers) for model in models}
        return answers_picture(tables, answers, split_title(split))

    kept = run.manifest.facts.get("kept_step")
    drawn = (
        ("Forget against retain, unseen examples", trade_off_picture(outcome)),
        ("What every model answers on test forget, %", answered("test_forget")),
        ("What every model answers on test retain, %", answered("test_retain")),
        ("Loss terms over the steps", loss_picture(run.train_log(), kept, _sought(run))),
    )
    return [Figure(heading, _inline(picture), picture.alt) for heading, picture in drawn if picture is not None]


def _sought(run: Run) -> str | None:
    objective, asked = run.config.objective, run.config.train.validate_forget
    return asked if asked != "auto" else None if objective is None else objective.sought


def _confusions(run: Run, answers: AnswerSpace) -> list[sections.Table]:
    places = set(run.sample_places())
    return [
        sections.confusion_table(confusion(run.read_samples(f"unlearned/{split}"), answers), split)
        for split in SHOWN_SPLITS
        if f"unlearned/{split}" in places
    ]


def _answers(run: Run) -> AnswerSpace:
    known = run.manifest.facts["answers"]
    return AnswerSpace(tuple(known["labels"]), tuple(known["generic"]))


def _inline(picture: Picture) -> str:
    return "data:image/svg+xml;base64," + b64encode(picture.svg).decode("ascii")
