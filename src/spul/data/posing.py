"""Posing: an example becomes token ids, cut to the context; the text is cut, never the template or the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from spul.data.chat import Frame
from spul.data.templates import Template
from spul.errors import ConfigError, DataError, ModelError, unknown_name
from spul.types import Example, Query

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["Poser", "encode_prompts"]

Ids = tuple[int, ...]

CHUNK = 4096
"""Prompts that are tokenised in one call; bounds the memory that the tokenizer's records take."""

TAIL = 64
"""Characters at a prompt's end that decide how the text after it is tokenised. Merges reach over a word or two at most,
and to tokenise a long prompt anew for every answer would take most of the time."""


def encode_prompts(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], frame: Frame | None = None) -> list[Ids]:
    """Return the ids of texts that a model is to continue.

    Special tokens that the tokenizer puts in front (BOS) stay; those that it puts behind (EOS, SEP) are left out, since
    nothing follows an end. What a chat template puts around a text, the ``frame``, spells its special tokens out.
    """
    if frame is not None:
        return _encode(tokenizer, [f"{frame.before}{text}{frame.after}" for text in texts], 0, special=False)
    return _encode(tokenizer, texts, _count_closing(tokenizer))


def _encode(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], closing: int, *, special: bool = True
) -> list[Ids]:
    rows: list[Ids] = []
    for start in range(0, len(texts), CHUNK):
        chunk = list(texts[start : start + CHUNK])
        encoded = tokenizer(chunk, add_special_tokens=special, return_attention_mask=False, verbose=False)
        rows += [tuple(ids[: len(ids) - closing]) for ids in encoded["input_ids"]]
    return rows


def _count_closing(tokenizer: PreTrainedTokenizerFast) -> int:
    """Return how many special tokens the tokenizer puts behind a text.

    Raises:
        ModelError: no token of the vocabulary is found again in the text that it stands for.
    """
    special = frozenset(tokenizer.all_special_ids)
    for token_id in range(len(tokenizer)):
        if token_id in special:
            continue
        text = tokenizer.decode([token_id])
        mask: list[int] = tokenizer(text, return_special_tokens_mask=True, verbose=False)["special_tokens_mask"]
        # Without an ordinary token the special ones before and behind cannot be told apart.
        if 0 in mask:
            return mask[::-1].index(0)
    raise ModelError("expected a tokenizer with ordinary tokens, but every text becomes special tokens only")


