"""Stand-ins for models, tasks and samples: what evaluation, metrics and reports see, without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log

from spul.types import AnswerScores, AnswerSpace, Example, Query, Sample

ANSWERS = AnswerSpace(labels=("negative", "positive"), generic=("neutral", "unknown"))
TOKENS = {"negative": (1,), "positive": (2,), "neutral": (3,), "unknown": (4, 5), "maybe": (6,)}


class FakeModel:
    """Knows an answer by heart for every id: gives its tokens probability ``sure``, and the arg-max."""

    def __init__(self, knows: Mapping[str, str], sure: float = 0.9) -> None:
        self.knows, self.sure = knows, sure
        self.calls: list[int] = []

    def score(self, queries: Sequence[Query], answers: Sequence[Sequence[tuple[int, ...]]]) -> list[list[AnswerScores]]:
        self.calls.append(len(queries))
        known = [TOKENS[self.knows[query.id]] for query in queries]
        return [[self._one(own, option) for option in row] for own, row in zip(known, answers, strict=True)]

    def decode(self, ids: Sequence[int]) -> str:
        return next((text for text, tokens in TOKENS.items() if tokens == tuple(ids)), f"<{ids}>")

    def _one(self, known: tuple[int, ...], option: tuple[int, ...]) -> AnswerScores:
        says = tuple(known[i] if i < len(known) else 0 for i in range(len(option)))
        hits = [own == asked for own, asked in zip(says, option, strict=True)]
        return AnswerScores(tuple(log(self.sure if hit else 1 - self.sure) for hit in hits), says)


@dataclass(frozen=True)
class FakeTask:
    """Reads the answer whose arg-max is itself, as a classification task does."""

    answers: AnswerSpace = ANSWERS
    name: str = "classification"
    generation: None = None

    def pose_all(self, examples: Sequence[Example]) -> list[Query]:
        return [make_query(example.id, example.answer, len(example.fields["text"])) for example in examples]

    def scored_answers(self, query: Query) -> dict[str, tuple[int, ...]]:
        texts = dict.fromkeys((*self.answers.labels, *self.answers.generic, query.answer))
        return {text: TOKENS[text] for text in texts}

    def read(self, query: Query, scores: Mapping[str, AnswerScores], decode: Callable[[Sequence[int]], str]) -> Sample:
        said = [text for text, score in scores.items() if score.argmax_ids == TOKENS[text]]
        best = max(self.answers.labels, key=lambda label: sum(scores[label].logprobs))
        return Sample(
            id=query.id,
            answer=query.answer,
            prediction=said[0] if said and said[0] != "maybe" else None,
            prediction_text=decode(scores[query.answer].argmax_ids),
            restricted_prediction=best,
            logprob=sum(scores[query.answer].logprobs),
            num_tokens=len(query.answer_ids),
            candidate_logprobs={text: sum(score.logprobs) for text, score in scores.items()},
            input_tokens=len(query.prompt_ids),
        )


def make_query(id: str, answer: str, length: int = 5) -> Query:
    return Query(id=id, prompt_ids=(9,) * length, answer_ids=TOKENS[answer], answer=answer)


def make_sample(
    answer: str = "positive",
    prediction: str | None = "positive",
    *,
    id: str = "x",
    restricted: str | None = None,
    logprob: float = -0.1,
    generic: float = 0.05,
    num_tokens: int = 1,
    input_tokens: int = 10,
) -> Sample:
    """A sample; ``generic`` is the probability of the generic answers together."""
    labels = {label: log(0.4) for label in ANSWERS.labels} | {answer: logprob}
    return Sample(
        id=id,
        answer=answer,
        prediction=prediction,
        prediction_text=prediction or "??",
        restricted_prediction=restricted or (prediction if prediction in ANSWERS.labels else answer),
        logprob=logprob,
        num_tokens=num_tokens,
        candidate_logprobs={**labels, "neutral": log(generic / 2), "unknown": log(generic / 2)},
        input_tokens=input_tokens,
    )


def make_samples(pairs: Sequence[tuple[str, str | None]]) -> list[Sample]:
    """Samples from (truth, prediction) pairs, with ids by position."""
    return [make_sample(answer, prediction, id=str(i)) for i, (answer, prediction) in enumerate(pairs)]
