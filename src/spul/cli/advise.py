"""``spul advise``: which form is likely to work, from a look at base and data and a minute of training."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spul.cli._flags import ConfigFlags, takes_config
from spul.cli._output import Debug, Json, results_only, show, show_json

if TYPE_CHECKING:
    from rich.table import Table

    from spul.advice import Advice, Facts

__all__ = ["advise"]


@takes_config
def advise(
    flags: ConfigFlags,
    *,
    seconds: Annotated[
        float,
        typer.Option(min=1, help="For the probes together, by the clock; scoring comes on top.", rich_help_panel="Run"),
    ] = 60.0,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Say which form is likely to work (input level, deep, gate, match, weights), before a run is paid for.

    Looks at the base and at the data, trains an input-level and a deep prompt for a while, and warns where the forget
    loss does not move. Nothing is kept and no test row is looked at. Every line names what it rests on.

    Example: spul advise --config configs/sst2_entity_deep.yaml --seconds 30
    """
    config = flags.build()
    # After the configuration, so that a typo is answered before torch is imported.
    from spul import api

    with results_only():
        facts, advice = api.advise(config, seconds=seconds)
    if json_output:
        show_json({"facts": asdict(facts), "advice": asdict(advice)})
        return
    show(_table(facts, advice), "")
    for form in advice.forms:
        show(f"{form.name}: {form.why}.", f"  rests on: {form.basis}", f"  begin with: {' '.join(form.settings)}", "")
    for warning in advice.warnings:
        show(f"Warning: {warning}.", "")


def _table(facts: Facts, advice: Advice) -> Table:
    from rich.table import Table

    table: Any = Table(box=None, pad_edge=False)
    for heading in ("form", "likely to work?"):
        table.add_column(heading)
    for form in advice.forms:
        table.add_row(form.name, form.likelihood)
    table.caption = (
        f"{facts.parameters:,} parameters; {facts.forget_rows:,} of {facts.forget_rows + facts.retain_rows:,} rows "
        f"({facts.forget_share:.1%}) to forget"
    )
    return table  # type: ignore[no-any-return]