class Poser:
    """Turns examples into queries.

    The ids of an answer are those that the tokenizer gives it behind the prompt, so that a generated answer and a
    posed one agree. Where prompt and answer are merged over their border, the answer is tokenised alone.

    Args:
        tokenizer: a fast tokenizer; it is not changed.
        template: the text around an example.
        max_length: most tokens of prompt and answer together; virtual tokens have been taken off already.
        truncate_field: field that is cut from its end where an input is too long; the template's first if missing.
        frame: what a chat template puts around the prompt. Its special tokens are spelled out, so that the tokenizer
            adds none; the answer follows it at once.
        least_room: tokens that stay free behind the prompt at least, for an answer that the model is to write.

    Raises:
        ConfigError: the template has no field ``truncate_field``.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        template: Template,
        max_length: int,
        truncate_field: str | None = None,
        frame: Frame | None = None,
        least_room: int = 1,
    ) -> None:
        if truncate_field is not None and truncate_field not in template.fields:
            raise ConfigError(f"truncate_field: {unknown_name('field', truncate_field, template.fields)}")
        self.tokenizer = tokenizer
        self.template = template
        self.max_length = max_length
        self.truncate_field = truncate_field or template.fields[0]
        self._least_room = least_room
        self._frame = frame or Frame("", "")
        self._adds_special = frame is None
        self._separator = template.separator if frame is None else ""
        self._closing = _count_closing(tokenizer) if self._adds_special else 0
        self._known_ids: dict[tuple[str, tuple[str, ...]], Mapping[str, Ids]] = {}

    def pose(self, example: Example, answers: Sequence[str] = ()) -> Query:
        """Pose one example; see :meth:`pose_all`."""
        return self.pose_all([example], answers)[0]

    def pose_all(
        self,
        examples: Sequence[Example],
        answers: Sequence[str] = (),
        options: Sequence[Mapping[str, str]] | None = None,
    ) -> list[Query]:
        """Pose examples.

        Args:
            examples: what to pose.
            answers: every answer that may be asked for in place of the true one; room is left for the longest.
            options: for every example texts of its own that may follow its prompt, by name; they become the query's
                alternatives. Unlike answers, they may be alike, and hold unknown tokens.

        Raises:
            DataError: a field is missing; a prompt or an answer has no token; an answer holds an unknown token, or two
                answers are the same tokens; or an input does not fit even with its text cut away.
        """
        common = tuple(answers)
        asked = [_Asked(common, own) for own in (options if options is not None else [{}] * len(examples))]
        prompts = [self._rendered(example) for example in examples]
        return [self._query(*row) for row in zip(examples, asked, prompts, self._encode(prompts), strict=True)]

    def _encode(self, texts: Sequence[str]) -> list[Ids]:
        return _encode(self.tokenizer, texts, self._closing, special=self._adds_special)

    def _rendered(self, example: Example) -> str:
        try:
            return self._framed(example.fields)
        except DataError as error:
            raise DataError(f"example {example.id}: {error}") from error

    def _framed(self, fields: Mapping[str, str]) -> str:
        return f"{self._frame.before}{self.template.render_prompt(fields)}{self._frame.after}"

    def _query(self, example: Example, asked: _Asked, prompt: str, prompt_ids: Ids) -> Query:
        answers = self._answers(example, asked, prompt, prompt_ids)
        if len(prompt_ids) + self._room(answers) > self.max_length:
            cut = self._cut(example, asked, prompt)
            return self._finished(example, cut.prompt_ids, cut.answers, truncated=True)
        return self._finished(example, prompt_ids, answers, truncated=False)

    def _room(self, answers: _Answers) -> int:
        return max(answers.longest, self._least_room)

    def _finished(self, example: Example, prompt_ids: Ids, answers: _Answers, *, truncated: bool) -> Query:
        return Query(
            example.id,
            prompt_ids,
            answers.truth,
            example.answer,
            answers.candidates,
            truncated,
            answers.options,
            example.group,
            example.fields,
        )

    def _cut(self, example: Example, asked: _Asked, prompt: str) -> _Cut:
        """Cut the text by as many of its last tokens as do not fit; again, where that leaves other tokens behind."""
        fields = dict(example.fields)
        while True:
            encoded = self.tokenizer(
                prompt,
                add_special_tokens=self._adds_special,
                return_offsets_mapping=True,
                return_special_tokens_mask=True,
                verbose=False,
            )
            mask = encoded["special_tokens_mask"]
            prompt_ids = tuple(encoded["input_ids"][: len(mask) - self._closing])
            answers = self._answers(example, asked, prompt, prompt_ids)
            excess = len(prompt_ids) + self._room(answers) - self.max_length
            if excess <= 0:
                return _Cut(prompt_ids, answers)
            start = len(self._frame.before) + self.template.start_of(self.truncate_field, fields)
            text = fields[self.truncate_field]
            inside = [
                first - start
                for (first, _), special in zip(encoded["offset_mapping"], mask, strict=True)
                if not special and start <= first < start + len(text)
            ]
            kept = text[: inside[-excess]].rstrip() if excess < len(inside) else ""
            if not kept:
                raise DataError(
                    f"example {example.id}: template and answer leave no room for any of {self.truncate_field!r} "
                    f"within {self.max_length} tokens ({len(prompt_ids)} of prompt, {self._room(answers)} of answer). "
                    "Raise task.max_length, shorten the template or use fewer virtual tokens."
                )
            fields[self.truncate_field] = kept
            prompt = self._framed(fields)

    def _answers(self, example: Example, asked: _Asked, prompt: str, prompt_ids: Ids) -> _Answers:
        if not prompt_ids:
            raise DataError(f"example {example.id}: the prompt {prompt!r} has no token, so nothing predicts the answer")
        end = prompt[-TAIL:]
        candidates = self._ids_of(asked.answers, end)
        texts = tuple(dict.fromkeys(asked.options.values()))
        behind = dict(zip(texts, self._ids_after(texts, end), strict=True))
        options = {name: behind[text] for name, text in asked.options.items()}
        truth = candidates.get(example.answer) or options.get(example.answer)
        return _Answers(truth or self._ids_of((example.answer,), end)[example.answer], candidates, options)

    def _ids_of(self, texts: tuple[str, ...], end: str) -> Mapping[str, Ids]:
        """Return each answer's ids behind a prompt's end; looked up where the end was seen before."""
        key = (end, texts)
        if key not in self._known_ids:
            ids = dict(zip(texts, self._ids_after(texts, end), strict=True))
            self._check(ids)
            self._known_ids[key] = ids
        return self._known_ids[key]

    def _ids_after(self, texts: Sequence[str], end: str) -> list[Ids]:
        """Return the ids of each text behind a prompt's end.

        Raises:
            DataError: a text has no token.
        """
        if not texts:
            return []
        continuations = [f"{self._separator}{text}" for text in texts]
        before, *wholes = self._encode([end, *(end + continuation for continuation in continuations)])
        rows = []
        for text, continuation, whole in zip(texts, continuations, wholes, strict=True):
            ids = whole[len(before) :]
            if whole[: len(before)] != before:
                ids = tuple(self.tokenizer(continuation, add_special_tokens=False, verbose=False)["input_ids"])
            if not ids:
                raise DataError(f"answer {text!r} has no token in this tokenizer; expected at least one")
            rows.append(ids)
        return rows

    def _check(self, answers: Mapping[str, Ids]) -> None:
        by_ids: dict[Ids, str] = {}
        for text, ids in answers.items():
            if self.tokenizer.unk_token_id in ids:
                pieces = self.tokenizer.convert_ids_to_tokens(list(ids))
                raise DataError(
                    f"answer {text!r} cannot be written in this tokenizer: {pieces} holds its unknown token. Choose "
                    "another word (task.labels, task.generic_answers, data.label_names)."
                )
            if ids in by_ids:
                raise DataError(f"answers {by_ids[ids]!r} and {text!r} are the same tokens {ids}; choose other words")
            by_ids[ids] = text


class _Asked(NamedTuple):
    """What may follow a prompt: answers that all examples share, and texts of this one's own, by name."""

    answers: tuple[str, ...]
    options: Mapping[str, str]


class _Answers(NamedTuple):
    truth: Ids
    candidates: Mapping[str, Ids]
    options: Mapping[str, Ids]

    @property
    def longest(self) -> int:
        return max(map(len, (self.truth, *self.candidates.values(), *self.options.values())))


class _Cut(NamedTuple):
    prompt_ids: Ids
    answers: _Answers
