"""``spul report``: one self-contained HTML page from run directories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spul.cli._output import Debug, Json, results_only, show, show_json

__all__ = ["report"]


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where the page goes.", show_default="RUN/report.html"),
    ] = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Write an HTML report of evaluated runs, from their directories alone; it needs no model and no network."""
    from spul import api
    from spul.runs import Run

    opened = [Run.open(path) for path in runs]
    with results_only():
        page = api.report(opened, output)
    if json_output:
        show_json({"report": str(page)})
    else:
        show(str(page))
