"""How long a model takes to score and answer TOFU's forget10 with everything that stands beside its answers."""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from spul.config import RunConfig
from spul.data.loading import load_splits
from spul.evaluation import compute_metrics
from spul.models.loading import context_length, load_base
from spul.models.prompted import PromptedModel
from spul.tasks import build_task, score_split


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print what the context took, by the clock and in CPU-seconds of this process."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.monotonic()
    yield
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{what}: {cpu:.1f} CPU-s, {time.monotonic() - start:.1f} s", flush=True)


def main() -> None:
    """Time posing, scoring, scoring with writing, and metrics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="directory of a model")
    parser.add_argument("data", help="TOFU's files")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = {"folder": arguments.data, "benchmark": "tofu", "subset": "forget10", "validation_share": 0.0}
    config = RunConfig.build({"model": {"path": arguments.model}, "data": data, "task": {"name": "qa"}})
    task_settings = config.task
    splits = load_splits(
        config.data, fields=task_settings.fields, generic=task_settings.generic_answers, alternatives=True
    )
    base = load_base(config.model)
    model = PromptedModel(base.model, base.tokenizer, batch_size=config.evaluation.batch_size)
    task = build_task(task_settings, base.tokenizer, max_length=context_length(base.model), labels=[])
    rows = splits.train_forget
    with timed(f"posing {len(rows)} questions"):
        queries = task.pose_all(rows)
    with timed("scoring"):
        score_split(model, task, queries)
    with timed("scoring and writing"):
        samples = score_split(model, task, queries, write=True)
    with timed("metrics"):
        compute_metrics({"unlearned/train_forget": samples}, task.answers, task="qa")


if __name__ == "__main__":
    main()
