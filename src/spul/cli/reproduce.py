"""``spul reproduce``: the paper's tables and figures, on a named base and data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spul.cli._output import Debug, Json, results_only, show, show_json
from spul.errors import ConfigError

__all__ = ["reproduce"]


def reproduce(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="table2, table3, table4, table5, figure1, figure2, efficiency, or all of them.",
            show_default=False,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            help="Data sets, comma-separated: sst2_entity, sst2_spul, yelp_entity, mcq_mmlu, mcq_dream, wmdp_sciq, …",
            show_default="four for table2 and efficiency, else sst2_entity",
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Bases, comma-separated: small, smaller, a directory or a hub id such as facebook/opt-1.3b.",
            show_default="small",
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Of table2, table5 and efficiency, comma-separated; base and retrained are always there.",
            show_default="ga,rl,ga_kl,ga_gd,spul,spul_deep",
        ),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Comma-separated.")] = "1,2,3",
    full: Annotated[
        bool,
        typer.Option(
            "--full/--small", help="The paper's settings and all rows on a small base too; real bases have them anyway."
        ),
    ] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where pages, CSV and pictures go.")] = Path("reproduction"),
    runs: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the run directories lie; what is there is not run again.")
    ] = Path("runs/reproduce"),
    data_root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder with the data sets, one folder each.", show_default="$SPUL_DATA"),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Runs at a time, one thread each.")] = 2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the jobs and run none.")] = False,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Make a table or figure of the paper anew, our numbers with intervals over seeds beside the paper's.

    By default on a small model that is built on this machine; the same command goes on after an interrupt.

    Example: spul reproduce table2 --data sst2_entity --seeds 1,2,3
    """
    from spul.benchmarks import reproduce as benchmarks

    request = benchmarks.Request(
        table=table,
        data=_names(data) or (),
        bases=_names(base) or (),
        methods=_names(methods),
        seeds=_seeds(seeds),
        full=full,
        out=out,
        runs=runs,
        data_root=data_root,
        processes=processes,
    )
    if dry_run:
        # Tables share runs; a run has the name that it has in the first of them.
        wanted = {job.digest(runs): job for plan in reversed(benchmarks.plans_of(request)) for job in plan.jobs[::-1]}
        jobs = list(wanted.values())[::-1]
        if json_output:
            show_json(
                [{"name": job.name, "needs": job.needs, "config": job.config.model_dump(mode="json")} for job in jobs]
            )
        else:
            show(*(f"{job.name:<44} {job.config.method:<10} {', '.join(job.needs)}" for job in jobs))
        return
    with results_only():
        files = benchmarks.reproduce(request)
    if json_output:
        show_json({"files": [str(file) for file in files]})
    else:
        show(*(str(file) for file in files))


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"expected --seeds as whole numbers separated by commas, got {text!r}") from error
