"""The teacher's answers, computed once: what the unprompted base model says at the retain set's answer positions.

Kept are the hidden states before the output head, d numbers of two bytes an answer token in place of V logits, and no
second forward pass in training. They are bound to the base model's digest and keyed by example and answer token.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import torch
from jaxtyping import Float, Int, Shaped
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from spul.data.batches import Batch, collate, length_sorted_batches
from spul.errors import ModelError, RunError
from spul.files import write_bytes
from spul.models.head import apply_head, head_of
from spul.models.prompted import PromptedModel
from spul.types import Query

__all__ = ["TeacherAnswers", "compute_teacher", "rows_digest"]

HEAD_TOLERANCE = 1e-4
"""Largest absolute difference between the forward pass's logits and those of the hidden states, in float32."""
LARGEST = 32767
"""Of 16-bit integers."""


@dataclass(frozen=True)
class TeacherAnswers:
    """Hidden states [M, d] of M answer tokens.

    Attributes:
        states: one row an answer token: 16-bit integers for a base in float32, else in the base's dtype.
        scales: [M] by which integers are multiplied; ``None`` where there are none.
        start: example id → row of its first answer token; the others follow.
        base_digest: of the model that made them.
        rows: :func:`rows_digest` of the queries that they answer.
        head: a frozen copy of the output head, where the model's own is trained and so moves on.
    """

    states: Shaped[Tensor, "M d"]
    scales: Float[Tensor, " M"] | None
    start: Mapping[str, int]
    base_digest: str
    rows: str
    head: nn.Module | None = None

    def rows_of(self, batch: Batch) -> Int[Tensor, " N"]:
        """Return, for every answer token of a batch, its row here.

        Raises:
            KeyError: an example is not among those that the answers were computed for.
        """
        return _rows_of(self.start, batch)

    def logits(self, model: PromptedModel, batch: Batch) -> Float[Tensor, "N V"]:
        """Return the teacher's logits at the batch's answer positions."""
        rows = self.rows_of(batch)
        hidden = self.states[rows]
        if self.scales is not None:
            hidden = hidden.float() * self.scales[rows].unsqueeze(1)
        with torch.no_grad():
            return apply_head(model.base, hidden.to(model.device), self.head)

    def with_head_of(self, model: PromptedModel) -> TeacherAnswers:
        """Return these answers with a copy of the model's head, to be made before the head is trained."""
        return replace(self, head=copy.deepcopy(head_of(model.base)).requires_grad_(False))

    def save(self, path: Path) -> None:
        """Write to one safetensors file, atomically: d numbers an answer token, and hardly more."""
        tensors = {"states": self.states.contiguous()} | ({} if self.scales is None else {"scales": self.scales})
        metadata = {"base_digest": self.base_digest, "rows": self.rows, "sha256": _digest(tensors)}
        write_bytes(path, save(tensors, metadata=metadata))

    @classmethod
    def load(cls, path: Path, base_digest: str, queries: Sequence[Query]) -> TeacherAnswers:
        """Read what :meth:`save` wrote for the same queries.

        Raises:
            RunError: the file is unreadable or damaged, or was made by another base model or for other rows.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
                if metadata["sha256"] != _digest(tensors):
                    raise ValueError("its numbers are not those that were written")
                facts = metadata["base_digest"], metadata["rows"]
                answers = cls(tensors["states"], tensors.get("scales"), _starts(queries), *facts)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise RunError(
                f"the teacher's answers in {path} cannot be read ({error}); delete the file and resume"
            ) from error
        if answers.base_digest != base_digest:
            raise RunError(
                f"the teacher's answers in {path} are another base model's (digest {answers.base_digest[:12]}, "
                f"expected {base_digest[:12]}); delete the file and resume"
            )
        if answers.rows != rows_digest(queries):
            raise RunError(f"the teacher's answers in {path} are for other retain rows; delete the file and resume")
        return answers


def rows_digest(queries: Sequence[Query]) -> str:
    """Return a SHA-256 over the queries' ids and tokens, in order."""
    digest = hashlib.sha256()
    for query in queries:
        digest.update(json.dumps([query.id, query.prompt_ids, query.answer_ids]).encode())
    return digest.hexdigest()


