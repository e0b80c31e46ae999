"""An engine that serves a run's model in OpenAI's language, with one of the ways planted in which prompts get lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch

from spul.models.prompted import PromptedModel
from spul.prompts import FixedPrompt

__all__ = ["FLAWS", "Engine", "serving"]

FLAWS = {
    "everything bare": "*",
    "raw completion is bare": "completion",
    "chat template without soft tokens": "chat",
    "soft tokens twice in chats": "chat",
    "streams are bare": "completion_stream",
    "lists are padded in the middle": "completion_list",
    "batches are padded in the middle": "completion_concurrent",
    "warm cache replaces the prompt": "completion_again",
    "warm cache replaces the prompt in chats": "chat_again",
    "scored texts are bare": "completion_scored",
    "long texts lose their front": "completion_long",
    "long chats lose their front": "chat_long",
    "system branch without soft tokens": "chat_system",
    "later turns without soft tokens": "chat_turns",
    "token ids as they come": "token_ids",
    "special tokens can be turned off": "no_special_tokens",
    "templates of clients": "own_template",
    "names become soft tokens": "soft_text",
    "names become soft tokens in chats": "chat_soft_text",
}
"""Every silent bypass, and the surface on which it has to be found."""
ONLY_COUNTED = {"soft tokens twice in chats", "names become soft tokens", "names become soft tokens in chats"}
"""These leave the answers alone, or nearly so: the counted tokens show them."""
LONG = 40
NAMES = ("<|spul_0|>", "<|spul_1|>")


class Engine:
    """Answers requests.

    Args:
        model: the run's own.
        flaw: one of the :data:`FLAWS`, or nothing.
        counts: whether it says how many tokens it has read.
    """

    known: dict[tuple[Any, ...], str] = {}  # noqa: RUF012

    def __init__(self, model: PromptedModel, flaw: str = "", *, counts: bool = True) -> None:
        self.model, self.flaw, self.counts = model, flaw, counts
        self.seen: set[str] = set()
        self.inside = 0
        self.lock = threading.Lock()
        self.served = "the-model"

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the texts and how many tokens were read."""
        chat = path.endswith("/chat/completions")
        prompts = [self.talk(body)] if chat else body["prompt"]
        prompts = [prompts] if isinstance(prompts, str) or (prompts and isinstance(prompts[0], int)) else prompts
        crowded = self.crowded() if self.flaw.startswith("batches") else False
        texts, tokens = [], 0
        for prompt in prompts:
            ids = list(prompt) if not isinstance(prompt, str) else list(self.model.tokenizer(prompt)["input_ids"])
            times = self.times(chat, prompt, body)
            longest = max(len(self.model.tokenizer(str(each))["input_ids"]) for each in prompts)
            if len(prompts) > 1 and self.flaw.startswith("lists"):
                ids = [0] * (longest - len(ids)) + ids
            if crowded:
                ids = [0] * 5 + ids
            read = ids[-LONG // 2 :] if times == 0 and len(ids) > LONG and "lose their front" in self.flaw else ids
            texts.append((str(prompt) if body.get("echo") else "") + self.written(read, times))
            tokens += len(read) + times * self.model.num_virtual_tokens
            if self.flaw.startswith("names become") and chat == self.flaw.endswith("chats") and NAMES[0] in str(prompt):
                bare = str(prompt).replace("".join(NAMES) + " ", "")
                tokens += 2 + len(self.model.tokenizer(bare)["input_ids"]) - len(ids)
        return {"texts": texts, "tokens": tokens}

    def talk(self, body: dict[str, Any]) -> str:
        return "\n".join(message["content"] for message in body["messages"])

    def times(self, chat: bool, prompt: Any, body: dict[str, Any]) -> int:
        """Return how often the prompt stands in front."""
        flaw, roles = self.flaw, [message["role"] for message in body.get("messages", [])]
        warm = str(prompt) in self.seen and not body.get("stream") and len(body.get("prompt", "")) != 1
        self.seen.add(str(prompt))
        length = len(self.model.tokenizer(str(prompt))["input_ids"])
        if flaw == "soft tokens twice in chats" and chat:
            return 2
        lost = {
            "everything bare": True,
            "raw completion is bare": not chat,
            "chat template without soft tokens": chat,
            "streams are bare": bool(body.get("stream")),
            "scored texts are bare": bool(body.get("echo")),
            "warm cache replaces the prompt": warm and not chat,
            "warm cache replaces the prompt in chats": warm and chat,
            "long texts lose their front": not chat and length > LONG,
            "long chats lose their front": chat and length > LONG,
            "system branch without soft tokens": "system" in roles,
            "later turns without soft tokens": "assistant" in roles,
            "token ids as they come": not isinstance(prompt, str),
            "special tokens can be turned off": body.get("add_special_tokens") is False,
            "templates of clients": "chat_template" in body,
        }
        return 0 if lost.get(flaw, False) else 1

    def crowded(self) -> bool:
        with self.lock:
            self.inside += 1
        time.sleep(0.05)
        found = self.inside > 1
        with self.lock:
            self.inside -= 1
        return found

    def written(self, ids: list[int], times: int) -> str:
        key = (tuple(ids), times)
        with self.lock:
            if key not in self.known:
                assert isinstance(self.model.encoder, FixedPrompt)
                values = torch.cat([self.model.encoder.values] * max(times, 1))
                model = PromptedModel(
                    self.model.base, self.model.tokenizer, FixedPrompt(values, "input") if times else None
                )
                self.known[key] = model.complete([ids], max_new_tokens=8)[0]
            return self.known[key]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: else each answer waits for the client to confirm the first.
    wbufsize = 2**16
    engine: Engine

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self.reply({"data": [{"id": self.engine.served}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        found = self.engine.answer(self.path, body)
        usage = {"prompt_tokens": found["tokens"]} if self.engine.counts else None
        chat = self.path.endswith("/chat/completions")
        name = "delta" if body.get("stream") else "message"
        choices = [
            {"index": i, name: {"content": text}} if chat else {"index": i, "text": text}
            for i, text in enumerate(found["texts"])
        ]
        if not body.get("stream"):
            self.reply({"choices": choices, "usage": usage})
            return
        events = [{"choices": choices, "usage": None}, {"choices": [], "usage": usage}]
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        self.reply("".join([*lines, "data: [DONE]\n\n"]))

    def reply(self, value: Any) -> None:
        content = (value if isinstance(value, str) else json.dumps(value)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving(engine: Engine) -> Iterator[str]:
    """Serve on a free port within the context."""
    handler = type("Handler", (_Handler,), {"engine": engine})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
