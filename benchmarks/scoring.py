"""What is asked without gradients, against a bare forward pass: scores with the prompt and without, the teacher."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.cases import Case, draw_rows
from benchmarks.formulations import Ours
from spul.data.batches import collate, length_sorted_batches
from spul.models.teacher import compute_teacher
from spul.types import Query

__all__ = ["SHAPE", "WIDE", "measure_scoring"]

SHAPE = Case("scoring", num_layers=6, template_tokens=0, text_tokens=(64, 64, 64), batches=1)
WIDE = dataclasses.replace(SHAPE, hidden_size=512, num_layers=8)
BATCH = 64


def measure_scoring(shape: Case, rows: int, repetitions: int) -> list[dict[str, object]]:
    """Return CPU-seconds of going over ``rows`` rows of 64 tokens, in several ways, in turns."""
    torch.set_num_threads(1)
    case = dataclasses.replace(shape, batch_size=rows)
    ours = Ours(dataclasses.replace(shape, batch_size=8))
    queries = [query for part in draw_rows(case) for query in part]
    model = ours.model.eval()
    model.batch_size = BATCH
    answers = [[query.answer_ids] for query in queries]

    def without() -> None:
        with model.prompt_disabled():
            model.score(queries, answers)

    ways: dict[str, Callable[[], object]] = {
        "a bare forward pass": lambda: _bare(ours, queries),
        "the teacher's answers": lambda: compute_teacher(model, queries, "0" * 64, batch_size=BATCH),
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
    bare, plain = seconds["a bare forward pass"], seconds["scores without the prompt"]
    return [
        {
            "d": case.hidden_size,
            "layers": case.num_layers,
            "way": name,
            "rows": len(queries),
            "CPU-s": statistics.median(found),
            "over the bare pass": statistics.median(a / b for a, b in zip(found, bare, strict=True)),
            "over scores without": statistics.median(a / b for a, b in zip(found, plain, strict=True)),
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
