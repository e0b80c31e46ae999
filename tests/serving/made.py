"""Servers over tiny random models, on a port of this machine."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import torch
import uvicorn

from spul.models.prompted import PromptedModel
from spul.serving.app import build_app
from spul.serving.keys import Keys
from spul.serving.loading import ServedSet, load_served, open_artefact
from spul.serving.observe import RequestLog
from spul.serving.server import listen
from spul.serving.settings import ServerSettings
from tests.exports.made import write_run

__all__ = ["Live", "live", "served_runs"]


def served_runs(directory: Path, *, chat: bool = False) -> ServedSet:
    """Two runs on one base, an input-level prompt called `input` and a deep one called `deep`."""
    runs = {level: write_run(directory / level, level=level, chat=chat) for level in ("input", "deep")}
    return load_served([open_artefact(f"{level}={run.path}") for level, run in runs.items()])


def model_of(served: ServedSet, name: str) -> PromptedModel:
    """Return the project's own model behind what is served, for comparison."""
    model = PromptedModel(served.base, served.tokenizer)
    around = served.models[name].around
    model.surroundings = lambda: around  # type: ignore[method-assign]
    return model


@dataclass
class Live:
    """A server that runs, and what it logs."""

    url: str
    served: ServedSet
    stream: io.StringIO
    client: httpx2.Client
    server: uvicorn.Server

    def post(self, path: str, body: Any = None, *, key: str | None = None, **options: Any) -> httpx2.Response:
        headers = {**options.pop("headers", {}), **({"Authorization": f"Bearer {key}"} if key else {})}
        given = options if body is None else {"json": body, **options}
        return self.client.post(self.url + path, headers=headers, **given)

    def get(self, path: str, *, key: str | None = None) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.client.get(self.url + path, headers=headers)

    def complete(self, prompt: Any, model: str = "input", *, key: str | None = None, **options: Any) -> dict[str, Any]:
        answer = self.post("/v1/completions", {"model": model, "prompt": prompt, "max_tokens": 6, **options}, key=key)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def shutdown(self) -> None:
        """Ask the server to stop, as a signal does."""
        self.server.should_exit = True

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@contextmanager
def live(served: ServedSet, keys: Keys | None = None, **settings: Any) -> Iterator[Live]:
    """Serve on a free port within the context."""
    torch.set_num_threads(1)
    socket, stream = listen("127.0.0.1", 0), io.StringIO()
    app = build_app(served, ServerSettings(**settings), keys, RequestLog(stream))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        with httpx2.Client(timeout=30) as client:
            yield Live(f"http://127.0.0.1:{socket.getsockname()[1]}", served, stream, client, server)
    finally:
        server.should_exit = True
        thread.join()
        socket.close()
