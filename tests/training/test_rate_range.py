from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from spul import api
from spul.cli.main import main
from spul.errors import ConfigError
from spul.training.rate_range import RangeStep, suggest_rate
from tests.training.setting import config_of, write_setting


def steps(*losses: float) -> list[RangeStep]:
    return [RangeStep(10.0**i, loss, loss) for i, loss in enumerate(losses)]


def test_the_suggestion_by_hand() -> None:
    """Slopes between neighbours at rates 10, 100, 1000: −1, −4, −3 (the least loss is at 1000): 100 it is."""
    assert suggest_rate(steps(9, 9, 8, 5, 7)) == 100.0


def test_what_comes_down_behind_the_least_loss_does_not_count() -> None:
    """From 20 back to 4 is the steepest fall, but a higher rate had thrown the loss up before it."""
    assert suggest_rate(steps(5, 4, 3, 20, 4)) == 10.0


def test_a_loss_that_never_falls_suggests_nothing() -> None:
    assert suggest_rate(steps(1, 2, 3, 4)) is None
    assert suggest_rate(steps(2, 1)) is None


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return write_setting(tmp_path_factory.mktemp("range"))


def test_a_range_ends_where_the_loss_diverges_and_keeps_no_run(values: dict[str, Any]) -> None:
    """Rates in equal ratios; somewhere below 100 the weights are blown up."""
    found = api.learning_rate_range(config_of(values, "trainable=all"), lowest=1e-4, highest=100, steps=40)
    rates = [step.learning_rate for step in found.steps]
    assert rates[0] == pytest.approx(1e-4) and rates[1] / rates[0] == pytest.approx(1e6 ** (1 / 39))
    assert found.suggestion is not None and 1e-4 < found.suggestion < rates[-1]
    assert found.diverged and len(rates) < 40
    assert not Path(values["output_dir"]).exists()


def test_a_range_that_is_none_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"expected a first learning rate below the last one, got 1 and 0\.1"):
        api.learning_rate_range(config_of(values), lowest=1.0, highest=0.1)


def test_the_verb_prints_a_table_and_json(
    values: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(values))
    for flag in ([], ["--json"]):
        command = ["spul", "lr-range", "--config", str(file), "--lowest", "0.001", "--steps", "6", *flag]
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        out = capsys.readouterr().out
        if flag:
            assert json.loads(out)["steps"][0]["learning_rate"] == 0.001
        else:
            assert "learning rate" in out and "1.00e-03" in out
