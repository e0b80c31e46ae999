"""The built-in default does what it shows: people memorised, hidden by a prompt, and back without it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from spul.models.identity import model_digest
from spul.models.loading import load_base
from spul.runs import Metrics, Run


def share(metrics: Metrics, name: str) -> float:
    value = metrics[name].value
    assert value is not None, name
    return value


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [31, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (32, 33, 34, 35, 36))])
def test_the_demo_hides_its_people_and_keeps_the_rest(tmp_path: Path, seed: int) -> None:
    """None of these seeds was used to choose the recipe; the bounds leave room for 48 rows' worth of chance."""
    command = [sys.executable, "-m", "spul", "demo", "--seed", str(seed), "--output-dir", str(tmp_path), "--json"]
    done = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    unlearned = Run.open(Path(done["unlearned"]["run"]))
    metrics = unlearned.metrics
    # The base has memorised everybody, and that is what removing the prompt restores.
    assert share(metrics, "base/train_forget/accuracy") >= 0.9
    assert share(metrics, "base/test_forget/accuracy") >= 0.8
    # A model that never read about the forgotten people does not know them.
    assert share(metrics, "retrained/test_forget/accuracy") <= 0.4
    assert share(metrics, "unlearned/train_forget/generic_rate") >= 0.95
    assert share(metrics, "unlearned/test_forget/generic_rate") >= 0.9
    assert share(metrics, "unlearned/test_retain/accuracy") >= share(metrics, "base/test_retain/accuracy") - 0.04
    # The weights are those of the base, and what is kept is the prompt alone.
    base = load_base(unlearned.config.model)
    assert model_digest(base.model) == unlearned.manifest.base_digest
    assert unlearned.cost["trained_parameters"] == 30 * 128
    page = Path(done["report"]).read_text(encoding="utf-8")
    assert "suppresses" in page and "does not erase" in page
