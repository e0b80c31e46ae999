"""Settings that benchmarks with free answers share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spul.benchmarks.catalogue._base import Drawn
from spul.benchmarks.profiles import PAPER, SMALL, merged

__all__ = ["FREE_FULL", "FREE_SMALL", "HEALTH_NOTE", "WRITTEN"]

WRITTEN = Drawn("rouge:l_recall", "train", "ROUGE-L recall")

HEALTH_NOTE = (
    "Repeated: share of runs of four words that stand in the same answer before, a sign of collapse. Empty: nothing is "
    "written, which can pass for forgetting. Refusals on rows to keep are what hiding costs."
)

_TRAIN: dict[str, Any] = {
    "batch_size": 16,
    "adam_beta2": 0.98,
    "max_grad_norm": 1.0,
    "num_threads": 1,
    "keep": "last",
    "weight_decay": 0.0,
}
_EVALUATION = {"bootstrap": 1000}

FREE_SMALL = replace(
    SMALL,
    sizes={},
    finetune={
        "trainable": "all",
        "train": {
            **_TRAIN,
            "batch_size": 8,
            "learning_rate": 3e-3,
            "num_epochs": 14,
            "min_lr_ratio": 0.02,
            "warmup_ratio": 0.05,
        },
        "evaluation": _EVALUATION,
    },
    prompt={
        "prompt": {"num_virtual_tokens": 32},
        "retain": {"alpha": 1.0, "beta": 1.0},
        "train": {**_TRAIN, "max_steps": 150, "forget_ratio": 0.5, "warmup_ratio": 0.05, "min_lr_ratio": 0.03},
        "evaluation": _EVALUATION,
    },
    input_prompt={"prompt": {"kind": "direct"}, "train": {"learning_rate": 0.05}},
    deep_prompt={"prompt": {"kind": "prefix"}, "train": {"learning_rate": 0.02}},
    weights={
        "train": {**_TRAIN, "max_steps": 40, "forget_ratio": 0.5, "search_max_steps": 12},
        "evaluation": _EVALUATION,
    },
    rates={"*": (1e-4, 3e-4, 1e-3, 3e-3)},
)
"""For the small bases: far larger rates than a large model's, and enough epochs to learn answers by heart."""

FREE_FULL = replace(
    PAPER,
    sizes={},
    finetune={"trainable": "all", "train": {"keep": "last", "batch_size": 32, "num_epochs": 5}},
    prompt=merged(PAPER.prompt, {"train": {"keep": "last"}}),
    # The paper's rates for the baselines were searched on models of a billion parameters; so are these.
    weights={"train": {"num_epochs": 5, "forget_ratio": 0.5, "search_max_steps": 100, "keep": "last"}},
)
