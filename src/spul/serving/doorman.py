"""In front of every endpoint: who is it, is it too much, and one line in the log when it is over."""

from __future__ import annotations

import json
import logging
import secrets
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spul.serving.errors import ApiError
from spul.serving.keys import Keys
from spul.serving.observe import Metrics, RequestLog, Stopwatch

__all__ = ["OPEN_PATHS", "Doorman"]

logger = logging.getLogger(__name__)

OPEN_PATHS = ("/health",)
QUIET_PATHS = ("/health", "/metrics")
"""Asked all the time by machines; in the log only where something is wrong."""
KNOWN_PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/models", "/health", "/metrics", "/openapi.json")


class _TooLarge(HTTPException):
    """Of the kind that passes through FastAPI's own reading of a body."""

    def __init__(self) -> None:
        super().__init__(413)


class Doorman:
    """Middleware that looks at the key before anything else of a request is read.

    Args:
        app: what is behind the door.
        keys: who may come in.
        metrics: counts requests.
        log: gets one line a request.
        max_body: most bytes of a request.
    """

    def __init__(self, app: ASGIApp, *, keys: Keys, metrics: Metrics, log: RequestLog, max_body: int) -> None:
        self._app = app
        self._keys = keys
        self._metrics = metrics
        self._log = log
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, receive, send, self._max_body)
        try:
            headers = dict(scope["headers"])
            if scope["path"] not in OPEN_PATHS:
                caller = self._keys.caller(headers.get(b"authorization", b"").decode("latin-1"))
                scope["spul.caller"], visit.facts["key"] = caller, caller.rights.name
            visit.check_announced(headers.get(b"content-length"))
            await self._app(scope, visit.receive, visit.send)
        except ApiError as error:
            await visit.refuse(error)
        except _TooLarge:
            await visit.refuse(_too_large(self._max_body))
        except Exception as error:
            # Its message may hold what was asked.
            logger.error("a request failed with %s", type(error).__name__)
            visit.facts["error"] = type(error).__name__
            await visit.refuse(ApiError(500, "the request failed", kind="server_error", code="internal_error"))
        finally:
            path = scope["path"] if scope["path"] in KNOWN_PATHS else "other"
            self._metrics.requests.labels(path, str(visit.status)).inc()
            self._metrics.seconds.labels(path).observe(visit.watch.seconds)
            facts = {"id": visit.id, "method": scope["method"], "path": path, "status": visit.status}
            if scope["path"] not in QUIET_PATHS or visit.status != 200:
                self._log.event("request", **facts, seconds=round(visit.watch.seconds, 4), **visit.facts)


class _Visit:
    """One request: counts what comes in and notes what goes out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body: int) -> None:
        self.id = secrets.token_hex(8)
        self.status = 0
        self.facts: dict[str, Any] = {}
        self.watch = Stopwatch()
        self._receive, self._send, self._max_body = receive, send, max_body
        self._read = 0
        scope["spul.facts"] = self.facts

    def check_announced(self, length: bytes | None) -> None:
        if length is not None and length.isdigit() and int(length) > self._max_body:
            raise _TooLarge

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            if self._read > self._max_body:
                raise _TooLarge
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message["headers"], (b"x-request-id", self.id.encode())]}
        await self._send(message)

    async def refuse(self, error: ApiError) -> None:
        """Answer with an error, unless an answer has begun."""
        if self.status:
            return
        self.facts.setdefault("error", error.code)
        body = json.dumps(error.body).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        await self.send({"type": "http.response.start", "status": error.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _too_large(most: int) -> ApiError:
    return ApiError(413, f"expected a request of at most {most} bytes", code="request_too_large")
