"""What the verbs that read or make a run directory share."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spul.cli._flags import ConfigFlags
from spul.cli._group import RESUME
from spul.cli._output import show, show_json
from spul.errors import ConfigError

if TYPE_CHECKING:
    from spul.config import RunConfig
    from spul.runs import Run

__all__ = ["Resume", "RunPath", "config_of", "document", "remember_resume", "show_run"]

RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.", show_default=False)]
Resume = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="RUN",
        help="Go on with a run that was cut short, from its last checkpoint and with its own configuration.",
        rich_help_panel="Run",
        show_default=False,
    ),
]


def config_of(flags: ConfigFlags, resume: Path | None, *forced: str) -> RunConfig:
    """Return the configuration that the flags make, or that of the run to resume.

    Raises:
        ConfigError: settings are given for a run that has its own.
        RunError: there is no readable run at ``resume``.
    """
    if resume is None:
        return flags.build(*forced)
    from spul.runs import Run

    if given := [*flags.given(), *forced]:
        raise ConfigError(
            "expected --resume alone, since a resumed run keeps its configuration; got settings too "
            f"({', '.join(given)}). Leave them out, or start a new run without --resume."
        )
    return Run.open(resume, incomplete=True).config


def remember_resume(context: typer.Context, config: RunConfig, resume: Path | None) -> None:
    """Let an interrupt from now on name the run that this command works on, and the command that goes on with it."""
    before = set(_runs_in(config.output_dir))

    def how_to_go_on() -> str:
        from spul.runs import Run

        # Other processes may make runs in the same directory at the same time; this one's has this command.
        begun = [Run.open(path, incomplete=True) for path in sorted(set(_runs_in(config.output_dir)) - before)]
        mine = [run for run in begun if run.manifest.command == tuple(sys.argv)]
        run = Run.open(resume, incomplete=True) if resume is not None else mine[-1] if mine else None
        if run is None:
            return " before a run was begun"
        where = shlex.quote(str(run.path))
        verb = "evaluate" if run.status == "complete" else f"{run.manifest.kind} --resume"
        return f"; go on with: spul {verb} {where}"

    context.meta[RESUME] = how_to_go_on


def _runs_in(directory: str) -> list[Path]:
    return [manifest.parent for manifest in Path(directory).glob("*/manifest.json")]


def show_run(run: Run, report: Path | None = None, *, json_output: bool) -> None:
    """Print what a run holds: its numbers, if it has been evaluated, what it cost, and where things are."""
    if json_output:
        show_json(document(run, report))
        return
    from spul.reports import cost_table, results_table

    if _evaluated(run):
        show(results_table(run), "")
    show(cost_table([run]), "")
    kept = ("adapter", run.adapter_dir) if run.config.trainable == "prompt" else ("model", run.model_dir)
    for name, path in (("run", run.path), kept, ("report", report)):
        if path is not None:
            show(f"{name:<8} {path}")


def document(run: Run, report: Path | None = None) -> dict[str, Any]:
    """Return what ``--json`` prints of a run; metrics and report are null where there are none."""
    return {
        "run": str(run.path),
        "kind": run.manifest.kind,
        "status": run.status,
        "cost": dict(run.cost),
        "metrics": {name: result.to_json() for name, result in run.metrics.items()} if _evaluated(run) else None,
        "report": None if report is None else str(report),
    }


def _evaluated(run: Run) -> bool:
    return (run.path / "metrics.json").exists()
