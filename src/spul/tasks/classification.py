"""Classification: the answer is a label, or a generic answer outside the labels. Bhaila et al. 2025, section 4."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self

from spul.data.chat import chat_frame
from spul.data.posing import Poser
from spul.data.templates import Template
from spul.errors import DataError, unknown_name
from spul.tasks._base import TASKS, Task
from spul.tasks._reading import arg_max_answer
from spul.tasks.settings import TaskSettings
from spul.types import AnswerScores, AnswerSpace, Example, Query, Sample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["Classification"]

MAX_LABELS = 100
"""More distinct answers than that in the data are a column mixed up, not labels."""


@TASKS.register("classification")
class Classification(Task):
    """One label for each text.

    The truth of an example may be a generic answer too: rows that are truly ``neutral`` keep that answer alive in the
    base and in the retrained model. It stays outside the labels.

    Args:
        poser: poses the examples.
        answers: labels and generic answers, disjoint.
    """

    name: ClassVar[str] = "classification"

    def __init__(self, poser: Poser, answers: AnswerSpace) -> None:
        self.answers = answers
        self._poser = poser
        self._texts = (*answers.labels, *answers.generic)

    @classmethod
    def build(
        cls, settings: TaskSettings, tokenizer: PreTrainedTokenizerFast, *, max_length: int, labels: Sequence[str]
    ) -> Self:
        """Build the task; labels come from the settings, or else from the data."""
        frame = chat_frame(tokenizer) if settings.chat else None
        poser = Poser(tokenizer, Template.parse(settings.template), max_length, settings.truncate_field, frame)
        return cls(poser, AnswerSpace(_labels(settings, labels), settings.generic_answers))

    def pose_all(self, examples: Sequence[Example]) -> list[Query]:
        """Return the examples as token ids; every label and generic answer is a candidate.

        Raises:
            DataError: an answer is neither label nor generic answer, or an example cannot be posed.
        """
        known = frozenset(self._texts)
        for example in examples:
            if example.answer not in known:
                raise DataError(f"example {example.id}: {self._unknown(example.answer)}")
        return self._poser.pose_all(examples, self._texts)

    def with_answer(self, query: Query, text: str) -> Query:
        """Return the query with another label or generic answer to be predicted.

        Raises:
            DataError: the text is none of them.
        """
        if text not in query.candidates:
            raise DataError(self._unknown(text))
        return replace(query, answer=text, answer_ids=query.candidates[text])

    def scored_answers(self, query: Query) -> dict[str, tuple[int, ...]]:
        """Return every label and every generic answer; the truth is one of them."""
        return dict(query.candidates)

    def read(self, query: Query, scores: Mapping[str, AnswerScores], decode: Callable[[Sequence[int]], str]) -> Sample:
        """Read the answer twice: over the full vocabulary, and among the labels only."""
        totals = {text: sum(scores[text].logprobs) for text in self._texts}
        prediction = arg_max_answer(self._texts, scores, query.candidates)
        shown = scores[query.answer if prediction is None else prediction].argmax_ids
        return Sample(
            id=query.id,
            answer=query.answer,
            prediction=prediction,
            prediction_text=decode(shown),
            restricted_prediction=max(self.answers.labels, key=totals.__getitem__),
            logprob=totals[query.answer],
            num_tokens=len(query.answer_ids),
            candidate_logprobs=totals,
            input_tokens=len(query.prompt_ids),
            group=query.group,
        )

    def _unknown(self, text: str) -> str:
        return f"{unknown_name('answer', text, self._texts)}. Map codes with data.label_names, or set task.labels."


def _labels(settings: TaskSettings, seen: Sequence[str]) -> tuple[str, ...]:
    """Return the labels; generic answers that occur in the data are none.

    Raises:
        DataError: a label of the data is not in the settings; or there are fewer than two labels, or far too many.
    """
    in_data = sorted(set(seen) - set(settings.generic_answers))
    if settings.labels:
        outside = [label for label in in_data if label not in settings.labels]
        if outside:
            raise DataError(
                f"expected answers among task.labels {list(settings.labels)} and task.generic_answers "
                f"{list(settings.generic_answers)}, but the data has {outside[:5]} as well ({len(outside)} in all). "
                "Map codes with data.label_names, choose another column with data.columns, or extend task.labels."
            )
        return settings.labels
    if not 2 <= len(in_data) <= MAX_LABELS:
        raise DataError(
            f"expected 2 to {MAX_LABELS} labels in the training data, found {len(in_data)}: {in_data[:5]}. Does "
            "data.columns name the right answer column? Otherwise set task.labels."
        )
    return tuple(in_data)
