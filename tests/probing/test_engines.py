"""Other people's engines on our exports: what they answer, and what a probe finds there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from spul.exports import write_export
from spul.probing import ProbeResult, probe
from spul.runs import Run
from tests.exports import made
from tests.exports.made import byte_level_tokenizer, make_source
from tests.probing.engines import llama_cpp, transformers_serve
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
    pytest.importorskip("xllamacpp")
    run, directory = exported(tmp_path, "gguf")
    with llama_cpp(directory / "model.gguf", 256) as url:
        result = probe(url, run, model="gguf")
    found = verdicts(result)
    assert {found[name] for name in ("completion", "completion_stream", "token_ids")} == {"bypassed"}
    assert {found[name] for name in ("chat", "chat_stream", "chat_concurrent", "chat_again")} == {"applied"}
    assert result.counted
    assert not result.passed
