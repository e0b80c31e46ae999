"""The real thing: a process that gets SIGKILL in the middle of training, and the command line that goes on."""

from __future__ import annotations

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
from spul.runs import Run
from tests.training.setting import write_setting


@pytest.mark.slow
def test_sigkill_and_resume_by_the_command_line_give_the_same_prompt(tmp_path: Path) -> None:
    values = write_setting(tmp_path)
    values["train"] |= {"max_steps": 400, "eval_steps": 20, "save_steps": 20}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(values))
    command = [sys.executable, "-m", "spul", "unlearn", "--no-evaluate"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def runs() -> set[Path]:
        return {path for path in Path(values["output_dir"]).glob("*") if path.is_dir()}

    subprocess.run([*command, "--config", tmp_path / "run.yaml"], env=environment, check=True, capture_output=True)
    (whole,) = runs()
    process = subprocess.Popen(
        [*command, "--config", tmp_path / "run.yaml"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        stopped = runs() - {whole}
        logs = [path / "train.jsonl" for path in stopped]
        if logs and logs[0].exists() and len(logs[0].read_text().splitlines()) > 70:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (killed,) = stopped
    assert Run.open(killed, incomplete=True).status == "started"
    assert len(Run.open(killed, incomplete=True).train_log()) < 400
    subprocess.run([*command, "--resume", killed], env=environment, check=True, capture_output=True)
    assert torch.equal(load_adapter(killed / "adapter").values, load_adapter(whole / "adapter").values)
