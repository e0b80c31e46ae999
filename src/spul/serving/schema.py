"""What may be asked. What is not named here is refused: a parameter that is ignored may be one that was relied on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["ChatRequest", "CompletionRequest", "Message", "StreamOptions"]

Text = Annotated[str, Field(min_length=1)]

MOST_STOPS = 16
"""OpenAI's API takes four; other engines, and tasks of lm-evaluation-harness that were written for them, more."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class StreamOptions(_Strict):
    """What a stream carries beside text."""

    include_usage: bool = False
    include_obfuscation: bool = False


class _Request(_Strict):
    """What both endpoints take.

    Parameters that would change what the model says in a way that is not supported are accepted only where they ask for
    nothing. ``logit_bias`` is among them on purpose: forbidding the generic answer brings out what stands behind it.
    """

    model: Text
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: Text | Annotated[list[Text], Field(max_length=MOST_STOPS)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    presence_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    frequency_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    # Taken and not used: they say who asks, not what is answered.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None

    @model_validator(mode="after")
    def _options_of_a_stream(self) -> _Request:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options are for requests with stream=true")
        return self

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts that end an answer."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())


class CompletionRequest(_Request):
    """``/v1/completions``."""

    prompt: Text | Annotated[list[Text], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    logprobs: Annotated[int, Field(ge=0)] | None = None
    echo: bool | None = None
    best_of: Annotated[int, Field(ge=1, le=1)] | None = None
    suffix: Literal[""] | None = None

    @field_validator("prompt", mode="before")
    @classmethod
    def _no_ids(cls, value: Any) -> Any:
        if isinstance(value, list) and any(isinstance(item, int | list) for item in value):
            raise ValueError("token ids are not accepted, since they could name or leave out any token; send text")
        return value

    @model_validator(mode="after")
    def _something_to_answer(self) -> CompletionRequest:
        if self.max_tokens == 0 and not self.echo:
            raise ValueError("max_tokens=0 is for requests with echo=true")
        return self

    @property
    def prompts(self) -> list[str]:
        """The texts to continue."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt


class TextPart(_Strict):
    """A part of a message."""

    type: Literal["text"]
    text: str


class Message(_Strict):
    """A turn of a talk."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[TextPart], Field(min_length=1)]
    name: str | None = None
    # What an answer of ours carries, so that it can be sent back as it came.
    refusal: None = None

    @property
    def spoken(self) -> dict[str, str]:
        """Role and text; a developer is what used to be called system."""
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class ResponseFormat(_Strict):
    """The form of an answer: text, and nothing else."""

    type: Literal["text"]


class ChatRequest(_Request):
    """``/v1/chat/completions``."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0)] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    response_format: ResponseFormat | None = None

    @model_validator(mode="after")
    def _top_needs_logprobs(self) -> ChatRequest:
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs is for requests with logprobs=true")
        return self
