"""`spul sweep`: from flags or a file to a study, and what it refuses."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from spul.studies import results
from spul.studies.settings import StudyConfig
from spul.studies.workers import Workers
from tests.cli.conftest import Spul
from tests.studies.fake import VALUES
from tests.studies.made import ValidatedWork, numbers

ROOT = Path(__file__).resolve().parents[2]
SHELL = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(VALUES), encoding="utf-8")
    return file


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put made-up runs in place of workers and nothing in place of pictures; return what makes the runs."""
    fake = ValidatedWork(metrics=numbers)
    for name in ("study_picture", "study_pareto"):
        monkeypatch.setattr(results, name, lambda *_: None)
    monkeypatch.setattr(Workers, "do", lambda self, *arguments: fake(*arguments))
    return fake


def test_flags_make_the_study_that_a_file_makes(run_file: Path, done: Any, spul: Spul, tmp_path: Path) -> None:
    out = tmp_path / "out"
    flags = ["--grid", "retain.alpha=0.1,0.5", "--random", "train.learning_rate=log:1e-3:1e-1", "--samples", 2]
    flags += ["--list", "prompt.kind=direct prompt.init=vocab", "--seeds", "0,1", "--metric", "test_forget/accuracy"]
    shown = spul("sweep", run_file, "retain.beta=0", "--out", out, *flags)
    assert shown.exit_code == 0, shown.output
    assert len(done.done) == 8
    assert "complete: 8 of 8 runs" in shown.stdout
    assert "prompt.kind" in shown.stdout
    assert "direct" in shown.stdout and "[default]" not in shown.stdout
    study = {
        "run": {**VALUES, "retain": {"beta": 0}},
        "grid": {"retain.alpha": [0.1, 0.5]},
        "random": {"train.learning_rate": "log:1e-3:1e-1"},
        "samples": 2,
        "list": [{"prompt.kind": "direct", "prompt.init": "vocab"}],
        "seeds": [0, 1],
        "metrics": ["test_forget/accuracy"],
    }
    assert StudyConfig.read(out / "study.yaml", {}) == StudyConfig.build(study)


@pytest.mark.usefixtures("done")
def test_json_is_the_study_alone_on_stdout(run_file: Path, spul: Spul, tmp_path: Path) -> None:
    flags = ["--seeds", "0,1", "--metric", "test_forget/accuracy", "--json"]
    shown = spul("sweep", run_file, "--out", tmp_path / "out", *flags)
    document = json.loads(shown.stdout)
    assert document == json.loads((tmp_path / "out" / "study.json").read_text())
    assert "seed-0: training" in shown.stderr


def test_a_point_that_fails_is_exit_code_2_and_the_same_command_goes_on(
    run_file: Path, done: Any, spul: Spul, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done.failing["seed-1"] = "the loss is not finite"
    shown = spul("sweep", run_file, "--out", out, "--seeds", "0,1", "--metric", "test_forget/accuracy")
    assert shown.exit_code == 2
    assert "incomplete: 1 of 2 runs" in shown.stdout
    assert f"go on    spul sweep --out {out}" in shown.stdout
    assert "failed   seed-1: the loss is not finite" in shown.stdout
    status = spul("sweep", "--out", out, "--status")
    assert (status.exit_code, "incomplete: 1 of 2 runs" in status.stdout) == (0, True)
    done.failing.clear()
    assert spul("sweep", "--out", out).exit_code == 0
    assert done.done == ["seed-0", "seed-1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected a study"),
        (["--seeds", "0,1"], "expected a FILE"),
        (["{run}"], "something to vary"),
        (["{run}", "--grid", "retain.alhpa=1,2"], "Did you mean 'alpha'"),
        (["{run}", "--grid", "retain.alpha=1,x"], "point retain.alpha=x"),
        (["{run}", "--grid", "retain.alpha="], "at least one value"),
        (["{run}", "--grid", "retain.alpha"], "expected --grid KEY=VALUES"),
        (["{run}", "--grid", "retain.alpha=1,1.0"], "one and the same run"),
        (["{run}", "--grid", "retain.alpha=1", "--grid", "retain.alpha=2"], "names retain.alpha twice"),
        (["{run}", "--random", "retain.alpha=log:1:2"], "`random` and `samples` together"),
        (["{run}", "--seeds", "0,a"], "seeds"),
        (["{run}", "--seeds", "0,1", "--metric", "acuracy"], "Did you mean 'accuracy'"),
        (["nowhere.yaml", "--seeds", "0,1"], "nowhere.yaml"),
        (["--status"], "expected a study"),
        (["{run}", "--seeds", "0,1", "--processes", "0"], "at least one process"),
    ],
)
def test_users_errors_come_before_anything_runs(
    run_file: Path, done: Any, spul: Spul, tmp_path: Path, arguments: list[str], message: str
) -> None:
    shown = spul("sweep", *[part.format(run=run_file) for part in arguments], "--out", tmp_path / "out")
    assert shown.exit_code == 2, shown.output
    assert message in shown.stderr
    assert "Traceback" not in shown.output
    assert done.done == []


def test_an_interrupt_names_the_command_that_goes_on(
    run_file: Path, spul: Spul, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Workers, "do", interrupt)
    shown = spul("sweep", run_file, "--out", tmp_path / "out", "--seeds", "0,1", "--processes", 2)
    assert shown.exit_code == 130
    assert shown.stderr.endswith(f"; go on with: spul sweep --out {tmp_path / 'out'} --processes 2\n")


DOCUMENTED = [
    line
    for block in SHELL.findall((ROOT / "docs" / "studies.md").read_text(encoding="utf-8"))
    for line in block.splitlines()
]


@pytest.mark.parametrize("command", DOCUMENTED, ids=range(len(DOCUMENTED)))
@pytest.mark.usefixtures("done", "run_file")
def test_documented_commands_run(command: str, spul: Spul, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    shown = spul(*shlex.split(command)[1:], "--metric", "test_forget/accuracy")
    assert shown.exit_code == 0, shown.output
