"""Results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spul.cli._group import DEBUG

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Debug", "Json", "results_only", "show", "show_json"]


def _remember_debug(context: typer.Context, value: bool) -> bool:
    context.meta[DEBUG] = value
    return value


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.", callback=_remember_debug)]


@contextmanager
def results_only() -> Iterator[None]:
    """Send to stderr whatever libraries print while a command works, so that stdout carries the result alone."""
    with redirect_stdout(sys.stderr):
        yield


def show_json(value: Any) -> None:
    """Print one JSON document on stdout; NaN and infinity are refused, since JSON has none."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def show(*results: RenderableType) -> None:
    """Print tables and text on stdout."""
    from rich.console import Console

    # Paths and file names are results too: rich must neither colour nor read markup in them.
    console = Console(markup=False, highlight=False, soft_wrap=False)
    for result in results:
        console.print(result, soft_wrap=isinstance(result, str))
