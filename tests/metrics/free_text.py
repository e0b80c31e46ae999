"""Samples of free answers, as metrics see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log

from spul.types import AnswerSpace, Continuation, FreeText, Sample, Wording

ANSWERS = AnswerSpace(labels=(), generic=("I do not know.",))


def free_sample(
    id: str = "x",
    *,
    answer: str = "anna was born in the city",
    generated: str | None = "anna was born in the city",
    hits: Sequence[bool] | None = (True, True),
    ends: bool = False,
    probability: float | None = 0.5,
    num_tokens: int = 2,
    paraphrase: float | None = None,
    perturbed: Sequence[float] = (),
    token_logprobs: Sequence[float] | None = None,
    context: Sequence[bool] | None = None,
    text_ids: Sequence[int] | None = None,
    continuations: Mapping[int, Sequence[int]] | None = None,
    similarity: float | None = None,
) -> Sample:
    """A sample; probabilities are per token, wordings have three tokens."""
    logprob = None if probability is None else num_tokens * log(probability)
    return Sample(
        id=id,
        answer=answer,
        prediction=None,
        prediction_text="",
        restricted_prediction=None,
        logprob=logprob,
        num_tokens=num_tokens,
        candidate_logprobs={"I do not know.": -5.0},
        input_tokens=10,
        text=FreeText(
            token_logprobs=None if token_logprobs is None else tuple(token_logprobs),
            token_hits=None if hits is None else tuple(hits),
            ends=ends,
            generated=generated,
            paraphrase=None if paraphrase is None else Wording(3 * log(paraphrase), 3),
            perturbed=tuple(Wording(3 * log(p), 3) for p in perturbed),
            context_hits=None if context is None else tuple(context),
            text_ids=None if text_ids is None else tuple(text_ids),
            continuations=tuple(Continuation(shown, tuple(ids)) for shown, ids in (continuations or {}).items()),
            similarity=similarity,
        ),
    )
