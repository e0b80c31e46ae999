"""A study of made-up numbers: what is right falls and rises with the swept fields by rules that a test can know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spul.files import write_jsonl
from spul.runs import Run
from spul.studies.jobs import Job
from spul.studies.settings import StudyConfig
from spul.types import MetricResult
from tests.studies.fake import VALUES, FakeWork

RUN: dict[str, Any] = {**VALUES, "model": {"path": "stage:base", "retrained": "stage:retrained"}}
STAGE: dict[str, Any] = {"method": "finetune", "model": {"path": "builtin:demo"}}
STAGES = {"base": STAGE, "retrained": {**STAGE, "method": "retrain"}}


def share(value: float, n: int = 100) -> MetricResult:
    return MetricResult(value, n, "share", True, max(0.0, value - 0.05), min(1.0, value + 0.05))


def numbers(job: Job) -> Mapping[str, MetricResult]:
    """Forget accuracy is α/2 + seed/100, retain accuracy 0.9 − β/10; the base knows 98 %."""
    alpha, beta = job.config.retain.alpha, job.config.retain.beta
    assert alpha is not None and beta is not None
    forget, retain = alpha / 2 + job.config.seed / 100, 0.9 - beta / 10
    out = {}
    for model, (f, r) in {"unlearned": (forget, retain), "base": (0.98, 0.95), "retrained": (0.4, 0.94)}.items():
        for side in ("train", "test"):
            out |= {f"{model}/{side}_forget/accuracy": share(f), f"{model}/{side}_retain/accuracy": share(r)}
            out[f"{model}/{side}_forget/generic_rate"] = share(1 - f)
    return out


def study(**values: Any) -> StudyConfig:
    return StudyConfig.build({"run": VALUES} | values)


def work(**values: Any) -> FakeWork:
    return FakeWork(metrics=numbers, **values)


class ValidatedWork(FakeWork):
    """Its validation score is best at α = 0.7."""

    def __call__(self, job: Job, root: Path, *arguments: Any) -> None:
        super().__call__(job, root, *arguments)
        run = Run.open(job.directory(root), incomplete=True)
        alpha = job.config.retain.alpha
        assert alpha is not None
        write_jsonl(run.path / "train.jsonl", [{"step": 1, "validation_score": 1 - abs(alpha - 0.7)}])
        run.seal(facts={"kept_step": 1})


def names_in(root: Path) -> list[str]:
    return sorted(path.parent.name.rpartition("-")[0] for path in root.glob("*/manifest.json"))
