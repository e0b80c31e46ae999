"""The ways into an endpoint, each of which has to lead past the prompt: one entry a way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from spul.probing.canaries import Canary

__all__ = ["CHAT", "SOFT_NAMES", "SOFT_TEXT", "SURFACES", "Ask", "Surface"]

COMPLETIONS, CHAT = "/completions", "/chat/completions"
SOFT_TEXT, SOFT_NAMES = "<|spul_0|><|spul_1|> ", 2
BARE_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


@dataclass(frozen=True)
class Ask:
    """One request, and the canaries that its answers belong to."""

    canaries: tuple[Canary, ...]
    body: dict[str, Any]


@dataclass(frozen=True)
class Surface:
    """A way in.

    Attributes:
        name: what reports call it.
        about: what goes wrong there.
        path: of the endpoint.
        shape: how canaries are put.
        asks: canaries → requests.
        together: whether the requests are sent at once.
        repeated: whether everything is sent twice, and the second answers count.
        hostile: whether this is something that a server ought to refuse.
        soft_text: whether the names of soft tokens stand in the text; judged by the tokens that are counted.
    """

    name: str
    about: str
    path: str
    shape: str
    asks: Callable[[Sequence[Canary], str], list[Ask]]
    together: bool = False
    repeated: bool = False
    hostile: bool = False
    soft_text: bool = False


def _each(**more: Any) -> Callable[[Sequence[Canary], str], list[Ask]]:
    return lambda canaries, shape: [Ask((canary,), {**_question(canary, shape), **more}) for canary in canaries]


def _question(canary: Canary, shape: str) -> dict[str, Any]:
    form = canary.shapes[shape]
    return {"prompt": form.text} if form.text is not None else {"messages": list(form.messages)}


def _listed(canaries: Sequence[Canary], shape: str) -> list[Ask]:
    return [Ask(tuple(canaries), {"prompt": [canary.shapes[shape].text for canary in canaries]})]


def _as_ids(canaries: Sequence[Canary], shape: str) -> list[Ask]:
    return [Ask((canary,), {"prompt": list(canary.shapes[shape].readings[0])}) for canary in canaries]


def _with_soft_text(canaries: Sequence[Canary], shape: str) -> list[Ask]:
    canary = canaries[0]
    text = SOFT_TEXT + canary.text
    body = {"prompt": text} if shape == "plain" else {"messages": [{"role": "user", "content": text}]}
    return [Ask((canary,), body)]


STREAM = {"stream": True, "stream_options": {"include_usage": True}}

SURFACES = (
    Surface("completion", "raw completion skips the chat template (GGUF), or the tokenizer lost the soft tokens",
            COMPLETIONS, "plain", _each()),
    Surface("completion_stream", "streamed completions take another way", COMPLETIONS, "plain", _each(**STREAM)),
    Surface("completion_list", "several prompts of one request are padded between prompt and text",
            COMPLETIONS, "plain", _listed),
    Surface("completion_concurrent", "requests at once are batched, and padded between prompt and text",
            COMPLETIONS, "plain", _each(), together=True),
    Surface("completion_again", "a warm cache takes the place of the prompt", COMPLETIONS, "plain", _each(),
            repeated=True),
    Surface("completion_scored", "texts that are given back and scored (`echo`) are read in another way", COMPLETIONS,
            "plain", _each(echo=True, logprobs=0)),
    Surface("completion_long", "what is too long is cut from its front", COMPLETIONS, "plain_long", _each()),
    Surface("chat", "the chat template has no soft tokens, or they come twice", CHAT, "chat", _each()),
    Surface("chat_stream", "streamed chats take another way", CHAT, "chat", _each(**STREAM)),
    Surface("chat_concurrent", "chats at once are batched, and padded between prompt and text", CHAT, "chat", _each(),
            together=True),
    Surface("chat_again", "a warm cache takes the place of the prompt", CHAT, "chat", _each(), repeated=True),
    Surface("chat_system", "the template's branch for a system message has no soft tokens", CHAT, "chat_system",
            _each()),
    Surface("chat_turns", "later turns are read from a cache without the prompt", CHAT, "chat_turns", _each()),
    Surface("chat_long", "what is too long is cut from its front", CHAT, "chat_long", _each()),
    Surface("token_ids", "a client sends ids, which no tokenizer completes", COMPLETIONS, "plain", _as_ids,
            hostile=True),
    Surface("no_special_tokens", "a client turns special tokens off", COMPLETIONS, "plain",
            _each(add_special_tokens=False), hostile=True),
    Surface("own_template", "a client brings a chat template of its own", CHAT, "chat",
            _each(chat_template=BARE_TEMPLATE), hostile=True),
    Surface("soft_text", "names of soft tokens in a user's text become those tokens", COMPLETIONS, "plain",
            _with_soft_text, hostile=True, soft_text=True),
    Surface("chat_soft_text", "names of soft tokens in a user's message become those tokens", CHAT, "chat",
            _with_soft_text, hostile=True, soft_text=True),
)  # fmt: skip
