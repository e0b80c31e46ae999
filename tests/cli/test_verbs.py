"""The verbs that make or read a run directory, one after another on a tiny model."""

from __future__ import annotations

import errno
import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from spul import api, demonstration
from spul.api import making
from spul.cli.main import app
from spul.models import loading
from spul.runs import Run
from spul.training import parts
from tests.cli.conftest import Spul
from tests.training.setting import config_of, write_setting


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a configuration file for a run of a second."""
    directory = tmp_path_factory.mktemp("setting")
    file = directory / "run.yaml"
    file.write_text(config_of(write_setting(directory)).to_yaml(), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def unlearned(config: Path) -> dict[str, Any]:
    """Return what ``spul unlearn --json`` prints."""
    result = call("unlearn", "--config", config, "--name", "kept", "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def copy(unlearned: dict[str, Any], tmp_path: Path) -> Path:
    """Return a copy of the evaluated run, to be changed."""
    return Path(shutil.copytree(unlearned["run"], tmp_path / "copy"))


def test_unlearn_trains_evaluates_and_reports(unlearned: dict[str, Any]) -> None:
    run = Run.open(unlearned["run"])
    assert (run.config.name, run.status, unlearned["status"]) == ("kept", "complete", "complete")
    assert (run.adapter_dir / "adapter_model.safetensors").exists()
    assert unlearned["metrics"]["unlearned/test_forget/accuracy"]["n"] > 0
    assert "base/test_forget/accuracy" in unlearned["metrics"], "what removing the prompt restores"
    assert Path(unlearned["report"]).exists()
    assert unlearned["cost"]["trained_parameters"] == 4 * 32


def test_unlearn_without_evaluation_says_where_the_adapter_is(config: Path, spul: Spul) -> None:
    result = spul("unlearn", "--config", config, "--no-evaluate", "train.max_steps=4")
    assert result.exit_code == 0, result.output
    assert "adapter" in result.stdout
    assert "accuracy" not in result.stdout
    assert "Traceback" not in result.stderr


def test_flags_alone_do_the_same_as_a_file(config: Path, spul: Spul, tmp_path: Path) -> None:
    values = config_of(write_setting(tmp_path))
    result = spul(
        *("unlearn", "--model", values.model.path, "--forget", values.data.forget, "--retain", values.data.retain),
        *(
            "--template",
            values.task.template,
            "--column",
            "answer=label",
            "--seed",
            3,
            "--output-dir",
            tmp_path / "out",
        ),
        *("--no-evaluate", "--json", "train.max_steps=2", "train.num_threads=1", "data.validation_share=0.25"),
        *("prompt.num_virtual_tokens=2", "train.batch_size=4"),
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["metrics"] is None
    assert Run.open(found["run"]).config.seed == 3
    assert Path(found["run"]).parent == tmp_path / "out"


@pytest.mark.parametrize(("flags", "method"), [([], "finetune"), (["--retrain"], "retrain")])
def test_finetune_makes_a_checkpoint(config: Path, spul: Spul, tmp_path: Path, flags: list[str], method: str) -> None:
    values = config_of(write_setting(tmp_path))
    result = spul(
        *("finetune", *flags, "--model", values.model.path, "--forget", values.data.forget),
        *("--retain", values.data.retain, "--template", values.task.template, "--output-dir", tmp_path / "out"),
        *("--json", "train.max_steps=2", "train.num_threads=1", "train.batch_size=4"),
    )
    assert result.exit_code == 0, result.output
    run = Run.open(json.loads(result.stdout)["run"])
    assert run.config.method == method
    assert (run.model_dir / "model.safetensors").exists()


def test_evaluate_prints_a_table(copy: Path, spul: Spul) -> None:
    result = spul("evaluate", copy)
    assert result.exit_code == 0, result.output
    for word in ("unlearned", "base", "test forget", "suppresses"):
        assert word in result.stdout


def test_score_gives_the_same_numbers_without_a_model(
    copy: Path, unlearned: dict[str, Any], spul: Spul, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "AutoModelForCausalLM", None)
    result = spul("score", copy, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["metrics"] == unlearned["metrics"]
    assert Run.open(copy).metrics["test_forget/accuracy"].n > 0


def test_score_of_a_run_that_was_not_evaluated(config: Path, spul: Spul) -> None:
    run = json.loads(spul("unlearn", "--config", config, "--no-evaluate", "--json", "train.max_steps=2").stdout)["run"]
    result = spul("score", run)
    assert result.exit_code == 2
    assert "spul evaluate" in result.stderr


def test_report_goes_where_it_is_asked_to(copy: Path, spul: Spul, tmp_path: Path) -> None:
    result = spul("report", copy, copy, "--output", tmp_path / "both.html", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"report": str(tmp_path / "both.html")}
    assert (tmp_path / "both.html").read_text(encoding="utf-8").lstrip().startswith("<!")


def test_changed_file_of_a_run_is_found(copy: Path, spul: Spul) -> None:
    with (copy / "metrics.json").open("a") as file:
        file.write(" ")
    result = spul("evaluate", copy)
    assert result.exit_code == 2
    assert "metrics.json" in result.stderr


def test_interrupted_run_goes_on_as_the_message_says(config: Path, spul: Spul, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["spul", "unlearn", "--config", str(config), "--no-evaluate", "--json"]
    monkeypatch.setattr(sys, "argv", arguments)
    whole = making.train
    monkeypatch.setattr(making, "train", interrupt)
    stopped = spul(*arguments[1:])
    assert stopped.exit_code == 130
    *_, command = stopped.stderr.strip().split("; go on with: ")
    monkeypatch.setattr(making, "train", whole)
    resumed = spul(*shlex.split(command)[1:], "--no-evaluate", "--json")
    assert resumed.exit_code == 0, resumed.output
    assert json.loads(resumed.stdout)["run"] == shlex.split(command)[-1]
    assert Run.open(json.loads(resumed.stdout)["run"]).status == "complete"


def test_resumed_run_keeps_its_settings(unlearned: dict[str, Any], spul: Spul) -> None:
    result = spul("unlearn", "--resume", unlearned["run"], "--seed", 4)
    assert result.exit_code == 2
    assert "a resumed run keeps its configuration; got settings too (seed)" in result.stderr
    result = spul("finetune", "--resume", unlearned["run"], "--retrain")
    assert result.exit_code == 2
    assert "got settings too (method=retrain)" in result.stderr


def test_interrupt_while_resuming_names_the_same_run(copy: Path, spul: Spul, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "unlearn", interrupt)
    result = spul("unlearn", "--resume", copy)
    assert result.exit_code == 130
    assert result.stderr.endswith(f"; go on with: spul evaluate {copy}\n"), "this one is trained already"


def test_interrupt_before_a_run_is_begun(config: Path, spul: Spul, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "unlearn", interrupt)
    result = spul("unlearn", "--config", config)
    assert (result.exit_code, result.stderr) == (130, "interrupted before a run was begun\n")


def test_complete_run_is_not_resumed(unlearned: dict[str, Any], spul: Spul) -> None:
    result = spul("unlearn", "--resume", unlearned["run"])
    assert result.exit_code == 2
    assert "is complete" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["unlearn"], "expected a base model"),
        (["unlearn", "--model", "x", "--folder", "y", "--method", "spool"], "Did you mean 'spul'?"),
        (["unlearn", "--model", "x", "--folder", "y", "prompt.knd=mlp"], "Did you mean 'kind'?"),
        (["unlearn", "--model", "x", "--folder", "nowhere"], "nowhere"),
        (["finetune", "--retrain", "--method", "finetune"], "got both"),
        (["evaluate", "nowhere"], "expected a run directory at nowhere"),
        (["score", "nowhere"], "expected a run directory, a directory or a file of samples at nowhere"),
        (["report", "nowhere"], "expected a run directory at nowhere"),
    ],
)
def test_users_errors(spul: Spul, arguments: list[str], message: str) -> None:
    result = spul(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_full_disk_leaves_a_message_and_no_half_written_file(
    config: Path, spul: Spul, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "adapter_model.safetensors")

    monkeypatch.setattr(parts, "save_adapter", full)
    result = spul("unlearn", "--config", config, "--no-evaluate", "--output-dir", tmp_path, "train.max_steps=2")
    assert result.exit_code == 2
    assert "no space is left on the device" in result.stderr
    (run,) = tmp_path.iterdir()
    assert not (run / "adapter").exists()
    assert Run.open(run, incomplete=True).status != "complete"


def test_demo_prints_its_table_and_where_the_report_is(
    unlearned: dict[str, Any], spul: Spul, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = Run.open(unlearned["run"])

    def fake(output_dir: Path, seed: int) -> demonstration.DemoResult:
        assert (output_dir, seed) == (tmp_path, 5)
        sys.stdout.write("a library's chatter\n")
        return demonstration.DemoResult(run, run, run, run.path / "report.html")

    monkeypatch.setattr(demonstration, "demo", fake)
    shown = spul("demo", "--output-dir", tmp_path, "--seed", 5)
    assert shown.exit_code == 0, shown.output
    assert "test forget" in shown.stdout
    assert f"report   {run.path / 'report.html'}" in shown.stdout
    assert "chatter" not in shown.stdout
    found = json.loads(spul("demo", "--output-dir", tmp_path, "--seed", 5, "--json").stdout)
    assert found.keys() == {"base", "retrained", "unlearned", "report"}


def test_gate_is_put_before_a_finished_run(copy: Path, config: Path, spul: Spul) -> None:
    rows = config.parent / "test_retain.jsonl"
    result = spul("gate", copy, "--epsilon", 0.1, "--calibration", rows, "--retain", config.parent / "retain.jsonl")
    assert result.exit_code == 0, result.output
    for word in ("unlearned, gated", "in the gate's scope", "12 calibration rows", "at most 10 %"):
        assert word in " ".join(result.stdout.split())
    again = json.loads(spul("gate", copy, "--detector", "tfidf", "--json").stdout)
    assert again["gate"]["detector"] == "tfidf"
    assert again["gate"]["calibration"]["epsilon"] == 0.1, "what is not said stays as it was"
    assert "unlearned_gated/test_retain/gate_rate" in again["metrics"]
    assert Run.open(copy).config.scope.detector == "tfidf"
    page = spul("report", copy, "--json")
    assert "Scope gate" in Path(json.loads(page.stdout)["report"]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--detector", "token-max"], "Did you mean 'token_max'?"),
        (["--epsilon", "0"], "scope.epsilon"),
        (["--epsilon", "0.1", "--calibration", "nowhere.csv"], "nowhere.csv"),
        (["--epsilon", "0.0001"], "9999 calibration rows"),
    ],
)
def test_gate_that_cannot_be_leaves_the_run_as_it_was(copy: Path, spul: Spul, flags: list[str], message: str) -> None:
    before = {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}
    result = spul("gate", copy, *flags)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()} == before


def test_unlearn_with_a_gate(config: Path, spul: Spul) -> None:
    rows = config.parent / "test_retain.jsonl"
    result = spul(
        *("unlearn", "--config", config, "--gate", "--epsilon", 0.1, "--json"),
        *(f"scope.calibration={rows}", "train.max_steps=2", "evaluation.bootstrap=100"),
    )
    assert result.exit_code == 0, result.output
    assert "unlearned_gated/test_forget/gate_rate" in json.loads(result.stdout)["metrics"]
    refused = spul("unlearn", "--config", config, "--epsilon", 0.1)
    assert refused.exit_code == 2
    assert "set scope.name=gate" in " ".join(refused.stderr.split())
