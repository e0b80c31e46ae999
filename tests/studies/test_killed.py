"""The real thing: a process whose worker trains gets SIGKILL; nothing is left running, and the same call goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from spul.models.adapter import load_adapter
from spul.studies.jobs import Job
from spul.studies.runner import Event, run_jobs
from tests.training.setting import config_of, write_setting

SCRIPT = """
import sys
from spul.config import RunConfig
from spul.studies.jobs import Job
from spul.studies.progress import job_lines
from spul.studies.runner import run_jobs
jobs = [Job(f"j{i}", RunConfig.from_yaml(sys.argv[1], [f"seed={i}"])) for i in range(4)]
with job_lines(jobs) as tell:
    run_jobs(jobs, sys.argv[2], processes=2, on_event=tell)
"""
pytestmark = pytest.mark.slow


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(line) for line in found.split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_running_and_the_same_call_goes_on(how: signal.Signals, tmp_path: Path) -> None:
    values = write_setting(tmp_path)
    values["train"] |= {"max_steps": 200, "eval_steps": 20, "save_steps": 20}
    file, root = tmp_path / "run.yaml", tmp_path / "root"
    file.write_text(config_of(values).to_yaml())
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT, file, root], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not any(
        len(log.read_text().splitlines()) > 50 for log in root.glob("*/train.jsonl")
    ):
        time.sleep(0.05)
    workers = children_of(parent.pid)
    os.kill(parent.pid, how)
    parent.wait()
    assert len(workers) == 2
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(is_alive, workers)):
        time.sleep(0.05)
    assert not any(map(is_alive, workers))

    events: list[Event] = []
    jobs = [Job(f"j{i}", config_of(values, f"seed={i}")) for i in range(4)]
    outcomes = run_jobs(jobs, root, processes=2, on_event=events.append)
    assert {outcome.status for outcome in outcomes.values()} == {"complete"}
    assert any(event.state == "resuming" for event in events)
    assert all(outcome.open().metrics["test_forget/accuracy"].n for outcome in outcomes.values())
    whole = run_jobs([Job("whole", jobs[0].config, evaluate=False)], tmp_path / "whole")["whole"].open()
    assert torch.equal(load_adapter(outcomes["j0"].open().adapter_dir).values, load_adapter(whole.adapter_dir).values)


def test_what_goes_wrong_in_a_worker_is_told_in_its_own_words(tmp_path: Path) -> None:
    values = write_setting(tmp_path)
    bad = Job("bad", config_of(values, "model.path=" + str(tmp_path / "nowhere")))
    good = Job("good", config_of(values, "train.max_steps=2", "train.keep=last"), evaluate=False)
    outcomes = run_jobs([bad, good], tmp_path / "root")
    assert outcomes["good"].status == "complete"
    assert "expected a model directory at" in str(outcomes["bad"].error)
    assert "Traceback" not in str(outcomes["bad"].error)


@pytest.mark.timeout(1800)
def test_a_sweep_that_is_killed_in_the_middle_goes_on(tmp_path: Path) -> None:
    """Two fields of two values, two seeds, through the command line."""
    values = write_setting(tmp_path)
    values["train"] |= {"max_steps": 40, "eval_steps": 20, "save_steps": 10}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(values))
    out = tmp_path / "study"
    flags = ["--grid", "retain.alpha=0.5,1", "--grid", "prompt.num_virtual_tokens=2,4", "--seeds", "0,1"]
    sweep = [sys.executable, "-m", "spul", "sweep"]
    parent = subprocess.Popen(
        [*sweep, tmp_path / "run.yaml", "--out", out, *flags, "--processes", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and len(list(out.glob("runs/*/metrics.json"))) < 3:
        time.sleep(0.02)
    workers = children_of(parent.pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(is_alive, workers)):
        time.sleep(0.05)
    assert not any(map(is_alive, workers))
    made = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/metrics.json")}
    assert 3 <= len(made) < 8

    status = subprocess.run([*sweep, "--out", out, "--status", "--json"], capture_output=True, text=True, check=True)
    assert json.loads(status.stdout)["status"] == "incomplete"
    assert "missing" in (out / "table.md").read_text()
    last = subprocess.run([*sweep, "--out", out, "--json"], capture_output=True, text=True, check=True)
    document = json.loads(last.stdout)
    assert document["status"] == "complete"
    assert [len(point["runs"]) for point in document["points"]] == [2, 2, 2, 2]
    finished = {
        path for path in made if path.parent.name in {run["run"] for p in document["points"] for run in p["runs"]}
    }
    assert {path: path.stat().st_mtime_ns for path in finished} == {path: made[path] for path in finished}
    assert "missing" not in (out / "table.md").read_text()
