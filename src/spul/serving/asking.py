"""From a request to jobs for the engine, and from what the engine delivers to one answer or a stream."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from fastapi import Request

from spul.serving.answers import Form, Kind, Usage
from spul.serving.engine import Busy, Engine, Job, TooLate
from spul.serving.errors import ApiError, invalid
from spul.serving.keys import Caller
from spul.serving.loading import Served, ServedSet
from spul.serving.observe import Metrics
from spul.serving.rows import Echo, Piece, Sampling
from spul.serving.schema import ChatRequest, CompletionRequest
from spul.serving.settings import ServerSettings
from spul.serving.text import Encoder

__all__ = ["Asked", "Desk"]

T = TypeVar("T")

ID_PREFIX = {"chat": "chatcmpl", "completion": "cmpl"}
COMPLETION_TOKENS = 16
"""OpenAI's default for completions that name no number."""
PRESENCE_SECONDS = 0.5
"""How often it is looked whether the client of an answer that is not streamed is still there."""
INLINE_CHARACTERS = 20_000
"""Longer texts are tokenised beside the event loop."""


@dataclass
class Asked:
    """A request on its way.

    Attributes:
        form: of its answers.
        jobs: one a prompt.
        usage: so far.
        scored: whether log-probabilities are reported.
        caller: whose allowance it is on.
        charged: tokens that were counted for it in advance.
        began: when it came, of :func:`time.monotonic`.
        facts: what the log says of it.
    """

    form: Form
    jobs: list[Job]
    usage: Usage
    scored: bool
    caller: Caller
    charged: int
    began: float
    facts: dict[str, Any]
    events: asyncio.Queue[tuple[int, Piece | Exception]] = field(default_factory=asyncio.Queue)

    @property
    def num_answers(self) -> int:
        """How many answers there will be."""
        return sum(len(job.samplings) for job in self.jobs)

    def cancel(self) -> None:
        """Let the engine drop what is not finished, and take back what was counted in advance and not used."""
        for job in self.jobs:
            job.cancel()
        self.caller.give_back_tokens(max(0, self.charged - self.usage.prompt - self.usage.completion))
        self.charged = 0


class _Read(NamedTuple):
    """A prompt: what the model reads of it, what a scope gate reads, and what stands in front of the answers to it."""

    ids: tuple[int, ...]
    texts: tuple[str, ...]
    echo: Echo | None = None


class _Wanted(NamedTuple):
    """What both endpoints come to."""

    kind: Kind
    rows: tuple[_Read, ...]
    tokens: int | None
    logprobs: int | None


