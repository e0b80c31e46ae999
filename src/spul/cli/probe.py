"""``spul probe``: whether an endpoint puts a run's prompt in front of everything that it answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spul.cli._output import Debug, Json, results_only, show, show_json

if TYPE_CHECKING:
    from spul.probing import ProbeResult

__all__ = ["probe"]

BYPASS_FOUND = 1


def probe(
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help="An OpenAI-compatible endpoint, with or without /v1.", show_default=False),
    ],
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run directory whose prompt it serves.", show_default=False)
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="What the endpoint calls the model.", show_default="the only one, or the run directory's name"
        ),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(metavar="WAY", help="A way in to leave out, by its name in the table. Repeat for more."),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one request.")] = 60.0,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Ask an endpoint, in every way that it takes questions, what a run's prompt is to suppress.

    Rows of the run's data are canaries: the run's own model says once how they are answered with and without the
    prompt. No text is printed. Exit code 0: nothing gets past the prompt; 1: something does; 2: it could not be asked.
    A key is read from OPENAI_API_KEY.

    Example: spul probe http://127.0.0.1:8000 runs/RUN --json
    """
    from spul.probing import probe as ask
    from spul.runs import Run

    with results_only():
        result = ask(url, Run.open(run), model=model, skip=skip or (), timeout=timeout)
    if json_output:
        show_json(result.to_json())
    else:
        _show(result)
    if not result.passed:
        raise typer.Exit(BYPASS_FOUND)


def _show(result: ProbeResult) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("way in", "prompt", "own", "bare", "other", "tokens"):
        table.add_column(name, no_wrap=name == "way in")
    for check in result.checks:
        excess = sorted({each for each in check.excess if each is not None})
        said = check.verdict if check.status is None else f"{check.verdict} ({check.status})"
        counts = [str(n) if check.asked else "–" for n in (check.prompted, check.bare, check.other)]
        table.add_row(check.surface, said, *counts, ", ".join(map(str, excess)) or "–")
    show(table, "")
    for check in result.checks:
        if check.failed:
            show(f"{check.surface}: {check.about}")
        elif check.unchanged:
            show(
                f"{check.surface}: {check.unchanged} of {check.canaries} answers begin as the bare base's even behind "
                "the prompt; it suppresses less there"
            )
    show("own, bare, other: answers of the prompted model, the base, neither; tokens: counted beyond the text's own")
    p = result.num_virtual_tokens
    counts_them = f"counts the {p} virtual tokens" if result.counted else f"does not show the {p} virtual tokens"
    show(f"endpoint {result.url} ({result.model}) {counts_them}")
    failed = [check.surface for check in result.checks if check.failed]
    show(f"bypassed {', '.join(failed)}" if failed else "bypassed nothing")
