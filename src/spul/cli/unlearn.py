"""``spul unlearn``: learn to suppress, by a soft prompt or in the weights, then measure what it does."""

from __future__ import annotations

from typing import Annotated

import typer

from spul.cli._flags import ConfigFlags, takes_config
from spul.cli._output import Debug, Json, results_only
from spul.cli._runs import Resume, config_of, remember_resume, show_run

__all__ = ["unlearn"]


@takes_config
def unlearn(
    flags: ConfigFlags,
    *,
    context: typer.Context,
    evaluate: Annotated[
        bool,
        typer.Option(
            "--evaluate/--no-evaluate", help="Evaluate on all splits and write the report.", rich_help_panel="Run"
        ),
    ] = True,
    gate: Annotated[
        bool,
        typer.Option(
            "--gate",
            help="Put a scope gate in front: the prompt only for queries in scope. Same as scope=gate.",
            rich_help_panel="Run",
        ),
    ] = False,
    epsilon: Annotated[
        float | None,
        typer.Option(
            "--epsilon",
            help="With --gate: at most that share of retain queries is touched. Same as scope.epsilon.",
            rich_help_panel="Run",
            show_default=False,
        ),
    ] = None,
    resume: Resume = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Make a model answer as if it had not seen the forget set: by a soft prompt, or whatever --method trains.

    With the default method the weights stay as they are: the prompt suppresses and does not erase. Methods that train
    weights (see `spul list methods`) keep an ordinary checkpoint.

    What is learned and measured, and all that is needed to repeat it, goes into a new run directory.

    Example: spul unlearn --model ./base --forget forget.csv --retain retain.csv --column text=review
    """
    forced = [*(["scope.name=gate"] if gate else []), *([f"scope.epsilon={epsilon}"] if epsilon is not None else [])]
    config = config_of(flags, resume, *forced)
    remember_resume(context, config, resume)
    # After the configuration, so that a typo is answered before torch is imported.
    from spul import api

    with results_only():
        run = api.unlearn(config, resume)
        report = None
        if evaluate:
            api.evaluate(run)
            report = api.report([run])
    show_run(run, report, json_output=json_output)
