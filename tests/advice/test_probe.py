"""The probe on a model that can be steered, and on one that cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import spul
from spul.advice import weigh
from spul.advice.rules import moved
from spul.cli.main import app
from spul.errors import ConfigError
from tests.training.setting import config_of, write_setting


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return write_setting(tmp_path_factory.mktemp("advice"))


@pytest.fixture(autouse=True)
def _by_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many steps whatever the machine is doing beside."""
    monkeypatch.setattr("spul.advice.probe.MOST_STEPS", 40)


def test_a_random_model_is_steered_at_once_and_nothing_is_kept(values: dict[str, Any], tmp_path: Path) -> None:
    """A random model's answers have no reason to resist, so its forget loss moves within a few steps."""
    config = config_of(values, f"output_dir={tmp_path}")
    facts, advice = spul.advise(config, seconds=120.0)
    assert [probe.form for probe in facts.probes] == ["input", "deep"]
    assert all(moved(probe) for probe in facts.probes)
    assert facts.probes[0].learning_rate == config.train.learning_rate
    assert facts.forget_rows == 8
    assert 0 < facts.forget_share < 0.5
    assert advice == weigh(facts)
    assert not list(tmp_path.iterdir())


def test_a_prompt_without_a_learning_rate_does_not_move(values: dict[str, Any]) -> None:
    facts, advice = spul.advise(config_of(values, "train.learning_rate=1e-12"), seconds=120.0)
    assert not moved(facts.probes[0])
    assert any("does not move (input" in warning for warning in advice.warnings)


def test_other_aims_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="generic answer"):
        spul.advise(config_of(values, "method=ga"))
    with pytest.raises(ConfigError, match="seconds above 0"):
        spul.advise(config_of(values), seconds=0)


def test_the_verb_prints_tables_or_json(values: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(config_of(values).to_yaml())
    found = CliRunner().invoke(app, ["advise", "--config", str(file), "--seconds", "120", "--json"])
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert {form["name"] for form in told["advice"]["forms"]} == {"input", "deep", "gate", "match", "weights"}
    assert told["facts"]["parameters"] > 0
