"""Other people's engines on our exports: what they answer, and what a probe finds there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch

from spul.exports import write_export
from spul.probing import ProbeResult, probe
from spul.runs import Run
from spul.serving.server import listen
from tests.exports import made
from tests.exports.made import byte_level_tokenizer, make_source
from tests.tiny import tiny_model

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _no_rows_without_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base has more rows than tokens, and a random one writes them; a baked one's soft tokens take their place."""

    def model(architecture: str = "llama", seed: int = 0) -> Any:
        made_model, tokenizer = tiny_model(architecture, seed)
        with torch.no_grad():
            made_model.lm_head.weight[len(byte_level_tokenizer()) :] = 0
        return made_model, tokenizer

    monkeypatch.setattr(made, "tiny_model", model)


def exported(directory: Path, to: str) -> tuple[Run, Path]:
    source = make_source(directory, chat=True)
    return Run.open(source.run.path), write_export(source, to, directory / to).path


def verdicts(result: ProbeResult) -> dict[str, str]:
    return {check.surface: check.verdict for check in result.checks}


@contextmanager
def transformers_serve(model: Path, home: Path) -> Iterator[str]:
    """Run `transformers serve` on a checkpoint; its list of models reads the hub's cache, which has to be there."""
    (home / "hub").mkdir(parents=True)
    socket = listen("127.0.0.1", 0)
    port = socket.getsockname()[1]
    socket.close()
    command = [Path(sys.executable).with_name("transformers"), "serve", "--host", "127.0.0.1", "--port", str(port)]
    options = ["--device", "cpu", "--dtype", "float32", str(model)]
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


def test_transformers_serve_applies_a_baked_prompt(tmp_path: Path) -> None:
    """Raw, chat, streams, batches, long texts and other turns; names of soft tokens have to be escaped before it."""
    run, directory = exported(tmp_path, "baked")
    with transformers_serve(directory, tmp_path / "home") as url:
        result = probe(url, run, model=str(directory))
    found = verdicts(result)
    for surface in ("completion", "completion_stream", "completion_concurrent", "completion_again", "completion_long",
                    "chat", "chat_stream", "chat_concurrent", "chat_again", "chat_turns", "chat_long"):  # fmt: skip
        assert found[surface] == "applied", surface
    assert {found["token_ids"], found["no_special_tokens"]} == {"refused"}
    assert {found["soft_text"], found["chat_soft_text"]} == {"injected"}
    assert result.counted


def test_llama_cpp_applies_it_in_chats_and_the_probe_finds_raw_completion(tmp_path: Path) -> None:
    xllamacpp = pytest.importorskip("xllamacpp")
    run, directory = exported(tmp_path, "gguf")
    options = xllamacpp.CommonParams()
    options.model.path = str(directory / "model.gguf")
    options.n_ctx, options.n_parallel = 1024, 4
    options.cpuparams.n_threads = options.cpuparams_batch.n_threads = 1
    options.warmup, options.use_jinja, options.verbosity = False, True, -1
    options.flash_attn_type = options.cache_type_k = options.cache_type_v = 0
    engine = xllamacpp.Server(options)
    result = probe(engine.listening_address, run, model="gguf")
    found = verdicts(result)
    assert {found[name] for name in ("completion", "completion_stream", "token_ids")} == {"bypassed"}
    assert {found[name] for name in ("chat", "chat_stream", "chat_concurrent", "chat_again")} == {"applied"}
    assert result.counted
    assert not result.passed
