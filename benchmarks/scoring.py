"""What a prompt costs when a model is only asked: scores with it, without it, and a bare forward pass."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.cases import Case, draw_rows
from benchmarks.formulations import Ours
from spul.data.batches import collate, length_sorted_batches
from spul.types import Query

__all__ = ["measure_scoring"]

SHAPE = Case("scoring", num_layers=6, template_tokens=0, text_tokens=(64, 64, 64), batches=1)
BATCH = 64


def measure_scoring(rows: int, repetitions: int) -> list[dict[str, object]]:
    """Return CPU-seconds of scoring ``rows`` rows of 64 tokens, three ways, in turns."""
    torch.set_num_threads(1)
    case = Case(**{**SHAPE.__dict__, "batches": 1, "batch_size": rows})
    ours = Ours(Case(**{**SHAPE.__dict__, "batch_size": 8}))
    queries = [query for part in draw_rows(case) for query in part]
    model = ours.model.eval()
    model.batch_size = BATCH
    answers = [[query.answer_ids] for query in queries]

    def without() -> None:
        with model.prompt_disabled():
            model.score(queries, answers)

    ways: dict[str, Callable[[], object]] = {
        "a bare forward pass": lambda: _bare(ours, queries),
        "scores without the prompt": without,
        "scores with the prompt": lambda: model.score(queries, answers),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(repetitions + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if repetition:  # the first warms up
                seconds[name].append(time.process_time() - start)
    bare = seconds["a bare forward pass"]
    return [
        {
            "way": name,
            "rows": len(queries),
            "CPU-s": statistics.median(found),
            "over the bare pass": statistics.median(a / b for a, b in zip(found, bare, strict=True)),
        }
        for name, found in seconds.items()
    ]


@torch.inference_mode()
def _bare(ours: Ours, queries: list[Query]) -> None:
    """Run the base model over the rows and read one position of each: the least that any score costs."""
    for rows in length_sorted_batches(queries, BATCH):
        batch = collate([queries[row] for row in rows], [False] * len(rows), 0)
        hidden = ours.base.get_decoder()(input_ids=batch.input_ids, use_cache=False).last_hidden_state
        ours.base.get_output_embeddings()(hidden[batch.rows, batch.positions])
