"""The public functions: one for each thing that is done with a run."""

from spul.api.exporting import export
from spul.api.gating import add_gate
from spul.api.loading import load_gated_model, load_model
from spul.api.making import finetune, unlearn
from spul.api.planning import Advised, advise, learning_rate_range
from spul.api.reporting import report
from spul.api.scoring import evaluate, score_on

__all__ = [
    "Advised",
    "add_gate",
    "advise",
    "evaluate",
    "export",
    "finetune",
    "learning_rate_range",
    "load_gated_model",
    "load_model",
    "report",
    "score_on",
    "unlearn",
]
