"""``spul benchmark``: base, retrained and unlearned models of a benchmark, one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spul.cli._output import Debug, Json, results_only, show, show_json
from spul.errors import ConfigError

__all__ = ["benchmark"]


def benchmark(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="tofu, sst2, yelp, mmlu, wmdp_sciq, … (spul list benchmarks).",
            show_default=False,
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="PATH_OR_HUB_ID",
            help="What base and retrained model are fine-tuned from: small, smaller, a directory or a hub id.",
        ),
    ] = "small",
    method: Annotated[
        list[str] | None,
        typer.Option(help="Method that unlearns. Repeat for more.", show_default="the benchmark's own choice"),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Comma-separated; each trains its own base.")] = "1",
    subset: Annotated[
        str | None,
        typer.Option(
            help="What is forgotten, where there is a choice: forget01, forget05 or forget10 of tofu, …",
            show_default="the benchmark's first",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|hf:NAME", help="Where the rows are.", show_default="the benchmark's folder in $SPUL_DATA"
        ),
    ] = None,
    small: Annotated[
        bool | None,
        typer.Option(
            "--small/--full",
            help="Rows and rates for a small model on a CPU, or all rows and the papers' settings.",
            show_default="small for small bases, else full",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where page and CSV go.")] = Path("benchmark"),
    runs: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the run directories lie; what is there is not run again.")
    ] = Path("runs/benchmark"),
    data_root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder with the data sets, one folder each.", show_default="$SPUL_DATA"),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Runs at a time, one thread each.")] = 2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the jobs and run none.")] = False,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Train base, retrained and unlearned models on a benchmark, score all of them, print one table.

    The page with every table and a CSV with every number go to --out; the same command goes on after an interrupt.

    Example: spul benchmark tofu --subset forget05 --method spul --method ga_kl
    """
    from spul.benchmarks import benchmark as benchmarks
    from spul.benchmarks.page import as_terminal

    request = benchmarks.Request(
        name=name,
        model=model,
        methods=tuple(method) if method else None,
        seeds=_seeds(seeds),
        subset=subset,
        small=small,
        data=data,
        out=out,
        runs=runs,
        data_root=data_root,
        processes=processes,
    )
    if dry_run:
        jobs = benchmarks.jobs_of(request)
        if json_output:
            show_json(
                [{"name": job.name, "needs": job.needs, "config": job.config.model_dump(mode="json")} for job in jobs]
            )
        else:
            show(*(f"{job.name:<44} {job.config.method:<10} {', '.join(job.needs)}" for job in jobs))
        return
    with results_only():
        page, files = benchmarks.run_benchmark(request)
    if json_output:
        rows = [
            {"row": row, "split": split, "metric": metric, "seeds": found.seeds, **found.result.to_json()}
            for (row, split, metric), found in page.scores.numbers.items()
        ]
        show_json({"files": [str(file) for file in files], "numbers": rows})
    else:
        show(as_terminal(page), *(str(file) for file in files))


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"expected --seeds as whole numbers separated by commas, got {text!r}") from error
