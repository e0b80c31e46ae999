"""What a client sends becomes token ids of ordinary text: nothing in it can name a virtual token or leave one out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from spul.data.posing import encode_prompts
from spul.serving.errors import invalid
from spul.serving.rows import Echo

__all__ = ["Encoder"]

Ids = tuple[int, ...]


class Encoder:
    """Turns prompts and talks into ids, with a tokenizer of its own: the engine's thread uses the other.

    Args:
        tokenizer: the base's.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = deepcopy(tokenizer)
        known = tokenizer.added_tokens_decoder.values()
        # The longest first, since one may hold another.
        special = {str(token) for token in known if token.special} | set(tokenizer.all_special_tokens)
        self._special = sorted((text for text in special if len(text) > 1), key=len, reverse=True)
        bos = tokenizer.bos_token_id
        self._bos = bos if encode_prompts(self._tokenizer, [""]) == [(bos,)] else None

    def text(self, prompt: str) -> Ids:
        """Return the ids of a text to continue, with what the tokenizer itself puts in front (BOS).

        A text that begins with BOS already, as those that lm-evaluation-harness sends do, does not get another.
        """
        (ids,) = encode_prompts(self._tokenizer, [prompt])
        return ids[1:] if self._bos is not None and ids[:2] == (self._bos, self._bos) else ids

    def echo(self, prompt: str, ids: Ids) -> Echo:
        """Return where the text's own tokens, the last of ``ids``, begin in it.

        Raises:
            ApiError: the tokenizer does not say which they are.
        """
        plain = self._tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        own, spans = plain["input_ids"], plain["offset_mapping"]
        if tuple(own) != ids[len(ids) - len(own) :]:
            raise invalid("this model's tokenizer does not say which tokens are the text's own", "echo")
        # A token begins where the one before it ends; parts of one character begin where it does.
        ends = [0, *(end for _, end in spans[:-1])]
        return Echo(prompt, tuple(min(begin, end) for (begin, _), end in zip(spans, ends, strict=True)))

    def talk(self, messages: Sequence[Mapping[str, str]]) -> Ids:
        """Return the ids of a talk, up to where the model answers.

        Without a chat template the messages' texts stand one below the other. In one, special tokens that a message
        spells out are broken up, so that no message can end itself and begin another.

        Raises:
            ApiError: the chat template refuses the talk.
        """
        if not self._tokenizer.chat_template:
            return self.text("\n".join(message["content"] for message in messages))
        spoken = [{"role": message["role"], "content": self.escaped(message["content"])} for message in messages]
        try:
            rendered = self._tokenizer.apply_chat_template(spoken, add_generation_prompt=True, tokenize=False)
        except TemplateError as error:
            raise invalid(f"the model's chat template refuses these messages: {error}", "messages") from error
        encoded = self._tokenizer(str(rendered), add_special_tokens=False, verbose=False)
        return tuple(encoded["input_ids"])

    def escaped(self, text: str) -> str:
        """Return the text with a space in every special token that it spells out."""
        for token in self._special:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text
