"""``spul gate``: put a scope gate in front of a prompt that was learned before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spul.cli._output import Debug, Json, results_only, show, show_json
from spul.cli._runs import RunPath, document

if TYPE_CHECKING:
    from spul.runs import Run

__all__ = ["gate"]


def gate(
    run: RunPath,
    epsilon: Annotated[
        float | None,
        typer.Option("--epsilon", help="At most that share of retain queries is touched.", show_default=False),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option("--detector", help="Registered detector; see `spul list scopes`.", show_default=False),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            "--calibration",
            metavar="SOURCE",
            help="Retain queries like those that will be asked, to set the threshold on.",
            show_default=False,
        ),
    ] = None,
    retain: Annotated[
        list[str] | None,
        typer.Option(
            "--retain",
            metavar="SOURCE",
            help="Further retain rows for detector and calibration; repeat for more.",
            show_default=False,
        ),
    ] = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Give a finished run a scope gate, or another one: the prompt only for queries in scope, else the base model.

    Nothing is trained anew. Where the run was evaluated, the gated model's numbers are written beside the others.

    Example: spul gate runs/20261123T171500Z-spul-3f2a --epsilon 0.01
    """
    given = {"epsilon": epsilon, "detector": detector, "calibration": calibration, "retain": retain or None}
    overrides = [f"scope.{name}={json.dumps(value)}" for name, value in given.items() if value is not None]
    from spul import api
    from spul.runs import Run

    opened = Run.open(run)
    with results_only():
        api.add_gate(opened, overrides)
    record = _record(opened)
    if json_output:
        show_json({**document(opened), "gate": record})
        return
    from spul.reports import results_table

    if opened.sample_places():
        show(results_table(opened), "")
    known = record["calibration"]
    show(
        f"gate     {opened.scope_dir}",
        f"detector {record['detector']}, threshold {known['threshold']:.4g} from {known['n']:,} calibration rows: at "
        f"most {100 * known['epsilon']:g} % of retain queries like these are touched",
    )


def _record(run: Run) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((run.scope_dir / "scope.json").read_text(encoding="utf-8"))
    return record
