"""Other people's engines on our exports: what they answer, and what a probe finds there."""

from __future__ import annotations

from pathlib import Path

import pytest

from spul.exports import write_export
from spul.probing import ProbeResult, probe
from spul.runs import Run
from tests.probing.engines import llama_cpp, tiny_source, transformers_serve

pytestmark = pytest.mark.slow


def exported(directory: Path, to: str) -> tuple[Run, Path]:
    source = tiny_source(directory)
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
