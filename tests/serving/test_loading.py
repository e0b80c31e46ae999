"""What is refused before a server starts, and what is served."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import torch
from typer.testing import CliRunner, Result

import spul
from spul.cli.main import app
from spul.errors import ConfigError, ModelError
from spul.exports._tokens import add_soft_tokens
from spul.models.adapter import load_adapter, save_adapter
from spul.models.identity import base_identity
from spul.runs import Run
from spul.serving.keys import key_hash, load_keys
from spul.serving.loading import load_served, open_artefact
from tests.exports.made import write_run
from tests.tiny import tiny_model


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["serve", *map(str, arguments), "--port", "0"])


def refused(*arguments: object) -> str:
    result = command(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_run(tmp_path)


def test_a_changed_artefact_is_refused_before_anything_is_loaded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from spul.serving import loading

    monkeypatch.setattr(loading, "load_base", None)
    file = run.adapter_dir / "adapter_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert "adapter_model.safetensors is not the file that the manifest names" in refused(run.path)
    assert "is damaged, was changed, or saving was interrupted" in refused(run.adapter_dir)
    file.unlink()
    assert "adapter_model.safetensors is missing" in refused(run.path)


def test_another_base_or_precision_is_refused(tmp_path: Path) -> None:
    first, second = write_run(tmp_path / "a"), write_run(tmp_path / "b", "llama_tied")
    assert "run cannot be served beside one: the adapter was learned on" in refused(f"one={first.path}", second.path)
    tiny_model(seed=1)[0].save_pretrained(tmp_path / "a" / "base")
    assert "other weights" in refused(first.path)
    model = second.config.model.model_copy(update={"dtype": "bfloat16"})
    second.reconfigure(second.config.model_copy(update={"model": model}))
    second.seal()
    assert "learned on float32 weights" in refused(second.path)


def test_weights_names_and_addresses_that_will_not_do(run: Run, tmp_path: Path) -> None:
    assert "two or more" not in refused(run.path, run.path)
    assert "models of different names, got ['run', 'run']; name them: NAME=RUN" in refused(run.path, run.path)
    for name in ("base", "a b", ""):
        with pytest.raises(ConfigError, match="expected a model name"):
            open_artefact(f"{name}={run.path}" if name else f"={run.path}")
    assert "expected --keys FILE" in refused(run.path, "--host", "0.0.0.0")
    assert "cannot listen on 203.0.113.1" in refused(run.path, "--host", "203.0.113.1", "--open")
    assert "expected a run directory" in refused(tmp_path / "nothing")
    run.reconfigure(run.config.model_copy(update={"trainable": "lora"}))
    run.seal()
    assert "trained weights (trainable: lora)" in refused(run.path)


def test_a_tokenizer_with_soft_tokens_is_refused(run: Run, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    base = tmp_path / "base"
    add_soft_tokens(AutoTokenizer.from_pretrained(base), 4).backend.save(str(base / "tokenizer.json"))
    with pytest.raises(ModelError, match=r"has soft tokens .*baked export"):
        load_served([open_artefact(str(run.path))])


def test_adapters_and_exports_are_served_as_their_run(run: Run) -> None:
    """An export to prefix holds the keys and values that the run's own prompt leaves: the same states."""
    with torch.no_grad():
        front = spul.load_model(run).surroundings().front
    assert front is not None
    deep, base = torch.stack([torch.cat(pair) for pair in front]), load_adapter(run.adapter_dir).base
    save_adapter(run.exports_dir / "prefix", deep, level="deep", base=base, info={})
    artefacts = [open_artefact(f"{name}={path}") for name, path in (("a", run.path), ("b", run.adapter_dir))]
    exported = open_artefact(f"c={run.exports_dir / 'prefix'}", base=str(run.config.model.path))
    served = load_served([*artefacts, exported])
    first, *others = (served.models[name].around.tensors() for name in "abc")
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert {served.models[name].num_virtual_tokens for name in "abc"} == {4}
    assert open_artefact(str(run.adapter_dir)).name == open_artefact(str(run.exports_dir / "prefix")).name == "run"


