"""``spul demo``: the whole job on a built-in data set and model, without network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spul.cli._output import Debug, Json, results_only, show, show_json
from spul.cli._runs import document

__all__ = ["demo"]


def demo(
    output_dir: Annotated[
        Path, typer.Option(metavar="DIR", help="Directory in which run directories are made.")
    ] = Path("runs"),
    seed: Annotated[int, typer.Option(help="Seed of everything random, the people included.")] = 0,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Unlearn fictitious people end to end: fine-tune, retrain, learn the prompt, evaluate, report.

    A small model that comes with the package memorises what 48 made-up people are thought of.

    Then a soft prompt suppresses eight of them. It needs no network and no GPU.
    """
    from spul.demonstration import demo as run_demo

    with results_only():
        result = run_demo(output_dir, seed)
    runs = {"base": result.base, "retrained": result.retrained, "unlearned": result.unlearned}
    if json_output:
        show_json({**{name: document(run) for name, run in runs.items()}, "report": str(result.report)})
        return
    from spul.reports import cost_table, results_table

    show(results_table(result.unlearned), "", cost_table(list(runs.values())), "")
    show(f"run      {result.unlearned.path}", f"report   {result.report}")
