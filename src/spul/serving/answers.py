"""Answers in OpenAI's form."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from spul.serving.rows import TokenScore

__all__ = ["Form", "Kind", "Usage"]

Kind = Literal["chat", "completion"]


@dataclass
class Usage:
    """Tokens of a request.

    Attributes:
        prompt: read, virtual ones included, whether or not a scope gate applied them: a client is not told.
        virtual: how many of these were at hand already.
        completion: written.
    """

    prompt: int
    virtual: int
    completion: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return OpenAI's ``usage``."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.virtual},
        }


@dataclass(frozen=True)
class Form:
    """The form of one request's answers.

    Attributes:
        kind: which endpoint.
        id: of the answer.
        model: that was asked.
        fingerprint: of base model and prompt.
        created: seconds since 1970.
    """

    kind: Kind
    id: str
    model: str
    fingerprint: str
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, choices: Sequence[dict[str, Any]], usage: Usage) -> dict[str, Any]:
        """Return an answer that comes at once."""
        name = "chat.completion" if self.kind == "chat" else "text_completion"
        return {**self._head(name), "choices": list(choices), "usage": usage.to_json()}

    def chunk(self, choices: Sequence[dict[str, Any]], usage: Usage | None = None) -> dict[str, Any]:
        """Return a part of a streamed answer."""
        name = "chat.completion.chunk" if self.kind == "chat" else "text_completion"
        return {**self._head(name), "choices": list(choices), "usage": None if usage is None else usage.to_json()}

    def choice(self, index: int, text: str, scores: Sequence[TokenScore] | None, finish: str | None) -> dict[str, Any]:
        """Return one whole answer."""
        if self.kind == "completion":
            return {"index": index, "text": text, "logprobs": _completion_scores(scores), "finish_reason": finish}
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"index": index, "message": message, "logprobs": _chat_scores(scores), "finish_reason": finish}

    def delta(self, index: int, text: str, scores: Sequence[TokenScore] | None, finish: str | None) -> dict[str, Any]:
        """Return more of one answer."""
        if self.kind == "completion":
            return self.choice(index, text, scores, finish)
        delta = {"content": text} if text else {}
        return {"index": index, "delta": delta, "logprobs": _chat_scores(scores), "finish_reason": finish}

    def opening(self, index: int) -> dict[str, Any] | None:
        """Return what a stream begins with: in a chat, whose turn it is."""
        if self.kind == "completion":
            return None
        delta = {"role": "assistant", "content": ""}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def _head(self, name: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": name,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }


def _completion_scores(scores: Sequence[TokenScore] | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    return {
        "tokens": [score.token for score in scores],
        "token_logprobs": [score.logprob for score in scores],
        "top_logprobs": [None if score.logprob is None else _by_text(score.top) for score in scores],
        "text_offset": [score.offset for score in scores],
    }


def _by_text(top: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Return log-probabilities by text; of tokens that look alike, such as parts of a character, the likeliest."""
    found: dict[str, float] = {}
    for token, logprob in top:
        found.setdefault(token, logprob)
    return found


def _chat_scores(scores: Sequence[TokenScore] | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    content = [
        {
            **_token(score.token, score.logprob),
            "top_logprobs": [_token(token, logprob) for token, logprob in score.top],
        }
        for score in scores
        if score.logprob is not None
    ]
    return {"content": content, "refusal": None}


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8"))}