def test_placed_prompts_are_served(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    values, base = torch.randn(5, 32), base_identity(tiny_model()[0], str(run.config.model.path))
    save_adapter(tmp_path / "placed", values, level="input", base=base, info={}, placement="both")
    served = load_served([open_artefact(str(tmp_path / "placed"))]).models["placed"]
    assert (served.around.num_front, served.around.num_behind) == (3, 2)


def test_a_file_of_keys_that_will_not_do(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    good = {"name": "a", "sha256": key_hash("a")}
    for content, message in (
        ("- [", "does not read"),
        ("keys: []", "keys: Tuple should have at least 1 item"),
        (json.dumps({"keys": [{**good, "sha256": "abc"}]}), "keys.0.sha256: String should match"),
        (json.dumps({"keys": [{**good, "bass": True}]}), "keys.0.bass: Extra inputs"),
        (json.dumps({"keys": [good, {**good, "name": "b"}]}), "two keys are the same"),
        (json.dumps({"keys": [good, {"name": "a", "sha256": key_hash("b")}]}), "the same name"),
        (json.dumps({"keys": [{**good, "models": ["x"]}]}), "no model is called 'x'; there are: m, base"),
    ):
        file.write_text(content)
        with pytest.raises(ConfigError, match=r".*" + message.replace("[", r"\[")):
            load_keys(file, ("m", "base"))
    with pytest.raises(ConfigError, match="does not read"):
        load_keys(tmp_path / "none", ("m",))


def test_a_missing_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "spul.serving.app", raising=False)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert "spul serve needs fastapi: pip install 'spul[serve]'" in refused(run.path)


@contextmanager
def started(log: Path, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command and yield its process and address."""
    call = [sys.executable, "-m", "spul", "serve", *map(str, arguments), "--port", "0", "--json"]
    with (
        log.open("w") as stderr,
        subprocess.Popen(call, stdout=subprocess.PIPE, stderr=stderr, text=True, env=os.environ) as process,
    ):
        assert process.stdout is not None
        try:
            text = ""
            while not text.rstrip().endswith("}"):
                line = process.stdout.readline()
                assert line, log.read_text()
                text += line
            yield process, json.loads(text)["url"]
        finally:
            process.kill()


def ask(url: str, **more: object) -> httpx2.Response:
    body = {"model": "run", "prompt": "anna was in the film", "max_tokens": 6, **more}
    return httpx2.post(f"{url}/v1/completions", json=body, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_command_with_0(run: Run, tmp_path: Path, number: signal.Signals) -> None:
    with started(tmp_path / "log", run.path) as (process, url):
        assert ask(url).status_code == 200
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
    assert json.loads((tmp_path / "log").read_text().splitlines()[-1])["event"] == "stopped"


@pytest.mark.slow
def test_killed_under_load_it_starts_again_and_answers_the_same(run: Run, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def attempt(url: str) -> str | None:
        try:
            return str(ask(url, max_tokens=60).json()["choices"][0]["text"])
        except httpx2.HTTPError:
            return None

    with started(tmp_path / "log", run.path) as (process, url), ThreadPoolExecutor(8) as pool:
        expected = attempt(url)
        answers = [pool.submit(attempt, url) for _ in range(200)]
        answers[20].result()
        process.kill()
        texts = {answer.result() for answer in answers}
    assert texts == {expected, None}, "some were cut off; none was answered in another way"
    with started(tmp_path / "log", run.path) as (_, url):
        assert attempt(url) == expected
    Run.open(run.path)


@pytest.mark.slow
def test_a_port_that_is_taken(run: Run, tmp_path: Path) -> None:
    with started(tmp_path / "log", run.path) as (_, url):
        result = CliRunner().invoke(app, ["serve", str(run.path), "--port", url.rpartition(":")[2]])
        assert result.exit_code == 2
        assert "Address already in use" in result.stderr
