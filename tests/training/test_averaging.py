from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import spul
from spul.errors import ConfigError, RunError
from spul.models.adapter import load_adapter
from spul.training import train as train_module
from spul.training.averaging import LastAverage
from tests.training.setting import config_of, write_setting
from tests.training.test_invariants import Killed, log_and_kill


def model(value: float) -> nn.Linear:
    made = nn.Linear(1, 1)
    made.bias.requires_grad_(False)
    nn.init.constant_(made.weight, value)
    return made


def test_by_hand(tmp_path: Path) -> None:
    """Weights 1, 2, 6: the mean is 3; it goes on from a file, and frozen parameters have no part."""
    trained = model(1.0)
    average = LastAverage(trained, after=0)
    for value in (1.0, 2.0):
        nn.init.constant_(trained.weight, value)
        average.count_step()
    average.save(tmp_path / "average.safetensors")
    again = LastAverage(trained, after=0)
    again.load(tmp_path / "average.safetensors")
    nn.init.constant_(trained.weight, 6.0)
    again.count_step()
    again.put_into_model()
    assert (trained.weight.item(), again.count) == (3.0, 3)


def test_a_file_that_does_not_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "average.safetensors").write_bytes(b"nothing")
    with pytest.raises(RunError, match="Start the run anew"):
        LastAverage(model(0.0), after=0).load(tmp_path / "average.safetensors")


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return write_setting(tmp_path_factory.mktemp("averaging"))


COMMON = ("train.keep=last", "train.max_steps=8", "train.save_steps=3")


def test_the_mean_of_the_last_steps_is_kept_and_a_resumed_run_has_the_same_bit_for_bit(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 8 steps the last 4 count; killed at 7, the run goes on from step 6, when 2 of them had been counted."""
    config = config_of(values, *COMMON, "train.average_last=4")
    seen = []
    counted = LastAverage.count_step

    def remember(self: LastAverage) -> None:
        seen.append(next(iter(self._trained.values())).detach().clone())
        counted(self)

    with monkeypatch.context() as patch:
        patch.setattr(LastAverage, "count_step", remember)
        whole = spul.unlearn(config)
    assert whole.manifest.facts["averaged_steps"] == len(seen) == 4
    kept = load_adapter(whole.adapter_dir).values
    torch.testing.assert_close(kept, torch.stack(seen).mean(dim=0))
    assert not torch.allclose(kept, seen[-1])
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(train_module, "TrainLog", log_and_kill(train_module.TrainLog, 7))
        spul.unlearn(config)
    stopped = max(Path(config.output_dir).iterdir(), key=lambda path: path.stat().st_mtime)
    resumed = spul.unlearn(config, resume=stopped)
    assert torch.equal(load_adapter(resumed.adapter_dir).values, kept)


def test_it_does_not_go_with_the_best_validation(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="`keep: last` only"):
        config_of(values, "train.average_last=4")


def test_a_prompt_starts_from_that_of_another_request(values: dict[str, Any]) -> None:
    """At a rate that changes nothing it stays what it was; size, level and placement must be the same."""
    first = spul.unlearn(config_of(values, *COMMON))
    common = ("train.learning_rate=1e-12", f"prompt.init_run={first.path}", "prompt.init=run", *COMMON)
    for kind in ("direct", "normalized"):
        second = spul.unlearn(config_of(values, *common, f"prompt.kind={kind}", "train.max_steps=1"))
        torch.testing.assert_close(load_adapter(second.adapter_dir).values, load_adapter(first.adapter_dir).values)
    for change, words in (
        ("prompt.num_virtual_tokens=3", "expected a prompt of 3 virtual tokens.*has 4, input, front"),
        ("prompt.kind=prefix", "level deep"),
        ("prompt.placement=suffix", "placement suffix"),
        ("prompt.kind=mlp", "makes its own from other parameters"),
    ):
        with pytest.raises(ConfigError, match=words):
            spul.unlearn(config_of(values, *common, change))
    with pytest.raises(ConfigError, match="together with `init_run`"):
        config_of(values, "prompt.init=run")
