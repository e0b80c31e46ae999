"""``spul evaluate``: score the models of a run on every split."""

from __future__ import annotations

from spul.cli._output import Debug, Json, results_only
from spul.cli._runs import RunPath, show_run

__all__ = ["evaluate"]


def evaluate(run: RunPath, json_output: Json = False, debug: Debug = False) -> None:
    """Score the unlearned model on every split, beside the base and the retrained model, and write the metrics.

    The base model is the unlearned one with its prompt left out: what removing the prompt restores.
    """
    from spul import api
    from spul.runs import Run

    opened = Run.open(run)
    with results_only():
        api.evaluate(opened)
    show_run(opened, json_output=json_output)
