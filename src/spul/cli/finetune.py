"""``spul finetune``: make the base model, or the retrained one that it is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spul.cli._flags import ConfigFlags, takes_config
from spul.cli._output import Debug, Json, results_only
from spul.cli._runs import Resume, config_of, remember_resume, show_run
from spul.errors import ConfigError

__all__ = ["finetune"]


@takes_config
def finetune(
    flags: ConfigFlags,
    *,
    context: typer.Context,
    retrain: Annotated[
        bool,
        typer.Option(
            "--retrain",
            help="Train on retain alone: the gold standard. Same as --method retrain.",
            rich_help_panel="Run",
        ),
    ] = False,
    resume: Resume = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Train the base model on forget and retain together, or with --retrain on retain alone.

    Run both from the same start with the same settings, so that they differ in the forget set alone.

    The checkpoint is in the run directory under model/.

    Example: spul finetune --model ./start --forget forget.csv --retain retain.csv --retrain
    """
    config = config_of(flags, resume, *_forced(flags, resume, retrain=retrain))
    remember_resume(context, config, resume)
    # After the configuration, so that a typo is answered before torch is imported.
    from spul import api

    with results_only():
        run = api.finetune(config, resume)
    show_run(run, json_output=json_output)


def _forced(flags: ConfigFlags, resume: Path | None, *, retrain: bool) -> list[str]:
    if retrain and flags.method not in (None, "retrain"):
        raise ConfigError(f"expected --retrain or --method {flags.method}, got both. Leave one out.")
    if retrain:
        return ["method=retrain"]
    # A file says itself which of the two it is.
    return ["method=finetune"] if flags.method is None and flags.config is None and resume is None else []