class Desk:
    """Takes requests.

    Args:
        served: what is served.
        engine: does the work.
        settings: limits.
        metrics: counts.
    """

    def __init__(self, served: ServedSet, engine: Engine, settings: ServerSettings, metrics: Metrics) -> None:
        self._served = served
        self._engine = engine
        self._settings = settings
        self._metrics = metrics
        self._encoder = Encoder(served.tokenizer)

    def model_for(self, name: str, caller: Caller) -> Served:
        """Return the model of that name.

        Raises:
            ApiError: there is none, or not for this caller; which of the two is not said.
        """
        served = self._served.models.get(name)
        if served is None or not caller.may_ask(name):
            raise ApiError(
                404, f"no model is called {name[:100]!r}; see /v1/models", code="model_not_found", param="model"
            )
        return served

    async def completion(self, body: CompletionRequest, caller: Caller, facts: dict[str, Any]) -> Asked:
        """Queue a completion.

        Raises:
            ApiError: it is refused.
        """
        served = self._begin(body, caller, facts)
        if len(body.prompts) > self._settings.max_prompts:
            raise invalid(f"expected at most {self._settings.max_prompts} prompts a request", "prompt")
        characters = self._characters(body.prompts, "prompt")
        if body.echo and body.logprobs is not None:
            self._check_scoring(served, caller)
        rows = await _beside(characters, lambda: [self._row(text, bool(body.echo)) for text in body.prompts])
        wanted = _Wanted(
            kind="completion",
            rows=tuple(rows),
            tokens=COMPLETION_TOKENS if body.max_tokens is None else body.max_tokens,
            logprobs=body.logprobs,
        )
        return self._submitted(wanted, body, served, caller, facts)

    async def chat(self, body: ChatRequest, caller: Caller, facts: dict[str, Any]) -> Asked:
        """Queue a chat.

        Raises:
            ApiError: it is refused.
        """
        served = self._begin(body, caller, facts)
        talk = [message.spoken for message in body.messages]
        said = [message["content"] for message in talk]
        ids = await _beside(self._characters(said, "messages"), lambda: self._encoder.talk(talk))
        # A gate reads every turn and all of them together: what a talk is about may have been said at its beginning.
        texts = tuple(dict.fromkeys([*said, "\n".join(said)]))
        wanted = _Wanted(
            kind="chat",
            rows=(_Read(ids, texts),),
            tokens=body.max_completion_tokens or body.max_tokens,
            logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        )
        return self._submitted(wanted, body, served, caller, facts)

    def _begin(self, body: CompletionRequest | ChatRequest, caller: Caller, facts: dict[str, Any]) -> Served:
        caller.take_request()
        served = self.model_for(body.model, caller)
        facts["model"] = served.name
        if (body.n or 1) > self._settings.max_answers:
            raise invalid(f"expected n of at most {self._settings.max_answers}", "n")
        return served

    def _row(self, text: str, echoed: bool) -> _Read:
        ids = self._encoder.text(text)
        return _Read(ids, (text,), self._encoder.echo(text, ids) if echoed else None)

    def _check_scoring(self, served: Served, caller: Caller) -> None:
        if not caller.rights.echo_logprobs:
            raise invalid("this key may not ask for logprobs of its own text", "echo")
        if served.around.num_behind:
            raise invalid(
                "this model's virtual tokens stand behind a text, so its own tokens cannot be scored under them", "echo"
            )

    def _characters(self, texts: list[str], param: str) -> int:
        most, length = self._settings.max_characters, sum(map(len, texts))
        if length > most:
            raise invalid(f"expected at most {most} characters, got {length}", param, code="context_length_exceeded")
        return length

    def _submitted(
        self,
        wanted: _Wanted,
        body: CompletionRequest | ChatRequest,
        served: Served,
        caller: Caller,
        facts: dict[str, Any],
    ) -> Asked:
        most = caller.rights.max_logprobs
        if wanted.logprobs is not None and (most == 0 or wanted.logprobs > most):
            raise invalid(f"this key may ask for at most {most} logprobs", "logprobs")
        new = self._room(served, wanted, caller)
        p, rows, n = served.num_virtual_tokens, wanted.rows, body.n or 1
        usage = Usage(sum(p + len(row.ids) for row in rows), p * len(rows))
        charged = usage.prompt + new * n * len(rows)
        caller.take_tokens(charged)
        form = Form(wanted.kind, f"{ID_PREFIX[wanted.kind]}-{secrets.token_hex(12)}", served.name, served.fingerprint)
        asked = Asked(form, [], usage, wanted.logprobs is not None, caller, charged, time.monotonic(), facts)
        asked.jobs += self._jobs(asked, wanted, body, served, new)
        facts.update(stream=bool(body.stream), prompt_tokens=usage.prompt, answers=asked.num_answers)
        try:
            self._engine.submit(*asked.jobs)
        except Busy:
            asked.usage = Usage(0, 0)
            asked.cancel()
            raise ApiError(
                429, "too many requests are waiting", kind="rate_limit_error", code="overloaded", retry_after=1
            ) from None
        return asked

    def _jobs(
        self, asked: Asked, wanted: _Wanted, body: CompletionRequest | ChatRequest, served: Served, new: int
    ) -> list[Job]:
        loop, n = asyncio.get_running_loop(), body.n or 1
        seed = secrets.randbits(63) if body.seed is None else body.seed
        sampling = Sampling(
            max_tokens=new,
            temperature=self._settings.temperature if body.temperature is None else body.temperature,
            top_p=1.0 if body.top_p is None else body.top_p,
            stop=body.stops,
            top_logprobs=wanted.logprobs,
        )

        def delivery(first: int) -> Callable[[int, Piece | Exception], None]:
            def deliver(index: int, what: Piece | Exception) -> None:
                loop.call_soon_threadsafe(asked.events.put_nowait, (first + index, what))

            return deliver

        return [
            Job(
                served,
                row.ids,
                row.texts,
                # Every answer has its own random numbers, the same ones whenever the request is repeated.
                tuple(replace(sampling, seed=(seed + first + i) % 2**63) for i in range(n)),
                bool(body.stream),
                asked.began + self._settings.timeout,
                delivery(first),
                row.echo,
            )
            for first, row in zip(range(0, n * len(wanted.rows), n), wanted.rows, strict=True)
        ]

    def _room(self, served: Served, asked: _Wanted, caller: Caller) -> int:
        """Return how many tokens an answer may have.

        Raises:
            ApiError: there is no text, or it and the answer do not fit.
        """
        longest, wanted = max(len(row.ids) for row in asked.rows), asked.tokens
        if not all(row.ids for row in asked.rows):
            raise invalid("expected a text with at least one token")
        room = self._served.context - served.num_virtual_tokens - longest
        most = min(self._settings.max_tokens, caller.rights.max_tokens or self._settings.max_tokens)
        if wanted is not None and wanted > most:
            raise invalid(f"expected max_tokens of at most {most}, got {wanted}", "max_tokens")
        least = 1 if wanted is None else wanted
        if room < least:
            raise invalid(
                f"this model's context is {self._served.context} tokens; {longest} of the text, "
                f"{served.num_virtual_tokens} virtual and {least} new ones do not fit",
                code="context_length_exceeded",
            )
        return min(room, most) if wanted is None else wanted

    async def whole(self, asked: Asked, request: Request) -> dict[str, Any]:
        """Wait for all answers.

        Raises:
            ApiError: something went wrong; what is not finished is dropped.
        """
        done: dict[int, Piece] = {}
        try:
            while len(done) < asked.num_answers:
                try:
                    index, what = await asyncio.wait_for(asked.events.get(), PRESENCE_SECONDS)
                except TimeoutError:
                    if await request.is_disconnected():
                        raise ApiError(499, "the client has left", code="client_closed") from None
                    continue
                done[index] = self._piece(asked, what)
        finally:
            self._close(asked)
        choices = [
            asked.form.choice(i, piece.text, piece.scores if asked.scored else None, piece.finish)
            for i, piece in sorted(done.items())
        ]
        return asked.form.whole(choices, asked.usage)

    async def stream(self, asked: Asked, *, usage: bool) -> AsyncIterator[bytes]:
        """Yield server-sent events as the answers are written; an error is the last of them."""
        opened, left = set[int](), asked.num_answers
        try:
            while left:
                index, what = await asked.events.get()
                piece = self._piece(asked, what)
                if index not in opened:
                    opened.add(index)
                    if (opening := asked.form.opening(index)) is not None:
                        yield _event(asked.form.chunk([opening]))
                left -= piece.finish is not None
                if piece.text or piece.scores or piece.finish:
                    scores = piece.scores if asked.scored else None
                    yield _event(asked.form.chunk([asked.form.delta(index, piece.text, scores, piece.finish)]))
            if usage:
                yield _event(asked.form.chunk([], asked.usage))
            yield b"data: [DONE]\n\n"
        except ApiError as error:
            asked.facts["error"] = error.code
            yield _event(error.body)
        finally:
            if left and "error" not in asked.facts:
                asked.facts["error"] = "client_closed"
            self._close(asked)

    def _piece(self, asked: Asked, what: Piece | Exception) -> Piece:
        if isinstance(what, Exception):
            raise _failure(what)
        if asked.usage.completion == 0:
            self._metrics.first_token.observe(time.monotonic() - asked.began)
        asked.usage.completion += what.tokens
        return what

    def _close(self, asked: Asked) -> None:
        asked.cancel()
        asked.facts["completion_tokens"] = asked.usage.completion
        for kind, count in (("prompt", asked.usage.prompt), ("completion", asked.usage.completion)):
            self._metrics.tokens.labels(asked.form.model, kind).inc(count)


async def _beside(characters: int, work: Callable[[], T]) -> T:
    """Tokenise long texts beside the event loop, short ones at once."""
    return await asyncio.to_thread(work) if characters > INLINE_CHARACTERS else work()


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n\n"


def _failure(error: Exception) -> ApiError:
    if isinstance(error, TooLate):
        return ApiError(504, "the answer was not finished in time", kind="server_error", code="timeout")
    if isinstance(error, Busy):
        return ApiError(503, "the server is stopping", kind="server_error", code="stopping", retry_after=5)
    return ApiError(500, "the answer could not be computed", kind="server_error", code="internal_error")
