"""``spul sweep``: one run, varied."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spul.cli._group import RESUME
from spul.cli._output import Debug, Json, results_only, show, show_json
from spul.errors import ConfigError

if TYPE_CHECKING:
    from spul.studies.settings import StudyConfig

__all__ = ["sweep"]

Texts = list[str] | None


def _vary(description: str, *names: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=description, metavar=metavar, rich_help_panel="What to vary", show_default=False)


def sweep(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="YAML file of a run, or of a study (one with `run:` in it). Leave it out to go on with DIR.",
            show_default=False,
        ),
    ] = None,
    overrides: Annotated[
        Texts,
        typer.Argument(
            metavar="KEY=VALUE", help="Settings of the run by their dotted keys, for all points.", show_default=False
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The study's directory.", show_default=False)],
    grid: Annotated[Texts, _vary("Values of one setting; repeat for all combinations.", metavar="KEY=A,B,…")] = None,
    random: Annotated[
        Texts,
        _vary("Draw a setting: log:LOW:HIGH, uniform:LOW:HIGH, int:LOW:HIGH or choice:A,B,…", metavar="KEY=RANGE"),
    ] = None,
    samples: Annotated[int | None, _vary("How many points are drawn, or tried by a search.")] = None,
    list_: Annotated[
        Texts, _vary("One point, say 'retain.alpha=1 retain.beta=0'; repeat.", "--list", metavar="'KEY=A KEY=B'")
    ] = None,
    seeds: Annotated[
        str | None, _vary("Training seeds of every point; the table has means over them.", metavar="A,B,…")
    ] = None,
    search: Annotated[
        str | None,
        _vary("Let Optuna choose the points: min:KEY or max:KEY, say max:validation/score.", metavar="GOAL"),
    ] = None,
    search_on_test: Annotated[
        bool | None, _vary("Allow a goal on test rows. The test numbers then measure nothing.", "--search-on-test")
    ] = None,
    metric: Annotated[
        Texts, _vary("A column of the table, say test_forget/accuracy; repeat.", metavar="METRIC")
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where the runs lie; studies that share it share runs.", show_default="DIR/runs"
        ),
    ] = None,
    processes: Annotated[int, typer.Option(help="Runs at a time, one thread each.")] = 1,
    status: Annotated[bool, typer.Option("--status", help="Say how far the study is, and run nothing.")] = False,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Vary settings of a run, run every point with every seed, and show what is forgotten and what is kept.

    Everything is checked before the first run. Whatever ends it, the same command goes on where it stopped.

    Example: spul sweep run.yaml --out alpha --grid retain.alpha=0.1,0.5,1 --seeds 0,1,2 --processes 2
    """
    if file is not None and "=" in file.name and not file.exists():
        # An override stands where a file may: `spul sweep --out DIR retain.beta=0`.
        file, overrides = None, [str(file), *(overrides or [])]
    changes: dict[str, Any] = {
        "grid": _pairs("grid", grid),
        "random": _pairs("random", random),
        "samples": samples,
        "list": _points(list_),
        "seeds": _values("seeds", seeds) if seeds is not None else None,
        "metrics": metric,
        "runs": None if runs is None else str(runs.absolute()),
        "search": None if search is None else {"goal": search, "on_test": bool(search_on_test)},
    }
    given = _given(file, {key: value for key, value in changes.items() if value is not None}, overrides or [])
    from spul.studies.sweep import open_study

    study = open_study(out, given)
    go_on = f"spul sweep --out {shlex.quote(str(out))}"
    context.meta[RESUME] = lambda: f"; go on with: {go_on} --processes {processes}"
    document = _status(study, out) if status else _run(study, out, processes)
    if json_output:
        show_json(document)
    else:
        _show(document, out, go_on)
    if not status and document["status"] != "complete":
        raise typer.Exit(2)


def _given(file: Path | None, changes: dict[str, Any], overrides: list[str]) -> StudyConfig | None:
    from spul.studies.settings import StudyConfig

    if file is not None:
        return StudyConfig.read(file, changes, overrides)
    if changes or overrides:
        raise ConfigError(
            f"expected a FILE with a run's configuration beside what to vary ({', '.join([*changes, *overrides])}). To "
            "go on with a study, give --out alone."
        )
    return None


def _run(study: StudyConfig, out: Path, processes: int) -> dict[str, Any]:
    from spul.studies.progress import job_lines
    from spul.studies.sweep import plan_of, run_sweep

    with results_only(), job_lines(plan_of(study, out).jobs) as on_event:
        return run_sweep(study, out, processes=processes, on_event=on_event)


def _status(study: StudyConfig, out: Path) -> dict[str, Any]:
    from spul.studies.sweep import status_of

    return status_of(study, out)


def _show(document: dict[str, Any], out: Path, go_on: str) -> None:
    jobs = [*document["stages"], *(run for point in document["points"] for run in point["runs"])]
    if (out / "table.md").exists():
        show((out / "table.md").read_text(encoding="utf-8"))
    done = sum(job["status"] == "complete" for job in jobs)
    show(f"{document['status']}: {done} of {len(jobs)} runs")
    for job in jobs:
        if job["status"] == "failed":
            show(f"failed   {job['name']}: {job['reason']}")
    if best := document.get("search", {}).get("best"):
        show(f"best     {best['point']}  {document['search']['goal']} = {best['value']:.4g}")
    if document["status"] != "complete":
        show(f"go on    {go_on}")
    for name, path in (("study", out), ("picture", out / "picture.png")):
        if path.exists():
            show(f"{name:<8} {path}")


def _pairs(flag: str, items: Texts) -> dict[str, Any] | None:
    if not items:
        return None
    from spul.studies.ranges import parse_values

    pairs: dict[str, Any] = {}
    for item in items:
        field, separator, text = item.partition("=")
        if not (field and separator):
            raise ConfigError(f"expected --{flag} KEY=VALUES, got {item!r}")
        if field in pairs:
            raise ConfigError(f"--{flag} names {field} twice; give all its values at once")
        pairs[field] = parse_values(field, text) if flag == "grid" else text
    return pairs


def _points(items: Texts) -> list[dict[str, Any]] | None:
    if not items:
        return None
    return [{field: value for field, (value,) in (_pairs("grid", shlex.split(item)) or {}).items()} for item in items]


def _values(flag: str, text: str) -> tuple[Any, ...]:
    from spul.studies.ranges import parse_values

    return parse_values(flag, text)
