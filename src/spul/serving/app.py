"""The endpoints. They speak OpenAI's language; what goes beyond it is refused rather than ignored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from spul.serving.asking import Asked, Desk
from spul.serving.doorman import OPEN_PATHS, Doorman
from spul.serving.engine import Engine
from spul.serving.errors import ApiError
from spul.serving.keys import Caller, Keys
from spul.serving.loading import ServedSet
from spul.serving.observe import Metrics, RequestLog
from spul.serving.openapi import ASKING, HEALTH, METRICS, MODEL, MODELS, describe
from spul.serving.schema import ChatRequest, CompletionRequest
from spul.serving.settings import ServerSettings

__all__ = ["build_app"]


def build_app(
    served: ServedSet,
    settings: ServerSettings | None = None,
    keys: Keys | None = None,
    log: RequestLog | None = None,
) -> FastAPI:
    """Return the application; its engine runs while it does.

    Args:
        served: base model and prompts.
        settings: limits.
        keys: who may ask for what; everybody for every prompted model if missing.
        log: where events are written.
    """
    settings, keys, log = settings or ServerSettings(), keys or Keys(), log or RequestLog()
    metrics = Metrics()
    engine = Engine(served, max_batch=settings.max_batch, max_queue=settings.max_queue, on_step=metrics.batch.observe)
    metrics.watch(engine)
    desk = Desk(served, engine, settings, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        engine.start()
        log.event("started", models=list(served.models))
        yield
        engine.close()
        log.event("stopped")

    app = FastAPI(
        title="spul",
        version=version("spul"),
        description="A frozen language model behind soft prompts.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(Doorman, keys=keys, metrics=metrics, log=log, max_body=settings.max_body)
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    _add_asking(app, desk)
    _add_looking(app, served, engine, metrics)
    describe(app, open_paths=OPEN_PATHS, keys=keys.needed)
    return app


def _add_asking(app: FastAPI, desk: Desk) -> None:
    @app.post("/v1/completions", responses=ASKING["completion"], response_class=JSONResponse)
    async def completions(body: CompletionRequest, request: Request) -> Response:
        """Continue texts."""
        asked = await desk.completion(body, _caller(request), _facts(request))
        return await _answered(desk, asked, body, request)

    @app.post("/v1/chat/completions", responses=ASKING["chat"], response_class=JSONResponse)
    async def chat_completions(body: ChatRequest, request: Request) -> Response:
        """Answer in a talk."""
        asked = await desk.chat(body, _caller(request), _facts(request))
        return await _answered(desk, asked, body, request)


def _add_looking(app: FastAPI, served: ServedSet, engine: Engine, metrics: Metrics) -> None:
    @app.get("/v1/models", responses=MODELS)
    async def models(request: Request) -> dict[str, Any]:
        """List the models that the caller may ask for."""
        caller = _caller(request)
        return {"object": "list", "data": [_model(name) for name in served.models if caller.may_ask(name)]}

    @app.get("/v1/models/{name}", responses=MODEL)
    async def model(name: str, request: Request) -> dict[str, Any]:
        """Return one of them."""
        if name not in served.models or not _caller(request).may_ask(name):
            raise ApiError(404, "no such model; see /v1/models", code="model_not_found", param="model")
        return _model(name)

    @app.get("/health", responses=HEALTH)
    async def health() -> dict[str, str]:
        """Say whether requests are answered."""
        if not engine.alive:
            raise ApiError(503, "the engine does not run", kind="server_error", code="stopping")
        return {"status": "ok"}

    @app.get("/metrics", response_class=Response, responses=METRICS)
    async def read_metrics(request: Request) -> Response:
        """Return counters for Prometheus."""
        if not _caller(request).rights.metrics:
            raise ApiError(403, "this key may not read metrics", code="forbidden")
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")


async def _answered(desk: Desk, asked: Asked, body: CompletionRequest | ChatRequest, request: Request) -> Response:
    if not body.stream:
        return JSONResponse(await desk.whole(asked, request))
    usage = body.stream_options is not None and body.stream_options.include_usage
    return StreamingResponse(
        desk.stream(asked, usage=usage), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


def _caller(request: Request) -> Caller:
    caller = request.scope["spul.caller"]
    assert isinstance(caller, Caller)
    return caller


def _facts(request: Request) -> dict[str, Any]:
    facts: dict[str, Any] = request.scope["spul.facts"]
    return facts


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "spul"}


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    _facts(request)["error"] = error.code
    return JSONResponse(error.body, error.status, error.headers)


async def _malformed(request: Request, error: Exception) -> Response:
    """Say what is wrong with the first parameter that is, without the value that came."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    loc = [str(part) for part in first["loc"] if part != "body"]
    param = loc[0] if loc and first["type"] != "json_invalid" else None
    message = {
        "extra_forbidden": "is unknown or not supported here",
        "json_invalid": "the body is not valid JSON",
        "missing": "is missing" if param else "expected a JSON object, sent as application/json",
        "model_attributes_type": "expected a JSON object, sent as application/json",
    }.get(first["type"], str(first["msg"]).removeprefix("Value error, "))
    return await _refused(request, ApiError(400, f"{param}: {message}" if param else message, param=param))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = {
        404: "there is no such path",
        405: "this path takes another method",
        413: "the request is too large",
    }.get(error.status_code, "the request could not be read")
    response = await _refused(request, ApiError(error.status_code, message))
    response.headers.update(error.headers or {})
    return response
