"""Targets by example: probabilities of the answers, in words on disk and as token distributions in training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path

import torch

from spul.data.batches import Batch
from spul.errors import RunError
from spul.files import write_jsonl
from spul.types import AnswerTarget, Query, Sample

__all__ = ["Probabilities", "Targets", "answer_path", "overlap", "probabilities_of", "read_answers"]

Probabilities = Mapping[str, float]
"""Probability of every answer of a task, by its text; what is missing to one is that of any other answer."""

Position = tuple[tuple[int, ...], tuple[float, ...]]
"""The tokens that are named at a position, and their mass, with that of all others last."""


@dataclass(frozen=True)
class Targets:
    """What is to be answered to every forget example.

    Attributes:
        answers: the probabilities, by the example's id.
        positions: the same as token distributions, one an answer token, for the examples that are trained on.
    """

    answers: Mapping[str, Probabilities]
    positions: Mapping[str, Sequence[Position]]

    @classmethod
    def build(cls, answers: Mapping[str, Probabilities], queries: Iterable[Query]) -> Targets:
        """Lay the probabilities out along the answers that the queries are trained on."""
        return cls(answers, {query.id: answer_path(query, answers[query.id]) for query in queries})

    def of(self, batch: Batch) -> AnswerTarget:
        """Return what is wanted at the batch's answer positions.

        Raises:
            KeyError: an example is not among those that the targets were made for.
        """
        tokens = zip(batch.rows.tolist(), batch.token_index.tolist(), strict=True)
        found = [self.positions[batch.ids[row]][index] for row, index in tokens]
        width = max((len(ids) for ids, _ in found), default=0)
        ids = [[*ids, *[0] * (width - len(ids))] for ids, _ in found]
        mass = [[*mass[:-1], *[0.0] * (width - len(ids)), mass[-1]] for ids, mass in found]
        device = batch.rows.device
        return AnswerTarget(
            torch.tensor(ids, dtype=torch.long, device=device).view(len(found), width),
            torch.tensor(mass, dtype=torch.float32, device=device).view(len(found), width + 1),
        )

    def save(self, path: Path) -> None:
        """Write one row an example, atomically."""
        write_jsonl(path, ({"id": name, "target": dict(row)} for name, row in self.answers.items()))


def read_answers(path: Path) -> dict[str, Probabilities]:
    """Read what :meth:`Targets.save` wrote.

    Raises:
        RunError: the file does not read.
    """
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {row["id"]: row["target"] for row in rows}
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise RunError(f"the targets in {path} cannot be read ({error}); delete the file and resume") from error


def answer_path(query: Query, answers: Probabilities) -> list[Position]:
    """Return, for every token of the query's answer, what the target says comes there.

    An answer's probability stands at its first token together with that of all answers which begin alike. At later
    tokens only those count that agree with the query's answer so far, so a position's mass is the probability of
    reaching it. An answer that ends where a longer one goes on, and what is no answer of the task, are "any other".
    """
    positions = []
    for index in range(len(query.answer_ids)):
        before = query.answer_ids[:index]
        mass: dict[int, float] = {}
        rest = max(0.0, 1.0 - sum(answers.values())) if index == 0 else 0.0
        for name, ids in query.candidates.items():
            if ids[:index] == before:
                if len(ids) > index:
                    mass[ids[index]] = mass.get(ids[index], 0.0) + answers[name]
                else:
                    rest += answers[name]
        positions.append((tuple(mass), (*mass.values(), rest)))
    return positions


def overlap(sample: Sample, target: Probabilities) -> float:
    """Return Σ min(target, p) over the answers and all others together: one minus the total variation distance."""
    said = probabilities_of(sample)
    shared = sum(min(said[name], wanted) for name, wanted in target.items())
    return shared + min(max(0.0, 1 - sum(said.values())), max(0.0, 1 - sum(target.values())))


def probabilities_of(sample: Sample) -> dict[str, float]:
    """Return what a model's scores of the answers say, as probabilities."""
    return {name: exp(value) for name, value in sample.candidate_logprobs.items()}
