"""What is answered, for the OpenAPI document. Answers are not built from these; tests hold answers to them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ChatChunk",
    "ChatReply",
    "CompletionChunk",
    "CompletionReply",
    "ErrorReply",
    "HealthReply",
    "ModelList",
    "ModelReply",
]

Count = Annotated[int, Field(ge=0)]
Logprob = Annotated[float, Field(le=0)]
Finish = Literal["stop", "length"]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PromptTokens(_Closed):
    """How many tokens of the prompt were at hand."""

    cached_tokens: Count


class UsageReply(_Closed):
    """Tokens of a request; virtual ones count as read."""

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count
    prompt_tokens_details: PromptTokens


class CompletionLogprobs(_Closed):
    """Log-probabilities of a completion, token by token."""

    tokens: list[str]
    token_logprobs: list[Logprob | None]
    top_logprobs: list[dict[str, Logprob] | None]
    text_offset: list[Count]


class CompletionChoice(_Closed):
    """One answer to one prompt."""

    index: Count
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Finish | None


class _Reply(_Closed):
    id: str
    created: int
    model: str
    system_fingerprint: str


class CompletionReply(_Reply):
    """An answer of ``/v1/completions``."""

    object: Literal["text_completion"]
    choices: list[CompletionChoice]
    usage: UsageReply


class CompletionChunk(_Reply):
    """More of an answer of ``/v1/completions``."""

    object: Literal["text_completion"]
    choices: list[CompletionChoice]
    usage: UsageReply | None


class LikelyToken(_Closed):
    """A token with its log-probability."""

    token: str
    logprob: Logprob
    bytes: list[Annotated[int, Field(ge=0, le=255)]]


class WrittenToken(LikelyToken):
    """A token that was written, and the likeliest there."""

    top_logprobs: list[LikelyToken]


class ChatLogprobs(_Closed):
    """Log-probabilities of a message, token by token."""

    content: list[WrittenToken]
    refusal: None


class AssistantMessage(_Closed):
    """What the model says."""

    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(_Closed):
    """One answer to a talk."""

    index: Count
    message: AssistantMessage
    logprobs: ChatLogprobs | None
    finish_reason: Finish


class ChatReply(_Reply):
    """An answer of ``/v1/chat/completions``."""

    object: Literal["chat.completion"]
    choices: list[ChatChoice]
    usage: UsageReply


class Delta(_Closed):
    """More of a message; the first has whose turn it is."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChatDelta(_Closed):
    """More of one answer to a talk."""

    index: Count
    delta: Delta
    logprobs: ChatLogprobs | None
    finish_reason: Finish | None


class ChatChunk(_Reply):
    """More of an answer of ``/v1/chat/completions``."""

    object: Literal["chat.completion.chunk"]
    choices: list[ChatDelta]
    usage: UsageReply | None


class ModelReply(_Closed):
    """A model that can be asked for."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: Literal["spul"]


class ModelList(_Closed):
    """The models that a caller may ask for."""

    object: Literal["list"]
    data: list[ModelReply]


class HealthReply(_Closed):
    """Requests are answered."""

    status: Literal["ok"]


class Refusal(_Closed):
    """Why there is no answer."""

    message: str
    type: Literal["invalid_request_error", "authentication_error", "rate_limit_error", "server_error"]
    param: str | None
    code: str | None


class ErrorReply(_Closed):
    """A refusal in OpenAI's form."""

    error: Refusal
