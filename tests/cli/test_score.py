from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Spul


def write(path: Path, shift: float = 0.0) -> Path:
    rows = [
        {
            "id": str(i),
            "split": "train_forget",
            "answer": "anna was born in rome",
            "generated": "anna was born in oslo",
            "token_logprobs": [-1.0, -0.5],
            "perturbed": [{"logprob": -2.0 - shift * i, "num_tokens": 2}],
        }
        for i in range(12)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_samples_of_another_tool_are_scored_beside_a_retrained_model(spul: Spul, tmp_path: Path) -> None:
    ours, theirs, out = write(tmp_path / "o.jsonl"), write(tmp_path / "r.jsonl", 0.1), tmp_path / "metrics.json"
    result = spul("score", ours, "--retrained", theirs, "--task", "qa", "--output", out, "--json")
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.stdout)["metrics"]
    assert metrics["unlearned/train_forget/rouge:l_recall"]["value"] == pytest.approx(0.8)
    assert 0 < metrics["unlearned/train_forget/forget_quality"]["value"] < 0.05
    assert metrics["unlearned/train_forget/generic_rate"]["reason"] == "no generic answer is known"
    assert metrics["unlearned/train_forget/exact_memorization"]["value"] is None
    assert metrics["unlearned/train_forget/knowmem"]["value"] == pytest.approx(0.8)
    written = {(row["where"], row["metric"]): row["value"] for row in json.loads(out.read_text())["metrics"]}
    assert written["unlearned/train_forget", "rouge:l_recall"] == pytest.approx(0.8)
    shown = spul("score", ours)
    assert "no retrained" in shown.stdout, "why a number is missing stands in its place"
    assert "knowmem" not in shown.stdout, "without the task nobody knows whether these were questions"


def test_bad_samples_end_with_2_and_a_sentence(spul: Spul, tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    file.write_text('{"id": "1", "answer": "a", "split": "s", "logprob": NaN}\n')
    for arguments in (("score", file), ("score", tmp_path / "none"), ("score", tmp_path)):
        result = spul(*arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.stderr
        assert not result.stdout
