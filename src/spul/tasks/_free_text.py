"""Tasks whose answers are texts: what they share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self

from spul.data.alternatives import PARAPHRASE, PERTURBED
from spul.data.chat import chat_frame
from spul.data.posing import Poser
from spul.data.templates import Template
from spul.errors import DataError, unknown_name
from spul.tasks._base import Generation, Task
from spul.tasks._reading import arg_max_answer
from spul.tasks.settings import TaskSettings
from spul.types import AnswerScores, AnswerSpace, Example, FreeText, Query, Sample, Wording

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["FreeTextTask", "PosedFreeText", "end_of_sequence"]

BESIDE = "beside:"
"""Stands before the names of alternatives among scores; no answer is called so."""


class FreeTextTask(Task):
    """Reads answers that are texts; how they are posed is each task's own.

    An answer ends with the end-of-sequence token where the tokenizer has one and the answer is a whole, so that a model
    learns to stop. It counts in the loss and in every probability, as in TOFU; matches of tokens leave it out.

    Attributes:
        generation: how the model writes its own answer.
    """

    free_text: ClassVar[bool] = True
    own_settings: ClassVar[frozenset[str]] = frozenset({"max_new_tokens", "temperature", "top_p", "stop"})
    generation: Generation

    def __init__(self, generic: Sequence[str], generation: Generation) -> None:
        self.answers = AnswerSpace(labels=(), generic=tuple(generic))
        self.generation = generation

    @abstractmethod
    def pose_all(self, examples: Sequence[Example]) -> list[Query]:
        """Return the examples as token ids; see :meth:`Task.pose_all`."""

    def with_answer(self, query: Query, text: str) -> Query:
        """Return the query with a generic answer to be predicted.

        Raises:
            DataError: it is none of them.
        """
        if text not in query.candidates:
            raise DataError(f"{unknown_name('generic answer', text, query.candidates)}. Set task.generic_answers.")
        return replace(query, answer=text, answer_ids=query.candidates[text], ends=True)

    def scored_answers(self, query: Query) -> dict[str, tuple[int, ...]]:
        """Return the true answer, every generic one, and what stands beside them."""
        beside = {f"{BESIDE}{name}": ids for name, ids in query.alternatives.items()}
        return {**query.candidates, query.answer: query.answer_ids, **beside}

    def read(self, query: Query, scores: Mapping[str, AnswerScores], decode: Callable[[Sequence[int]], str]) -> Sample:
        """Read the answer: the truth or a generic one where every token of it is the arg-max, else none of them."""
        ids = {**query.candidates, query.answer: query.answer_ids}
        prediction = arg_max_answer(ids, scores, ids)
        truth = scores[query.answer]
        beside = {
            name: Wording(sum(scores[f"{BESIDE}{name}"].logprobs), len(ids)) for name, ids in query.alternatives.items()
        }
        return Sample(
            id=query.id,
            answer=query.answer,
            prediction=prediction,
            prediction_text=decode(scores[query.answer if prediction is None else prediction].argmax_ids),
            restricted_prediction=None,
            logprob=sum(truth.logprobs),
            num_tokens=len(query.answer_ids),
            candidate_logprobs={text: sum(scores[text].logprobs) for text in query.candidates},
            input_tokens=len(query.prompt_ids),
            group=query.group,
            text=FreeText(
                token_logprobs=truth.logprobs,
                token_hits=tuple(a == b for a, b in zip(truth.argmax_ids, query.answer_ids, strict=True)),
                ends=query.ends,
                paraphrase=beside.get(f"{PARAPHRASE}:0"),
                perturbed=tuple(words for name, words in beside.items() if name.startswith(f"{PERTURBED}:")),
            ),
        )


class PosedFreeText(FreeTextTask):
    """A free answer to what a template poses: a question, or a document that may be cut.

    Attributes:
        document: the field that is cut where an input is too long; without it nothing is.
    """

    document: ClassVar[str]

    def __init__(
        self, poser: Poser, generic: Sequence[str], generation: Generation, end: tuple[int, ...], *, cuts: bool
    ) -> None:
        super().__init__(generic, generation)
        self._poser = poser
        self._end = end
        self._cuts = cuts

    @classmethod
    def build(
        cls, settings: TaskSettings, tokenizer: PreTrainedTokenizerFast, *, max_length: int, labels: Sequence[str]
    ) -> Self:
        """Build the task; the answers in the data are free.

        Raises:
            ConfigError: the template is not usable, or there is no chat template.
        """
        template = Template.parse(settings.template)
        document = settings.truncate_field or (cls.document if cls.document in template.fields else None)
        end = end_of_sequence(tokenizer)
        generation = Generation.of(settings)
        frame = chat_frame(tokenizer) if settings.chat else None
        poser = Poser(tokenizer, template, max_length - len(end), document, frame, generation.max_new_tokens)
        return cls(poser, settings.generic_answers, generation, end, cuts=document is not None)

    def pose_all(self, examples: Sequence[Example]) -> list[Query]:
        """Return the examples as token ids.

        Raises:
            DataError: a question is too long (a document is cut instead), an answer is, or an example cannot be posed.
        """
        queries = self._poser.pose_all(examples, self.answers.generic, [_options(example) for example in examples])
        return [self._finished(query) for query in queries]

    def _finished(self, query: Query) -> Query:
        if query.truncated and not self._cuts:
            raise DataError(
                f"example {query.id}: question and answer do not fit: {self._poser.max_length} tokens have to hold the "
                "template, the question, and the longest of its answers or task.max_new_tokens="
                f"{self.generation.max_new_tokens}; questions are never cut. Raise task.max_length, lower "
                "task.max_new_tokens, or drop the row."
            )
        texts = {name: (*ids, *self._end) for name, ids in query.alternatives.items()}
        return replace(
            query,
            answer_ids=texts.pop(query.answer),
            candidates={text: (*ids, *self._end) for text, ids in query.candidates.items()},
            alternatives=texts,
            ends=bool(self._end),
        )


def end_of_sequence(tokenizer: PreTrainedTokenizerFast) -> tuple[int, ...]:
    """Return the end-of-sequence token, as ids that are put behind an answer; none where the tokenizer has none."""
    end = tokenizer.eos_token_id
    return () if end is None else (int(end),)


def _options(example: Example) -> dict[str, str]:
    """Return what may follow this example's prompt alone: the truth by its own text, alternatives by name."""
    beside = {f"{name}:{i}": text for name, texts in example.alternatives.items() for i, text in enumerate(texts)}
    return {**beside, example.answer: example.answer}
