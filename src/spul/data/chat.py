"""What a tokenizer's chat template puts around a user's message, up to where the model answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jinja2 import TemplateError

from spul.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["Frame", "chat_frame"]

MESSAGE = "⟦message⟧"
"""Stands in for the message; no template holds it."""


class Frame(NamedTuple):
    """Text before a prompt and behind it, special tokens spelled out."""

    before: str
    after: str


def chat_frame(tokenizer: PreTrainedTokenizerFast) -> Frame:
    """Return what stands around a single user message, the opening of the assistant's turn included.

    Raises:
        ConfigError: the tokenizer has no chat template, or it does not take one user message as it is.
    """
    if not tokenizer.chat_template:
        raise ConfigError(
            f"expected a tokenizer with a chat template, since task.chat is set, but {tokenizer.name_or_path!r} has "
            "none. Set task.chat=false, or choose a chat model."
        )
    message = [{"role": "user", "content": MESSAGE}]
    try:
        text = str(tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False))
    except TemplateError as error:
        raise ConfigError(f"the chat template of {tokenizer.name_or_path!r} refuses a user message: {error}") from error
    before, *behind = text.split(MESSAGE)
    if len(behind) != 1:
        raise ConfigError(
            f"expected the chat template of {tokenizer.name_or_path!r} to hold the user message once and unchanged, "
            f"got {text!r}. Set task.chat=false."
        )
    return Frame(before, behind[0])
