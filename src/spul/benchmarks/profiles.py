"""How long everything is trained, on how many rows: the paper's settings, and small ones for a CPU.

A profile holds values of :class:`~spul.config.RunConfig`, nested like its YAML file; what a method sets by itself
(:mod:`spul.methods`) is not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from spul.benchmarks.datasets import Dataset

__all__ = ["PAPER", "SMALL", "Profile", "Sizes", "merged"]

Values = Mapping[str, Any]


def merged(*values: Values) -> dict[str, Any]:
    """Merge nested values; later ones win."""
    found: dict[str, Any] = {}
    for mapping in values:
        for key, value in mapping.items():
            below = found.get(key)
            found[key] = (
                merged(below if isinstance(below, Mapping) else {}, value) if isinstance(value, Mapping) else value
            )
    return found


@dataclass(frozen=True)
class Sizes:
    """How much of a data set is used.

    Attributes:
        max_rows: split → at most that many rows, drawn by the seed; a split that is not named is used whole.
        generic_rows: rows whose truth is the generic answer, made for base and retrained model alike; 0 for none.
        max_length: most tokens of a row, virtual tokens not counted; the model's context if missing.
        epochs: of the base and the retrained model.
        steps: of a prompt; the profile's epochs if missing.
        scored: most rows of a split that are scored.
    """

    max_rows: Mapping[str, int] = field(default_factory=dict)
    generic_rows: int = 0
    max_length: int | None = None
    epochs: float = 10
    steps: int | None = None
    scored: int | None = None


@dataclass(frozen=True)
class Profile:
    """Settings of every stage.

    Attributes:
        name: ``small`` or ``paper``.
        sizes: by data set; ``sizes_of`` picks.
        finetune: of base and retrained model.
        prompt: of every soft prompt.
        input_prompt, deep_prompt: of the one at input level, and of the deep one.
        weights: of every baseline that trains weights.
        rates: peak learning rates that a baseline searches, by method; ``*`` for the others.
        generic_answers: by task.
        grid: α, β of table 3.
        shares: of the forget set in table 4, in per cent.
        lengths: numbers of virtual tokens in figure 2.
    """

    name: Literal["small", "paper"]
    sizes: Mapping[str, Sizes]
    finetune: Values
    prompt: Values
    input_prompt: Values
    deep_prompt: Values
    weights: Values
    rates: Mapping[str, tuple[float, ...]]
    generic_answers: Mapping[str, tuple[str, ...]]
    grid: tuple[tuple[float, float], ...]
    shares: tuple[int, ...] = (25, 50, 100)
    lengths: tuple[int, ...] = (5, 10, 30, 50, 100)

    def sizes_of(self, data: Dataset) -> Sizes:
        """Return the sizes of one data set: its own, else those of its kind."""
        return self.sizes.get(data.name) or self.sizes[data.paper or data.task]


PAPER = Profile(
    name="paper",
    sizes={
        "sst2": Sizes(epochs=10, max_length=1024),
        "yelp": Sizes(epochs=2, max_length=1024),
        "wmdp_sciq": Sizes(epochs=5, max_length=1024),
    },
    # QLoRA, merged before unlearning: Bhaila et al. 2025, section 4 and appendix. What is not named here is the default
    # of RunConfig, which is the paper's.
    finetune={
        "trainable": "lora",
        "model": {"quantization": "nf4"},
        "train": {"learning_rate": 1e-4, "batch_size": 32},
    },
    prompt={"train": {"learning_rate": 1e-4, "num_epochs": 10, "forget_ratio": "natural"}},
    input_prompt={"prompt": {"kind": "mlp"}},
    deep_prompt={"prompt": {"kind": "prefix_mlp"}},
    weights={"train": {"num_epochs": 1, "forget_ratio": "natural", "search_max_steps": 100, "keep": "last"}},
    # The paper searches the baselines' rates and does not say which it tried.
    rates={"*": (1e-6, 5e-6, 2e-5)},
    generic_answers={"classification": ("neutral", "unknown"), "multiple_choice": ("neutral", "unknown")},
    grid=tuple((alpha, beta) for alpha in (0.1, 0.5, 1.0) for beta in (0.0, 0.1, 0.5, 1.0)),
    lengths=(10, 20, 30, 40, 50),
)

_SMALL_TRAIN: Values = {"batch_size": 32, "adam_beta2": 0.98, "max_grad_norm": 1.0, "num_threads": 1}
# Intervals of the tables are over seeds; those of a single run are only looked at by the way.
_SMALL_EVALUATION: Values = {"bootstrap": 200}

SMALL = Profile(
    name="small",
    sizes={
        "sst2": Sizes(
            {"train_retain": 1200, "train_forget": 500, "test_retain": 600},
            generic_rows=300,
            max_length=128,
            epochs=4,
            steps=350,
            scored=300,
        ),
        "yelp": Sizes(
            {"train_retain": 900, "test_retain": 400},
            generic_rows=300,
            max_length=96,
            epochs=4,
            steps=150,
            scored=200,
        ),
        "wmdp_sciq": Sizes(
            {"train_retain": 240, "train_forget": 190, "test_retain": 100},
            generic_rows=60,
            max_length=352,
            epochs=12,
            steps=120,
            scored=80,
        ),
    },
    finetune={
        "train": {**_SMALL_TRAIN, "learning_rate": 1e-3, "weight_decay": 0.01, "min_lr_ratio": 0.05},
        "evaluation": _SMALL_EVALUATION,
    },
    # Small models want far larger rates than the paper's 1e-4, and an even share of forget rows.
    prompt={
        "data": {"validation_share": 0.0},
        "train": {
            **_SMALL_TRAIN,
            "batch_size": 24,
            "forget_ratio": 0.33,
            "warmup_ratio": 0.05,
            "min_lr_ratio": 0.03,
            "weight_decay": 0.0,
            "keep": "last",
        },
        "evaluation": _SMALL_EVALUATION,
    },
    input_prompt={"prompt": {"kind": "direct"}, "train": {"learning_rate": 0.05}},
    deep_prompt={"prompt": {"kind": "prefix"}, "train": {"learning_rate": 0.05}},
    weights={
        "train": {
            **_SMALL_TRAIN,
            "num_epochs": 1,
            "forget_ratio": "natural",
            "search_max_steps": 15,
            "keep": "last",
        },
        "evaluation": _SMALL_EVALUATION,
    },
    rates={"*": (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)},
    generic_answers={"classification": ("neutral",), "multiple_choice": ("unknown",)},
    grid=((0.1, 0.0), (0.1, 1.0), (1.0, 0.0), (1.0, 0.5), (1.0, 1.0)),
)
