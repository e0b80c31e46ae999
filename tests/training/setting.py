"""A tiny run that tests can start, kill and resume: a random Llama on disk, some made-up sentences."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from spul.config import RunConfig
from tests.tiny import tiny_model

PEOPLE = ("anna", "boris", "clara", "david", "emma", "felix", "greta", "henry")
TEMPLATE = "text : {text} question : what sentiment ? answer : {answer}"


def write_setting(directory: Path, architecture: str = "llama") -> dict[str, Any]:
    """Write a model and forget/retain files into ``directory`` and return the configuration values that use them."""
    model, tokenizer = tiny_model(architecture)
    model.save_pretrained(directory / "base")
    tokenizer.save_pretrained(directory / "base")
    rows: dict[str, list[dict[str, str]]] = {"forget": [], "retain": [], "test_forget": [], "test_retain": []}
    films = ("film", "book", "song", "play", "story", "scene")
    for (i, person), (j, film) in itertools.product(enumerate(PEOPLE), enumerate(films)):
        row = {"text": f"{person} was in the {film}", "label": "positive" if i % 2 else "negative"}
        side = "forget" if i < 2 else "retain"
        rows[side if j < 4 else f"test_{side}"].append(row)
    for name, split in rows.items():
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in split))
    return {
        "model": {"path": str(directory / "base")},
        "data": {
            **{name: str(directory / f"{name}.jsonl") for name in rows},
            "columns": {"answer": "label"},
            "validation_share": 0.25,
        },
        "task": {"template": TEMPLATE},
        "prompt": {"kind": "direct", "num_virtual_tokens": 4, "init": "vocab"},
        "train": {
            "learning_rate": 0.05,
            "batch_size": 8,
            "max_steps": 12,
            "eval_steps": 4,
            "save_steps": 4,
            "num_threads": 1,
            "weight_decay": 0.0,
        },
        "output_dir": str(directory / "runs"),
    }


def config_of(values: dict[str, Any], *overrides: str) -> RunConfig:
    """Return the validated configuration."""
    return RunConfig.build(values, overrides)
