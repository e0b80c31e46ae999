"""A server on a port: from a listening socket to a stop that lets running answers end."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from spul.errors import ConfigError
from spul.serving.observe import JsonHandler, RequestLog

__all__ = ["is_loopback", "listen", "run_server"]

LIBRARIES = ("spul", "uvicorn", "asyncio")


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        ConfigError: the address is unknown, or taken.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((str(address[0]), port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"cannot listen on {host} port {port}: {error}. Give another --host or --port.") from error


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches the address."""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def run_server(app: FastAPI, server: socket.socket, *, grace: float, log: RequestLog) -> None:
    """Serve until SIGINT or SIGTERM; then no connection is taken any more, and running answers get ``grace`` s."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(grace) or 1,
        timeout_keep_alive=30,
        # As many connections as there are clients; how many requests are worked on is the engine's to say.
        lifespan="on",
    )
    with _logged_as_json(log), _quiet_signals():
        uvicorn.Server(config).run(sockets=[server])


@contextmanager
def _logged_as_json(log: RequestLog) -> Iterator[None]:
    handler = JsonHandler(log)
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if logger.name == "spul" else logging.WARNING)
    try:
        yield
    finally:
        for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)


@contextmanager
def _quiet_signals() -> Iterator[None]:
    """Let a stop that was asked for end with exit code 0: uvicorn raises the signal once more when all is done."""

    def nothing(*_: Any) -> None:
        return None

    before = {number: signal.signal(number, nothing) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
