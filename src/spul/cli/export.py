"""``spul export``: a finished prompt in a form that others load or serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spul.cli._output import Debug, Json, results_only, show, show_json
from spul.cli._runs import RunPath

if TYPE_CHECKING:
    from spul.exports import ExportResult

__all__ = ["export"]


def export(
    run: RunPath,
    to: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help="What to make; see `spul list exports`.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where it goes.", show_default="RUN/exports/FORMAT"),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Text that the model will see, one a line; what the export is checked on.",
            show_default="the run's retain rows",
        ),
    ] = None,
    max_soft_mass: Annotated[
        float, typer.Option(help="Most probability that the soft tokens may get as output, at any position.")
    ] = 1e-6,
    keep_tied: Annotated[
        bool,
        typer.Option("--keep-tied", help="Leave tied embeddings tied, which some engines want; the mass is measured."),
    ] = False,
    base_name: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Hub id under which others find the base model.", show_default=False),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Upload to this model repository; a new one is private."),
    ] = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Make an adapter for PEFT, keys and values, an ordinary checkpoint or a GGUF file of a run's prompt, and check it.

    Nothing is kept unless the export, loaded as a stranger would, agrees with the run's own model.
    """
    from spul import api

    with results_only():
        result = api.export(
            run,
            to,
            output,
            calibration=calibration,
            max_soft_mass=max_soft_mass,
            keep_tied=keep_tied,
            base_name=base_name,
            push=push,
        )
    if json_output:
        show_json(_document(result))
        return
    _show(result)


def _document(result: ExportResult) -> dict[str, object]:
    return {
        "export": str(result.path),
        "checks": [{**check.model_dump(), "passed": check.passed} for check in result.checks],
        "notes": list(result.notes),
        "address": result.address,
    }


def _show(result: ExportResult) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("check", "measured", "at most", "unit", "n"):
        table.add_column(name)
    for check in result.checks:
        table.add_row(check.name, f"{check.value:.3g}", f"{check.bound:.3g}", check.unit, str(check.n))
    show(table, "")
    for note in result.notes:
        show(f"- {note}")
    show("", f"export   {result.path}")
    if result.address is not None:
        show(f"pushed   {result.address}")
