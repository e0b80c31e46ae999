"""A text's own continuation: verbatim memory. Carlini et al. 2023 (arXiv:2202.07646); MUSE, Shi et al. 2024."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from spul.data.posing import encode_prompts
from spul.data.templates import Template
from spul.errors import ConfigError, DataError
from spul.tasks._base import TASKS, Generation
from spul.tasks._free_text import FreeTextTask, end_of_sequence
from spul.tasks.settings import TaskSettings
from spul.types import Example, Query

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["Completion"]


@TASKS.register("completion")
class Completion(FreeTextTask):
    """The tokens that follow the first ``prefix_tokens`` of a text, at most ``suffix_tokens`` of them.

    Whole texts are given, without an answer column: prefix and continuation are cut out of the text's own tokens, so
    that no border between two texts changes them. The continuation has no end of its own; generic answers end.
    """

    name: ClassVar[str] = "completion"
    template: ClassVar[str] = "completion"
    defaults: ClassVar[Mapping[str, Any]] = {
        "generic_answers": ("I do not know how this text goes on.",),
        "max_new_tokens": 50,
        "prefix_tokens": 50,
        "suffix_tokens": 50,
    }
    own_settings: ClassVar[frozenset[str]] = FreeTextTask.own_settings | {
        "prefix_tokens",
        "suffix_tokens",
        "extraction_stride",
    }
    continues: ClassVar[bool] = True
    scores_context: ClassVar[bool] = True

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        settings: TaskSettings,
        max_length: int,
    ) -> None:
        super().__init__(settings.generic_answers, Generation.of(settings))
        assert settings.prefix_tokens is not None and settings.suffix_tokens is not None
        self._tokenizer = tokenizer
        self._field = settings.fields[0]
        self._prefix, self._suffix = settings.prefix_tokens, settings.suffix_tokens
        self._stride = settings.extraction_stride
        end = end_of_sequence(tokenizer)
        self._generic = {
            text: (*tokenizer(f" {text}", add_special_tokens=False)["input_ids"], *end) for text in self.answers.generic
        }
        for text, ids in self._generic.items():
            if tokenizer.unk_token_id in ids:
                raise ConfigError(
                    f"{text!r} cannot be written in this tokenizer; set task.generic_answers to other words"
                )
        longest = max(self._suffix, self.generation.max_new_tokens, *map(len, self._generic.values()))
        # One more for the token that a tokenizer may put in front.
        if self._prefix + 1 + longest > max_length:
            raise ConfigError(
                f"{self._prefix} tokens of prefix and {longest} that follow do not fit into {max_length}; lower "
                "task.prefix_tokens, task.suffix_tokens or task.max_new_tokens"
            )

    @classmethod
    def build(
        cls, settings: TaskSettings, tokenizer: PreTrainedTokenizerFast, *, max_length: int, labels: Sequence[str]
    ) -> Self:
        """Build the task.

        Raises:
            ConfigError: the template holds more than the text, or prefix and continuation do not fit into the context.
        """
        if any(literal for literal, _ in Template.parse(settings.template).pieces) or len(settings.fields) != 1:
            raise ConfigError(
                f"expected a template of one field alone, {{text}}{{answer}} say, since a text goes on by itself; got "
                f"{settings.template!r}"
            )
        return cls(tokenizer, settings, max_length)

    def pose_all(self, examples: Sequence[Example]) -> list[Query]:
        """Return the beginning of every text, with what follows as its answer.

        Raises:
            DataError: a text is so short that nothing follows its prefix.
        """
        encoded = encode_prompts(self._tokenizer, [example.fields[self._field] for example in examples])
        return [self._query(*pair) for pair in zip(examples, encoded, strict=True)]

    def beginnings(self, query: Query) -> list[tuple[int, tuple[int, ...]]]:
        """Return every ``extraction_stride``-th beginning of prefix and continuation together, from one token on."""
        if self._stride is None:
            return []
        # A token that the tokenizer puts in front is always shown and does not count.
        start = len(query.prompt_ids) - self._prefix
        ids = query.prompt_ids + query.answer_ids
        return [(shown, ids[: start + shown]) for shown in range(1, len(ids) - start, self._stride)]

    def _query(self, example: Example, ids: tuple[int, ...]) -> Query:
        special = frozenset(self._tokenizer.all_special_ids)
        start = next((i for i, token in enumerate(ids) if token not in special), len(ids))
        border = start + self._prefix
        answer = ids[border : border + self._suffix]
        if not answer:
            raise DataError(
                f"example {example.id}: expected a text of more than {self._prefix} tokens, so that something follows "
                f"its prefix, got {len(ids) - start}. Lower task.prefix_tokens, or drop the row."
            )
        return Query(
            id=example.id,
            group=example.group,
            fields=example.fields,
            prompt_ids=ids[:border],
            answer_ids=answer,
            answer=str(self._tokenizer.decode(list(answer), skip_special_tokens=True)),
            candidates=self._generic,
            truncated=len(ids) > border + self._suffix,
        )
