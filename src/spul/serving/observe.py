"""What an operator sees: metrics for Prometheus, and one line of JSON a request. Neither holds any of its text."""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from spul.serving.engine import Engine

__all__ = ["JsonHandler", "Metrics", "RequestLog", "Stopwatch"]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "spul_requests", "Requests by path and status.", ["path", "status"], registry=self.registry
        )
        self.tokens = Counter(
            "spul_tokens", "Tokens read and written, by model.", ["model", "kind"], registry=self.registry
        )
        self.seconds = Histogram(
            "spul_request_seconds", "From request to end of answer.", ["path"], buckets=SECONDS, registry=self.registry
        )
        self.first_token = Histogram(
            "spul_first_piece_seconds", "From request to first piece of text.", buckets=SECONDS, registry=self.registry
        )
        self.batch = Histogram(
            "spul_batch_rows",
            "Answers written side by side, a step.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=self.registry,
        )

    def watch(self, engine: Engine) -> None:
        """Read queue and batch from the engine whenever metrics are read."""
        Gauge("spul_rows_running", "Answers being written.", registry=self.registry).set_function(
            lambda: engine.num_running
        )
        Gauge("spul_rows_waiting", "Answers that wait.", registry=self.registry).set_function(
            lambda: engine.num_waiting
        )

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)


class RequestLog:
    """Lines of JSON, one an event.

    Args:
        stream: where to; stderr if missing.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def event(self, name: str, **facts: Any) -> None:
        """Write one line."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": name, **facts}, ensure_ascii=True, allow_nan=False)
        stream = self._stream or sys.stderr
        stream.write(line + "\n")
        stream.flush()


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """How many."""
        return time.monotonic() - self._began


class JsonHandler(logging.Handler):
    """Sends what libraries log to a :class:`RequestLog`: level, logger and message, no traceback.

    Args:
        log: where to.
    """

    def __init__(self, log: RequestLog) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        facts: dict[str, Any] = {"level": record.levelname.lower(), "logger": record.name}
        if record.exc_info is not None and record.exc_info[0] is not None:
            # A traceback's last line is the exception's message, which may quote a request.
            facts["exception"] = record.exc_info[0].__name__
            self._log.event("log", **facts, message=str(record.msg).splitlines()[0] if record.msg else "")
            return
        self._log.event("log", **facts, message=record.getMessage())
