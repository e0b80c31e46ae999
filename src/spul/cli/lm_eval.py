"""``spul lm-eval``: a run in lm-evaluation-harness, with its prompt applied."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spul.cli._output import Debug, Json, results_only, show, show_json
from spul.errors import ConfigError

__all__ = ["lm_eval"]


def lm_eval(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.", show_default=False)],
    tasks: Annotated[str, typer.Option(help="The tool's tasks or groups, comma-separated.", show_default=False)],
    model: Annotated[
        str, typer.Option(help="unlearned, base (the same without its prompt) or unlearned_gated.")
    ] = "unlearned",
    num_fewshot: Annotated[
        int | None, typer.Option(min=0, help="Worked examples in front.", show_default="the task's own")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Questions a task.", show_default="all")] = None,
    include_path: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Further tasks, as YAML files.", show_default=False)
    ] = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Measure general ability (MMLU, WMDP, …) with lm-evaluation-harness, the prompt in front of every question.

    The tool fetches its data sets itself, where the network allows.

    Example: spul lm-eval runs/… --tasks mmlu --num-fewshot 5
    """
    names = [part.strip() for part in tasks.split(",") if part.strip()]
    if not names:
        raise ConfigError(f"expected --tasks as names separated by commas, got {tasks!r}")
    with results_only():
        from spul import harness

        found = harness.evaluate(
            str(run),
            names,
            model=model,  # type: ignore[arg-type]
            num_fewshot=num_fewshot,
            limit=limit,
            include_path=None if include_path is None else str(include_path),
        )
    if json_output:
        show_json({"model": model, "results": found})
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("task", "metric", "value", "standard error"):
        table.add_column(heading)
    for name, numbers in found.items():
        for metric, value in numbers.items():
            if metric.endswith("_stderr") or metric in ("sample_len", "alias"):
                continue
            error = numbers.get(f"{metric}_stderr")
            table.add_row(name, metric, f"{value:.4f}", "–" if error is None else f"{error:.4f}")
    show(table)
