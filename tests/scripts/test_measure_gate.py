from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scripts import measure_gate
from tests.scopes.made import FORGOTTEN, KEPT, texts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sides = {"train_forget": (FORGOTTEN, 40, 0), "train_retain": (KEPT, 300, 1)}
    sides |= {"test_forget": (FORGOTTEN, 20, 2), "test_retain": (KEPT, 100, 3)}
    for name, (people, count, seed) in sides.items():
        rows = [json.dumps({"text": text, "label": "positive"}) for text in texts(people, count, seed)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_what_is_measured_of_made_up_films(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure_gate.main([str(folder), "--detectors", "token_max", "--epsilon", "0.1", "--resplits", "20"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == {"forget": 40, "validation_forget": 8, "calibration": 75}
    caught, touched = found["test_caught_and_touched"]["0.1"]
    assert caught == 1.0
    assert touched < 0.25
    assert found["validation"]["auc"] > 0.95
    for mean, low, high in (rows["0.1"] for rows in found["resplits"].values()):
        assert low <= mean <= high


def test_re_splits_keep_the_promise_on_average() -> None:
    """100 in, 100 asked, ε = 0.05: k = ⌈101 · 0.95⌉ = 96, so 5/101 = 0.0495 is expected; 400 re-splits: s.e. 0.0015."""
    found = measure_gate.resplit(np.random.default_rng(0).exponential(size=200), 0.05, 400, 0)
    assert len(found) == 400
    assert 0.044 < found.mean() < 0.055


def test_detector_that_needs_a_model_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure_gate.main([str(folder), "--detectors", "hidden_states"]) == 2
    assert "here is none" in capsys.readouterr().err
    assert measure_gate.main([str(folder / "nowhere")]) == 2
