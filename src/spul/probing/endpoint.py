"""An OpenAI-compatible endpoint as a probe sees it: answers, the tokens that it counts, and refusals."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx2

from spul.errors import ConfigError

__all__ = ["Endpoint", "Reply"]

KEY_VARIABLE = "OPENAI_API_KEY"
TRIES = 5
RECONNECTS = 2
LONGEST_WAIT = 30.0


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        status: of HTTP.
        texts: the answers, in order; empty where there are none.
        prompt_tokens: as the engine counts them; ``None`` where it does not say.
    """

    status: int
    texts: tuple[str, ...] = ()
    prompt_tokens: int | None = None


class Endpoint:
    """A server.

    Args:
        url: with or without ``/v1`` at its end.
        timeout: seconds for one request.
    """

    def __init__(self, url: str, timeout: float) -> None:
        key = os.environ.get(KEY_VARIABLE)
        root = url.rstrip("/")
        self.root = root if root.endswith("/v1") else f"{root}/v1"
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx2.Client(timeout=timeout, headers=headers)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def models(self) -> list[str]:
        """Return the names of what is served.

        Raises:
            ConfigError: there is no such endpoint.
        """
        response = self._sent("GET", "/models", None)
        try:
            return [str(row["id"]) for row in response.json()["data"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"expected an OpenAI-compatible endpoint at {self.root}, but /models answered {response.status_code}"
            ) from error

    def ask(self, path: str, body: Mapping[str, Any]) -> Reply:
        """Send a request.

        Args:
            path: ``/completions`` or ``/chat/completions``.
            body: with ``stream`` true, the pieces are put together; with ``echo`` true, the prompt is taken off.

        Raises:
            ConfigError: the endpoint cannot be reached, wants another key, or speaks another language.
        """
        response = self._sent("POST", path, dict(body))
        if response.status_code != 200:
            return Reply(response.status_code)
        try:
            reply = _streamed(response.text) if body.get("stream") else _whole(response.json())
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ConfigError(f"{self.root}{path} did not answer in OpenAI's form ({type(error).__name__})") from error
        if not body.get("echo"):
            return reply
        return replace(reply, texts=tuple(text.removeprefix(body["prompt"]) for text in reply.texts))

    def _sent(self, method: str, path: str, body: dict[str, Any] | None) -> httpx2.Response:
        for attempt in range(TRIES):
            try:
                response = self._client.request(method, self.root + path, json=body)
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                # Some servers close a connection that others would keep.
                if attempt < RECONNECTS and isinstance(error, httpx2.TransportError):
                    time.sleep(0.2)
                    continue
                raise ConfigError(f"{self.root}{path} cannot be reached: {error or type(error).__name__}") from error
            if response.status_code in (401, 403):
                raise ConfigError(f"{self.root} wants another API key; set {KEY_VARIABLE}")
            if response.status_code != 429 or attempt == TRIES - 1:
                break
            wait = response.headers.get("retry-after", "1")
            time.sleep(min(float(wait) if wait.replace(".", "", 1).isdigit() else 1.0, LONGEST_WAIT))
        if response.status_code == 429:
            raise ConfigError(f"{self.root} has too much to do (429, {TRIES} times); probe again later")
        return response


def _whole(answer: Mapping[str, Any]) -> Reply:
    choices = sorted(answer["choices"], key=lambda choice: choice["index"])
    texts = tuple(_text(choice, "message") for choice in choices)
    return Reply(200, texts, _counted(answer))


def _streamed(text: str) -> Reply:
    texts: dict[int, str] = {}
    counted = None
    for line in text.splitlines():
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == "[DONE]":
            continue
        event = json.loads(data)
        counted = _counted(event) or counted
        for choice in event["choices"]:
            texts[choice["index"]] = texts.get(choice["index"], "") + _text(choice, "delta")
    return Reply(200, tuple(texts[i] for i in sorted(texts)), counted)


def _text(choice: Mapping[str, Any], name: str) -> str:
    return str((choice[name].get("content") if name in choice else choice["text"]) or "")


def _counted(answer: Mapping[str, Any]) -> int | None:
    usage = answer.get("usage")
    return int(usage["prompt_tokens"]) if usage else None
