"""``spul serve``: an OpenAI-compatible server with the prompts of several runs on one set of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spul.cli._output import Debug, Json, results_only, show, show_json
from spul.errors import ConfigError, MissingDependencyError

__all__ = ["serve"]


def serve(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]RUN...",
            help="Run directories, adapters, or exports to peft or prefix. NAME is the directory's if missing.",
            show_default=False,
        ),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on. All but this machine's own ask for --keys.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="API keys by their SHA-256, and what each may do (docs/serving.md).",
            show_default="everybody may ask for every prompted model, nobody for the base",
        ),
    ] = None,
    open_to_all: Annotated[
        bool, typer.Option("--open", help="Listen on other addresses than this machine's own without --keys.")
    ] = False,
    base: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Where the base model is now; it must be the same.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="Where the base model goes.")] = "auto",
    max_batch: Annotated[int, typer.Option(min=1, help="Most answers written side by side; 1 is one at a time.")] = 32,
    max_queue: Annotated[int, typer.Option(min=1, help="Most answers that wait; more are refused with 429.")] = 256,
    max_tokens: Annotated[int, typer.Option(min=1, help="Most new tokens of an answer.")] = 1024,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds until an unfinished answer is given up.")] = 120.0,
    grace: Annotated[float, typer.Option(min=1, help="Seconds that running answers get at the end.")] = 30.0,
    temperature: Annotated[
        float, typer.Option(min=0, max=2, help="Of requests that name none; runs are measured at 0, greedy.")
    ] = 0.0,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Answer in OpenAI's language, every model behind its own prompt, which no request can leave out.

    The base model is loaded once; each prompt's keys and values are computed once. Logs are JSON on stderr, without the
    text of requests.

    Example: spul serve people=runs/RUN --port 8000
    """
    try:
        from spul.serving.app import build_app
        from spul.serving.server import is_loopback, listen, run_server
    except ImportError as error:
        raise MissingDependencyError(f"spul serve needs {error.name}: pip install 'spul[serve]'") from error
    from spul.serving.keys import load_keys
    from spul.serving.loading import BASE_NAME, load_served, open_artefact
    from spul.serving.observe import RequestLog
    from spul.serving.settings import ServerSettings

    if keys is None and not open_to_all and not is_loopback(host):
        raise ConfigError(
            f"{host} is reached from other machines: expected --keys FILE (docs/serving.md), or --open where everybody "
            "who reaches it may ask"
        )
    settings = ServerSettings(
        max_batch=max_batch,
        max_queue=max_queue,
        max_tokens=max_tokens,
        timeout=timeout,
        grace=grace,
        temperature=temperature,
    )
    with results_only():
        artefacts = [open_artefact(run, base, device) for run in runs]
        known = load_keys(keys, (*(artefact.name for artefact in artefacts), BASE_NAME)) if keys else None
        served = load_served(artefacts)
        socket = listen(host, port)
    log = RequestLog()
    app = build_app(served, settings, known, log)
    where = f"[{host}]" if ":" in host else host
    url = f"http://{where}:{socket.getsockname()[1]}"
    prompted = [name for name in served.models if name != BASE_NAME]
    if json_output:
        show_json({"url": url, "models": prompted})
    else:
        show(f"url      {url}", f"models   {', '.join(prompted)}")
    with results_only():
        run_server(app, socket, grace=grace, log=log)
