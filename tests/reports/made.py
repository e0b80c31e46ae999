"""A run directory with made-up samples and a made-up log, as a small real run leaves it."""

from __future__ import annotations

from dataclasses import replace
from math import exp
from pathlib import Path
from random import Random

import numpy as np

from spul.config import RunConfig
from spul.evaluation.evaluate import recompute_metrics
from spul.files import write_jsonl
from spul.runs import Run
from spul.scopes import Gate, calibrate, save_gate
from spul.scopes.token_max import TokenMax
from spul.types import Sample
from tests.fakes import ANSWERS, make_sample

SIZES = {"train_forget": 128, "test_forget": 48, "train_retain": 300, "test_retain": 240}
# Of forget and of retain examples: share of right answers, of generic ones, of right ones among the labels alone.
RATES = {
    "base": ((0.99, 0.0, 0.99), (0.98, 0.01, 0.98)),
    "retrained": ((0.40, 0.35, 0.55), (0.97, 0.01, 0.98)),
    "unlearned": ((0.01, 0.98, 0.94), (0.96, 0.03, 0.98)),
    "pretrained": ((0.30, 0.30, 0.50), (0.40, 0.25, 0.55)),
}


def make_run(
    directory: Path,
    *,
    models: tuple[str, ...] = ("base", "retrained", "unlearned", "pretrained"),
    name: str = "made",
    steps: int = 200,
    sizes: dict[str, int] | None = None,
    evaluated: bool = True,
    gated: bool = False,
) -> Run:
    """Make a complete, evaluated run in ``directory``; with ``gated``, its prompt behind a scope gate too."""
    config = RunConfig.build(
        {
            "model": {"path": "a/base", "retrained": "a/retrained" if "retrained" in models else None},
            "data": {"builtin": "fictitious"},
            "task": {"labels": ANSWERS.labels, "generic_answers": ANSWERS.generic},
            "evaluation": {"bootstrap": 200},
            "scope": "gate" if gated else "none",
            "output_dir": str(directory),
        }
    )
    # Past the check of names: a report escapes whatever stands there.
    config = config.model_copy(update={"name": name})
    digests = {split: f"{i}" * 64 for i, split in enumerate(SIZES)}
    run = Run.create(config, "unlearn", base_digest="b" * 64, split_digests=digests)
    write_jsonl(run.path / "train.jsonl", _log(steps))
    for model in models:
        for split, count in (sizes or SIZES).items():
            run.write_samples(f"{model}/{split}", _samples(model, split, count))
    if gated:
        _add_gate(run, sizes or SIZES)
    run.record(
        facts={"answers": {"labels": list(ANSWERS.labels), "generic": list(ANSWERS.generic)}, "kept_step": steps}
    )
    if evaluated:
        recompute_metrics(run)
    cost = {"seconds": 10.25, "steps": steps, "trained_parameters": 3840, "artefact_bytes": 15464}
    cost |= {"seconds_per_epoch": 0.52, "tokens_per_second": 4321.4, "training_flops": 1234567890123456}
    run.seal(status="complete", finished="2026-11-23T18:00:00+00:00", cost=cost)
    return run


def _add_gate(run: Run, sizes: dict[str, int]) -> None:
    """Every eighth forget example is out of scope, every sixteenth retain example is in it."""
    for split in sizes:
        rows = zip(run.read_samples(f"unlearned/{split}"), run.read_samples(f"base/{split}"), strict=True)
        samples = []
        for i, (prompted, plain) in enumerate(rows):
            inside = i % 8 > 0 if split.endswith("_forget") else i % 16 == 0
            samples.append(replace(prompted if inside else plain, scope_score=2.0 * inside - 1, in_scope=inside))
        run.write_samples(f"unlearned_gated/{split}", samples)
    detector = TokenMax.learn(["anna sings"], ["boris plays"], run.config.scope, None)
    save_gate(run.scope_dir, Gate(detector, calibrate(np.arange(99.0), 0.02), ("text",), {"calibration": "made up"}))


def _samples(model: str, split: str, count: int) -> list[Sample]:
    right, generic, restricted = RATES[model][split.endswith("_retain")]
    member = 2.0 if split == "train_forget" and model in ("base", "unlearned") else 0.0
    out = []
    for i in range(count):
        rng, answer = Random(f"{model} {split} {i}"), ("negative", "positive")[i % 2]
        wrong = ("positive", "negative")[i % 2]
        draw = rng.random()
        prediction: str | None = "unknown"
        if draw < right:
            prediction = answer
        elif draw > right + generic:
            prediction = wrong if draw < 0.995 else None
        known = answer if rng.random() < restricted else wrong
        logprob = -exp(rng.gauss(0.0 if right < 0.5 else -2.0 - member, 0.8))
        p_generic = min(0.98, max(0.001, rng.gauss(0.9 if prediction == "unknown" else 0.1, 0.05)))
        told = {"restricted": known, "logprob": logprob, "generic": p_generic, "input_tokens": rng.randint(6, 14)}
        out.append(make_sample(answer, prediction, id=f"{split}-{i}", **told))
    return out


def _log(steps: int) -> list[dict[str, float]]:
    rng = Random(0)
    rows: list[dict[str, float]] = []
    for step in range(1, steps + 1):
        t = step / steps
        forget = 8 * exp(-12 * t) + 0.02 + abs(rng.gauss(0, 0.05 + exp(-8 * t)))
        retain = 0.1 + 0.8 * exp(-((t - 0.15) ** 2) / 0.01) + abs(rng.gauss(0, 0.05))
        kl = 0.05 + 0.6 * exp(-((t - 0.15) ** 2) / 0.01) + abs(rng.gauss(0, 0.03))
        row = {"step": step, "loss": forget + retain + kl, "loss_forget": forget, "loss_retain": retain, "loss_kl": kl}
        rows.append({**row, "grad_norm": 0.3, "learning_rate": 0.03 * (1 - t), "seconds": 0.05})
        if step % max(1, steps // 10) == 0:
            generic, accuracy = 1 - exp(-10 * t), 0.97 - 0.2 * exp(-((t - 0.15) ** 2) / 0.01)
            rows.append(
                {
                    "step": step,
                    "validation_forget_generic": generic,
                    "validation_retain_accuracy": accuracy,
                    "validation_score": 2 * generic * accuracy / (generic + accuracy),
                    "seconds": 0.1,
                }
            )
    return rows
