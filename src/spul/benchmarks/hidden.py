"""Figure 1: where a model's last hidden states at the answer position lie, before and after (Bhaila et al. 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from spul.api import load_model
from spul.config import RunConfig
from spul.data.batches import collate, length_sorted_batches
from spul.data.loading import load_splits
from spul.data.splitting import draw
from spul.errors import DataError
from spul.models.loading import context_length
from spul.models.prompted import PromptedModel
from spul.runs import Run
from spul.tasks import Task, build_task
from spul.types import Query

__all__ = ["Embedded", "embed", "neighbours_tell", "states"]

NEIGHBOURS = 10
PERPLEXITY = 30.0


@dataclass(frozen=True)
class Embedded:
    """Rows as points of a plane, before and after.

    Attributes:
        before, after: [n, 2] t-SNE coordinates of the base's and the prompted model's states; each is an embedding of
            its own, so places in one say nothing about places in the other.
        is_forget: [n] which rows are to be forgotten.
        answers: the rows' true answers.
        told_before, told_after: how well forget is told from retain in the states themselves; see
            :func:`neighbours_tell`.
    """

    before: Float[np.ndarray, "n 2"]
    after: Float[np.ndarray, "n 2"]
    is_forget: Bool[np.ndarray, " n"]
    answers: list[str]
    told_before: float
    told_after: float


def embed(run: Run, *, most: int = 200, seed: int = 0) -> Embedded:
    """Return the training rows of a prompt's run as points, with the prompt disabled and with it.

    Args:
        run: one that learned a soft prompt.
        most: rows a side, drawn by the seed among rows that have a label for truth.
        seed: of the draw and of t-SNE.

    Raises:
        DataError: there are fewer than three rows on a side.
    """
    from sklearn.manifold import TSNE

    config = run.config
    model = load_model(run)
    splits = load_splits(config.data, fields=config.task.fields, generic=config.task.generic_answers)
    generic = set(config.task.generic_answers)
    sides = [
        draw([row for row in rows if row.answer not in generic], most, seed)
        for rows in (splits.train_forget, splits.train_retain)
    ]
    if min(map(len, sides)) < 3:
        raise DataError(f"expected at least three rows to forget and to retain, got {[len(side) for side in sides]}")
    labels = sorted({row.answer for row in (*splits.train_forget, *splits.train_retain)})
    queries = _task(config, model, labels).pose_all([*sides[0], *sides[1]])
    is_forget = np.arange(len(queries)) < len(sides[0])
    with model.prompt_disabled():
        before = states(model, queries)
    after = states(model, queries)
    perplexity = min(PERPLEXITY, (len(queries) - 1) / 3)

    def plane(points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n 2"]:
        flat: Float[np.ndarray, "n 2"] = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(
            points
        )
        return flat

    return Embedded(
        plane(before),
        plane(after),
        is_forget,
        [query.answer for query in queries],
        neighbours_tell(before, is_forget),
        neighbours_tell(after, is_forget),
    )


@torch.inference_mode()
def states(model: PromptedModel, queries: Sequence[Query]) -> Float[np.ndarray, "n d"]:
    """Return the last hidden states at the position that predicts the answer's first token, in the queries' order."""
    around = model.surroundings()
    found = np.zeros((len(queries), model.base.config.get_text_config(decoder=True).hidden_size), dtype=np.float32)
    for chosen in length_sorted_batches(queries, model.batch_size):
        batch = collate([queries[i] for i in chosen], [False] * len(chosen), model.pad_id).to(model.device)
        hidden = model.answer_logits(batch, around).hidden
        found[chosen] = hidden[batch.token_index == 0].float().cpu().numpy()
    return found


def neighbours_tell(points: Float[np.ndarray, "n d"], is_forget: Bool[np.ndarray, " n"]) -> float:
    """Return how well a row's ten nearest neighbours tell whether it is to be forgotten: balanced accuracy.

    A row's own vote does not count; 0.5 is chance. A tie goes to retain.
    """
    from sklearn.neighbors import NearestNeighbors

    count = min(NEIGHBOURS, len(points) - 1)
    # Forget rows are as many as they are: each side's votes are weighed by its size.
    weights = np.where(is_forget, 1 / is_forget.sum(), 1 / (~is_forget).sum())
    order = NearestNeighbors(n_neighbors=count).fit(points).kneighbors(return_distance=False)
    votes = (weights[order] * np.where(is_forget[order], 1.0, -1.0)).sum(axis=1) > 0
    return float(((votes & is_forget).sum() / is_forget.sum() + (~votes & ~is_forget).sum() / (~is_forget).sum()) / 2)


def _task(config: RunConfig, model: PromptedModel, labels: Sequence[str]) -> Task:
    length = config.task.max_length or context_length(model.base)
    room = model.num_virtual_tokens
    return build_task(config.task, model.tokenizer, max_length=length - room, labels=labels)
