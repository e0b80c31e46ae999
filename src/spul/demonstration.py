"""The whole job on the built-in default: fictitious people, a tiny model, the paper's form of the method.

The base model memorises what 48 people are thought of, the retrained model only what the 40 kept ones are; then an
input-level soft prompt on the frozen base hides the other eight.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NamedTuple

from spul.api import evaluate, finetune, report, unlearn
from spul.config import RunConfig
from spul.models.demo import demo_model_path
from spul.runs import Run

__all__ = ["DemoResult", "demo"]

logger = logging.getLogger(__name__)

FINETUNE: dict[str, Any] = {
    "learning_rate": 1e-3,
    "num_epochs": 6,
    "batch_size": 32,
    "weight_decay": 0.0,
    "adam_beta2": 0.98,
    "max_grad_norm": 1.0,
    "min_lr_ratio": 0.05,
    "num_threads": 1,
}
UNLEARN: dict[str, Any] = {
    "learning_rate": 0.03,
    "max_steps": 800,
    "batch_size": 48,
    "forget_ratio": 0.5,
    "weight_decay": 0.0,
    "adam_beta2": 0.98,
    "max_grad_norm": 1.0,
    "warmup_ratio": 0.1,
    "min_lr_ratio": 0.05,
    "keep": "last",
    "num_threads": 1,
}


class DemoResult(NamedTuple):
    """The three runs of the demo and the path of the report."""

    base: Run
    retrained: Run
    unlearned: Run
    report: Path


def demo(output_dir: str | Path = "runs", seed: int = 0) -> DemoResult:
    """Fine-tune, retrain, unlearn, evaluate and report on the built-in people of one seed.

    Args:
        output_dir: directory in which the three run directories are made.
        seed: of the people, the splits and the training.

    Returns:
        The runs; the unlearned one is evaluated, with base, retrained and pre-trained models beside it.
    """
    common = _common(output_dir, seed)
    logger.info("1/4 the base model memorises all people")
    base = finetune(RunConfig.build({**common, "method": "finetune", "name": "demo-base", "train": FINETUNE}))
    logger.info("2/4 the retrained model never sees the people to forget")
    retrained = finetune(RunConfig.build({**common, "method": "retrain", "name": "demo-retrained", "train": FINETUNE}))
    logger.info("3/4 the soft prompt is learned on the frozen base")
    unlearned = unlearn(RunConfig.build(_unlearn_values(common, base, retrained)))
    logger.info("4/4 all models are scored on the four splits")
    evaluate(unlearned)
    return DemoResult(base, retrained, unlearned, report([unlearned]))


def _common(output_dir: str | Path, seed: int) -> dict[str, Any]:
    return {
        "model": {"path": str(demo_model_path())},
        "data": {"builtin": "fictitious", "seed": seed, "validation_share": 0.0},
        # `neutral` is the true answer of plain facts here, so it is a label; what a stranger gets is `unknown`.
        "task": {
            "template": "review: {text} answer: {answer}",
            "labels": ["negative", "neutral", "positive"],
            "generic_answers": ["unknown"],
        },
        "seed": seed,
        "output_dir": str(output_dir),
    }


def _unlearn_values(common: dict[str, Any], base: Run, retrained: Run) -> dict[str, Any]:
    return {
        **common,
        "method": "spul",
        "name": "demo",
        "model": {
            "path": str(base.model_dir.absolute()),
            "retrained": str(retrained.model_dir.absolute()),
            "pretrained": common["model"]["path"],
        },
        "prompt": {"kind": "direct", "num_virtual_tokens": 30, "init": "vocab"},
        "retain": {"alpha": 0.1, "beta": 0.1},
        "train": UNLEARN,
    }
