"""How the server describes itself: every status that a path may answer with, and the form of what comes then."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from spul.serving.replies import (
    ChatChunk,
    ChatReply,
    CompletionChunk,
    CompletionReply,
    ErrorReply,
    HealthReply,
    ModelList,
    ModelReply,
)

__all__ = ["ASKING", "HEALTH", "METRICS", "MODEL", "MODELS", "describe"]

Responses = dict[int | str, dict[str, Any]]
SCHEMAS = "#/components/schemas/{model}"
RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
REFUSALS: Responses = {
    status: {"description": said, "model": ErrorReply} | ({"headers": RETRY} if status in (429, 503) else {})
    for status, said in {
        400: "The request is malformed or out of range.",
        401: "No known API key.",
        403: "This key has no right to that.",
        404: "No such model, or not for this key.",
        405: "The path takes another method.",
        413: "The request is too large.",
        429: "Too much is asked.",
        500: "The answer could not be computed.",
        503: "The server is stopping.",
        504: "The answer was not finished in time.",
    }.items()
}


def _responses(reply: type[BaseModel] | None, *refusals: int, media: dict[str, Any] | None = None) -> Responses:
    good: dict[str, Any] = {"description": "What was asked for."}
    if reply is not None:
        good["model"] = reply
    if media is not None:
        good["content"] = media
    return {200: good, **{status: REFUSALS[status] for status in refusals}}


def _asking(reply: type[BaseModel], chunk: type[BaseModel]) -> Responses:
    refs = [{"$ref": SCHEMAS.format(model=model.__name__)} for model in (chunk, ErrorReply)]
    event = {
        "type": "object",
        "description": "Where `stream` is true: server-sent events, each with more of an answer; the last is [DONE].",
        "required": ["data"],
        "if": {"properties": {"data": {"const": "[DONE]"}}},
        "else": {"properties": {"data": {"contentMediaType": "application/json", "contentSchema": {"anyOf": refs}}}},
    }
    stream = {"text/event-stream": {"schema": event}}
    return _responses(reply, 400, 401, 404, 413, 429, 500, 503, 504, media=stream)


ASKING = {"completion": _asking(CompletionReply, CompletionChunk), "chat": _asking(ChatReply, ChatChunk)}
MODELS = _responses(ModelList, 401, 413, 500)
MODEL = _responses(ModelReply, 401, 404, 413, 500)
HEALTH = _responses(HealthReply, 413, 500, 503)
METRICS = _responses(None, 401, 403, 413, 500, media={"text/plain": {"schema": {"type": "string"}}})
KEY = {"key": {"type": "http", "scheme": "bearer"}}


def describe(app: FastAPI, *, open_paths: tuple[str, ...], keys: bool) -> None:
    """Let the application describe itself as it is.

    Args:
        app: the application, its routes added.
        open_paths: paths that ask for no key.
        keys: whether the others do.
    """

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app, open_paths, keys)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _described(app: FastAPI, open_paths: tuple[str, ...], keys: bool) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            # FastAPI's own refusal of a body; here it is a 400 in OpenAI's form.
            operation["responses"].pop("422", None)
            if path not in open_paths and keys:
                operation["security"] = [{name: [] for name in KEY}]
            if not keys:
                operation["responses"].pop("401", None)
    schemas = document["components"]["schemas"]
    _, chunks = models_json_schema(
        [(CompletionChunk, "serialization"), (ChatChunk, "serialization")], ref_template=SCHEMAS
    )
    schemas.update(chunks["$defs"])
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    if keys:
        document["components"]["securitySchemes"] = KEY
    return document
