from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from spul.registry import Registry
from spul.tasks.settings import TaskSettings
from spul.types import AnswerScores, AnswerSpace, Example, Query, Sample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["TASKS", "Generation", "Task", "build_task"]

Ids = tuple[int, ...]


class Generation(NamedTuple):
    """How a model writes its own answer: greedily at temperature 0."""

    max_new_tokens: int
    temperature: float
    top_p: float
    stop: tuple[str, ...]

    @classmethod
    def of(cls, settings: TaskSettings) -> Generation:
        """Return what the settings of a task with free answers say."""
        assert settings.max_new_tokens is not None
        return cls(settings.max_new_tokens, settings.temperature, settings.top_p, settings.stop)


class Task(ABC):
    """Poses examples to a model and reads its answers.

    Attributes:
        name: the registered name.
        template: what is taken where a configuration has none: a text, or the name of one that comes with the package.
        defaults: settings that the task has where none are given.
        own_settings: settings that belong to some tasks only, and to this one.
        free_text: whether answers are texts, so that metrics of free answers belong to it, and those of labels do not.
        continues: whether the answer is the text's own continuation, so that no column need hold one.
        answers: the labels, and the generic answers outside them; no labels where answers are free.
        generation: how free answers are written; ``None`` where answers are labels, which are only scored.
        scores_context: whether the arg-max is read at the prompt's own tokens too.
    """

    name: ClassVar[str]
    template: ClassVar[str] = "sentiment"
    defaults: ClassVar[Mapping[str, Any]] = {}
    own_settings: ClassVar[frozenset[str]] = frozenset()
    free_text: ClassVar[bool] = False
    continues: ClassVar[bool] = False
    scores_context: ClassVar[bool] = False
    answers: AnswerSpace
    generation: Generation | None = None

    @classmethod
    @abstractmethod
    def build(
        cls, settings: TaskSettings, tokenizer: PreTrainedTokenizerFast, *, max_length: int, labels: Sequence[str]
    ) -> Self:
        """Build the task; see :func:`build_task`."""

    def pose(self, example: Example) -> Query:
        """Return the example as token ids, with the true answer."""
        return self.pose_all([example])[0]

    @abstractmethod
    def pose_all(self, examples: Sequence[Example]) -> list[Query]:
        """Return the examples as token ids, with their true answers.

        Raises:
            DataError: an answer is none of this task's, or an example cannot be posed.
        """

    @abstractmethod
    def with_answer(self, query: Query, text: str) -> Query:
        """Return the query with another answer to be predicted.

        Raises:
            DataError: the text is none of the task's answers.
        """

    def beginnings(self, query: Query) -> list[tuple[int, Ids]]:
        """Return the beginnings of a text that a model is to go on with, for extraction likelihood.

        Each by the number of the text's tokens that it shows; none where that is not measured.
        """
        return []

    @abstractmethod
    def scored_answers(self, query: Query) -> dict[str, Ids]:
        """Return the answers whose scores :meth:`read` needs, by their text; the true one is among them."""

    @abstractmethod
    def read(self, query: Query, scores: Mapping[str, AnswerScores], decode: Callable[[Sequence[int]], str]) -> Sample:
        """Read a model's answer from its scores of :meth:`scored_answers`.

        Args:
            query: what was asked, with its true answer.
            scores: teacher-forced scores, by the answers' texts.
            decode: turns token ids into text.
        """


TASKS: Registry[type[Task]] = Registry("task", "spul.tasks")


def build_task(
    settings: TaskSettings, tokenizer: PreTrainedTokenizerFast, *, max_length: int, labels: Sequence[str]
) -> Task:
    """Build the task that the settings name.

    Args:
        settings: the task's settings; their ``max_length`` is for the caller, who knows the model's context.
        tokenizer: of the base model.
        max_length: most tokens of prompt and answer together; virtual tokens have been taken off already.
        labels: answers in the training data, repetitions allowed.

    Raises:
        ConfigError: the task is unknown, or its template is not usable.
        DataError: the answers in the data do not fit the settings.
    """
    return TASKS.get(settings.name).build(settings, tokenizer, max_length=max_length, labels=labels)
