"""Other people's engines, started on an export of ours."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import httpx2
import torch

from spul.exports import Source
from spul.serving.server import listen
from tests.exports import made
from tests.exports.made import byte_level_tokenizer, make_source
from tests.tiny import tiny_model

__all__ = ["llama_cpp", "tiny_source", "transformers_serve"]

SLOTS = 4


def tiny_source(directory: Path) -> Source:
    """Return the source of an export of a random byte-level Llama with a chat template.

    The base has more rows than tokens, and a random one writes them; a baked one's soft tokens take their place.
    """

    def model(architecture: str = "llama", seed: int = 0) -> Any:
        made_model, tokenizer = tiny_model(architecture, seed)
        with torch.no_grad():
            made_model.lm_head.weight[len(byte_level_tokenizer()) :] = 0
        return made_model, tokenizer

    with mock.patch.object(made, "tiny_model", model):
        return make_source(directory, chat=True)


@contextmanager
def transformers_serve(checkpoint: Path, home: Path) -> Iterator[str]:
    """Run `transformers serve` on a checkpoint; its list of models reads the hub's cache, which has to be there."""
    (home / "hub").mkdir(parents=True)
    socket = listen("127.0.0.1", 0)
    port = socket.getsockname()[1]
    socket.close()
    command = [Path(sys.executable).with_name("transformers"), "serve", "--host", "127.0.0.1", "--port", str(port)]
    options = ["--device", "cpu", "--dtype", "float32", str(checkpoint)]
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_CACHE": str(home / "hub")}
    with (home / "log").open("w") as log:
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log, env=environment)
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(240):
                try:
                    httpx2.get(f"{url}/health")
                    break
                except httpx2.TransportError:
                    time.sleep(0.5)
            yield url
        finally:
            process.terminate()
            process.wait()


@contextmanager
def llama_cpp(file: Path, context: int) -> Iterator[str]:
    """Run llama.cpp's server on a file, with four slots of so many tokens."""
    import xllamacpp

    options = xllamacpp.CommonParams()
    options.model.path = str(file)
    options.n_ctx, options.n_parallel = SLOTS * context, SLOTS
    options.cpuparams.n_threads = options.cpuparams_batch.n_threads = 1
    options.warmup, options.use_jinja, options.verbosity = False, True, -1
    options.flash_attn_type = options.cache_type_k = options.cache_type_v = 0
    engine = xllamacpp.Server(options)
    yield str(engine.listening_address)
