"""Teacher-forced scores of answers, with as few rows as the answers allow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from spul.data.batches import Batch, pad_right
from spul.errors import ModelError
from spul.types import AnswerScores, Query

if TYPE_CHECKING:
    from spul.models.prompted import PromptedModel

__all__ = ["score_answers"]

_Row = tuple[tuple[int, ...], tuple[int, ...]]
"""Prompt ids, and the answer's ids without the last: one row of a batch."""


def score_answers(
    model: PromptedModel,
    queries: Sequence[Query],
    answers: Sequence[Sequence[tuple[int, ...]]],
    *,
    batch_size: int,
) -> list[list[AnswerScores]]:
    """Score ``answers[i]`` (token ids) after ``queries[i]``; see :meth:`spul.models.prompted.PromptedModel.score`."""
    asked: dict[_Row, list[tuple[int, int]]] = {}
    for i, (query, options) in enumerate(zip(queries, answers, strict=True)):
        for j, option in enumerate(options):
            asked.setdefault((query.prompt_ids, option[:-1]), []).append((i, j))
    results: list[list[AnswerScores | None]] = [[None] * len(options) for options in answers]
    around = model.surroundings()
    beginning: tuple[int, ...] = ()
    if model.num_virtual_tokens and asked:
        # What a template puts in front of every text is run once, with the prompt; the last token of each stays.
        beginning = _common_beginning([prompt[:-1] for prompt, _ in asked])
        around = model.extended(around, torch.tensor(beginning, dtype=torch.long, device=model.device))
    order = sorted(asked, key=lambda row: len(row[0]) + len(row[1]))
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        batch = _batch_of(rows, model).without_beginning(len(beginning))
        logprobs = F.log_softmax(model.answer_logits(batch, around).logits.float(), dim=-1)
        if not torch.isfinite(logprobs.amax(dim=-1)).all():
            raise ModelError("the model's logits are not finite; load it in a wider dtype (model.dtype=float32)")
        argmax = logprobs.argmax(dim=-1).tolist()
        offset = 0
        for prompt_ids, forced in rows:
            length = len(forced) + 1
            for i, j in asked[(prompt_ids, forced)]:
                target = torch.tensor(answers[i][j], device=logprobs.device)
                picked = logprobs[offset : offset + length].gather(1, target.unsqueeze(1)).squeeze(1)
                results[i][j] = AnswerScores(tuple(picked.tolist()), tuple(argmax[offset : offset + length]))
            offset += length
    return [[score for score in row if score is not None] for row in results]


def _common_beginning(sequences: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return what all sequences begin with: what the first and the last of them in their order share."""
    pairs = zip(min(sequences), max(sequences), strict=False)
    return tuple(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _batch_of(rows: Sequence[_Row], model: PromptedModel) -> Batch:
    """Return a batch that asks for every token after each prompt: those of the forced answer, and the one after."""
    input_ids = pad_right([prompt + forced for prompt, forced in rows], model.pad_id)
    positions = [len(prompt) - 1 + t for prompt, forced in rows for t in range(len(forced) + 1)]
    row_index = [r for r, (_, forced) in enumerate(rows) for _ in range(len(forced) + 1)]
    count = len(positions)
    return Batch(
        input_ids=input_ids,
        lengths=torch.tensor([len(prompt) + len(forced) for prompt, forced in rows]),
        positions=torch.tensor(positions),
        rows=torch.tensor(row_index),
        labels=torch.zeros(count, dtype=torch.long),
        is_forget=torch.zeros(len(rows), dtype=torch.bool),
        ids=[""] * len(rows),
        token_index=torch.zeros(count, dtype=torch.long),
    ).to(model.device)
