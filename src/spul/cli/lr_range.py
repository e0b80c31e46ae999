"""``spul lr-range``: which learning rate to begin with, from one short training at a rising rate."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spul.cli._flags import ConfigFlags, takes_config
from spul.cli._output import Debug, Json, results_only, show, show_json

if TYPE_CHECKING:
    from rich.table import Table

    from spul.training.rate_range import RangeTest

__all__ = ["lr_range"]

ROWS = 16
"""Most rows of the table; all steps are in the JSON."""

Rate = Annotated[float, typer.Option(min=1e-12, help="First learning rate.", rich_help_panel="Run")]


@takes_config
def lr_range(
    flags: ConfigFlags,
    *,
    lowest: Rate = 1e-5,
    highest: Annotated[
        float, typer.Option(min=1e-12, help="Last learning rate, if the loss lasts.", rich_help_panel="Run")
    ] = 1.0,
    steps: Annotated[int, typer.Option(min=3, help="Optimiser steps, one a rate.", rich_help_panel="Run")] = 100,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Train for a few steps at a rising learning rate and say where the loss falls fastest.

    Nothing is kept. It sees the training loss alone: `train.learning_rate_search` compares whole runs on validation.

    Example: spul lr-range --config configs/sst2_spul_deep.yaml --lowest 0.001
    """
    config = flags.build()
    # After the configuration, so that a typo is answered before torch is imported.
    from spul import api

    with results_only():
        found = api.learning_rate_range(config, lowest=lowest, highest=highest, steps=steps)
    if json_output:
        show_json(asdict(found))
        return
    show(_table(found), "")
    if found.suggestion is None:
        show("The loss never fell: no rate to suggest. Widen the range, or take more steps.")
    else:
        end = "; beyond the last one it rises" if found.diverged else ""
        show(f"The loss falls fastest at {found.suggestion:.3g}{end}. Try: train.learning_rate={found.suggestion:.2g}")


def _table(found: RangeTest) -> Table:
    from rich.table import Table

    table: Any = Table(box=None, pad_edge=False)
    for heading in ("learning rate", "loss, nats", "smoothed"):
        table.add_column(heading, justify="right")
    every = -(-len(found.steps) // ROWS)
    for step in found.steps[::every]:
        table.add_row(f"{step.learning_rate:.2e}", f"{step.loss:.4f}", f"{step.smoothed:.4f}")
    return table  # type: ignore[no-any-return]
