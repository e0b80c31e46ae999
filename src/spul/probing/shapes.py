"""The forms in which one canary is put to a model, and the tokens that each comes to without any prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from spul.data.posing import encode_prompts

__all__ = ["SHAPES", "Shaped", "shaped"]

Ids = tuple[int, ...]

SHAPES = ("plain", "plain_long", "chat", "chat_system", "chat_turns", "chat_long")
SYSTEM = "You are a helpful assistant."
TURNS = ("Good morning!", "Good morning. What can I do for you?")
FILLER = "The train was on time and the weather was mild. "


@dataclass(frozen=True)
class Shaped:
    """A canary in one form.

    Attributes:
        text: what a completion continues; ``None`` for talks.
        messages: the talk; empty for completions.
        readings: what an engine may make of it, each as ids without the soft prompt. There are several where the
            tokenizer has no chat template and engines differ in what they do then; none where its template refuses.
    """

    text: str | None
    messages: tuple[dict[str, str], ...]
    readings: tuple[Ids, ...]

    @property
    def said(self) -> tuple[str, ...]:
        """The texts in it, which a scope gate reads."""
        if self.text is not None:
            return (self.text,)
        contents = [message["content"] for message in self.messages]
        return tuple(dict.fromkeys([*contents, "\n".join(contents)]))


def shaped(shape: str, text: str, tokenizer: PreTrainedTokenizerFast, room: int) -> Shaped:
    """Put a text into one of the :data:`SHAPES`.

    Args:
        shape: which.
        text: a canary's own.
        tokenizer: the base's.
        room: most tokens of the whole; the long shapes take about half of it.
    """
    if shape.endswith("_long"):
        text = filled(text, tokenizer, room)
    if shape.startswith("plain"):
        return Shaped(text, (), (encode_prompts(tokenizer, [text])[0],))
    user = {"role": "user", "content": text}
    talk = {
        "chat_system": [{"role": "system", "content": SYSTEM}, user],
        "chat_turns": [
            {"role": "user", "content": TURNS[0]},
            {"role": "assistant", "content": TURNS[1]},
            user,
        ],
    }.get(shape, [user])
    return Shaped(None, tuple(talk), _readings(talk, tokenizer))


def filled(text: str, tokenizer: PreTrainedTokenizerFast, room: int) -> str:
    """Return the text behind as much neutral text as half of the room has space for."""
    own, more = (len(encode_prompts(tokenizer, [each])[0]) for each in (text, FILLER))
    return FILLER * max(0, (room // 2 - own) // more) + text


def _readings(talk: Sequence[dict[str, Any]], tokenizer: PreTrainedTokenizerFast) -> tuple[Ids, ...]:
    if tokenizer.chat_template:
        try:
            rendered = tokenizer.apply_chat_template(list(talk), add_generation_prompt=True, tokenize=False)
        except TemplateError:
            return ()
        return (tuple(tokenizer(str(rendered), add_special_tokens=False, verbose=False)["input_ids"]),)
    contents = [str(message["content"]) for message in talk]
    return tuple(dict.fromkeys(encode_prompts(tokenizer, ["\n".join(contents), contents[-1]])))
