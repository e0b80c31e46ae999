"""``spul score``: the metrics once more from the stored samples, without a model."""

from __future__ import annotations

from spul.cli._output import Debug, Json, results_only
from spul.cli._runs import RunPath, show_run

__all__ = ["score"]


def score(run: RunPath, json_output: Json = False, debug: Debug = False) -> None:
    """Recompute a run's metrics from its stored samples, without model or data, and write them."""
    from spul.evaluation import recompute_metrics
    from spul.runs import Run

    opened = Run.open(run)
    with results_only(), opened.lock():
        opened.unseal("metrics.json")
        recompute_metrics(opened)
        opened.seal()
    show_run(opened, json_output=json_output)