def _starts(queries: Sequence[Query]) -> dict[str, int]:
    lengths = [len(query.answer_ids) for query in queries]
    return {query.id: end - n for query, n, end in zip(queries, lengths, accumulate(lengths), strict=True)}


def _rows_of(start: Mapping[str, int], batch: Batch) -> Int[Tensor, " N"]:
    first = torch.tensor([start[batch.ids[row]] for row in batch.rows.tolist()], dtype=torch.long)
    return first + batch.token_index.cpu()


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(tensors[name].view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


class _Kept:
    """Room for the states of M tokens, filled as they are computed."""

    def __init__(self, total: int, like: Float[Tensor, "N d"]) -> None:
        whole = like.dtype == torch.float32
        self.states = torch.zeros(total, like.shape[1], dtype=torch.int16 if whole else like.dtype)
        self.scales = torch.zeros(total) if whole else None

    def put(self, rows: Int[Tensor, " N"], hidden: Float[Tensor, "N d"]) -> None:
        """Keep states: a row's largest number becomes 32,767, which is finer than half precision throughout."""
        hidden = hidden.cpu()
        if self.scales is not None:
            scales = hidden.abs().amax(dim=1).clamp(min=torch.finfo(torch.float32).tiny) / LARGEST
            self.scales[rows] = scales
            hidden = (hidden / scales.unsqueeze(1)).round()
        self.states[rows] = hidden.to(self.states.dtype)


@torch.no_grad()
def compute_teacher(
    model: PromptedModel,
    queries: Sequence[Query],
    base_digest: str,
    *,
    batch_size: int,
    progress: Callable[[int, int], None] | None = None,
) -> TeacherAnswers:
    """Run the base model once over the queries and keep its hidden states at the answer positions.

    Args:
        model: the prompted model; its prompt is disabled for the pass.
        queries: posed retain examples.
        base_digest: of the base model, recorded with the answers.
        batch_size: rows of one forward pass.
        progress: called with rows done and rows in all.

    Raises:
        ModelError: the logits of the stored states differ from the forward pass's, so this architecture does something
            after its head that :func:`spul.models.head.apply_head` does not know.
    """
    start, rows = _starts(queries), rows_digest(queries)
    total = sum(len(query.answer_ids) for query in queries)
    kept: _Kept | None = None
    done = 0
    with model.prompt_disabled():
        for indices in length_sorted_batches(queries, batch_size):
            batch = collate([queries[i] for i in indices], [False] * len(indices), model.pad_id).to(model.device)
            answers = model.answer_logits(batch)
            if kept is None:
                _check_head(model, answers.logits, answers.hidden)
                kept = _Kept(total, answers.hidden)
            kept.put(_rows_of(start, batch), answers.hidden)
            done += len(indices)
            if progress is not None:
                progress(done, len(queries))
    if kept is None:
        kept = _Kept(0, torch.empty(0, 0))
    return TeacherAnswers(kept.states, kept.scales, start, base_digest, rows)


def _check_head(model: PromptedModel, logits: Tensor, hidden: Tensor) -> None:
    again = apply_head(model.base, hidden)
    error = (again.float() - logits.float()).abs().max().item()
    scale = max(1.0, logits.float().abs().max().item())
    tolerance = HEAD_TOLERANCE if logits.dtype == torch.float32 else 2e-2
    if not error <= tolerance * scale:
        raise ModelError(
            f"{type(model.base).__name__} changes its logits after the output head in a way that is not known here "
            f"(largest difference {error:.3g}); set retain.beta=0 to train without the KL term"
        )
