"""Trajectories that must be one and the same: repeated, accumulated, killed and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

import spul
from spul.models.adapter import load_adapter
from spul.models.identity import model_digest
from spul.models.loading import load_base
from spul.runs import Run
from spul.training import train as train_module
from tests.training.setting import config_of, write_setting


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return write_setting(tmp_path_factory.mktemp("setting"))


def adapter(run: Run) -> torch.Tensor:
    return load_adapter(run.adapter_dir).values


class Killed(BaseException):
    """Not an Exception: nothing in between may catch it, as nothing catches SIGKILL."""


class KillAt(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            raise Killed


@pytest.mark.parametrize(
    ("kind", "step", "placement"),
    [
        ("direct", 3, "both"),
        ("mlp", 6, "front"),
        ("lstm", 9, "suffix"),
        ("prefix", 6, "front"),
        ("prefix_mlp", 3, "front"),
    ],
)
def test_killed_and_resumed_gives_the_same_prompt_bit_for_bit(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch, kind: str, step: int, placement: str
) -> None:
    """Step 3 is before the first checkpoint (at 4), 6 and 9 are between checkpoints."""
    config = config_of(values, f"prompt.kind={kind}", f"prompt.placement={placement}")
    whole = spul.unlearn(config)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(train_module, "TrainLog", log_and_kill(train_module.TrainLog, step))
        spul.unlearn(config)
    stopped = max(Path(config.output_dir).iterdir(), key=lambda path: path.stat().st_mtime)
    with pytest.raises(spul.RunError, match="started"):
        Run.open(stopped)
    resumed = spul.unlearn(config, resume=stopped)
    assert torch.equal(adapter(whole), adapter(resumed))
    encoder = spul.load_model(whole).encoder
    assert encoder is not None and encoder.placement == placement
    assert [row["step"] for row in resumed.train_log()] == [row["step"] for row in whole.train_log()]
    losses = [[row["loss"] for row in run.train_log() if "loss" in row] for run in (whole, resumed)]
    assert losses[0] == losses[1]


def test_a_resumed_run_goes_on_with_the_multiplier_of_its_budget(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The multiplier moves after step 3; the run goes on from step 4, before it moves again after step 6."""
    config = config_of(values, "retain.budget=0.3", "retain.budget_steps=3")
    whole = spul.unlearn(config)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(train_module, "TrainLog", log_and_kill(train_module.TrainLog, 5))
        spul.unlearn(config)
    stopped = max(Path(config.output_dir).iterdir(), key=lambda path: path.stat().st_mtime)
    resumed = spul.unlearn(config, resume=stopped)
    assert torch.equal(adapter(whole), adapter(resumed))
    for name in ("loss", "multiplier", "retain_excess"):
        told = [[row[name] for row in run.train_log() if name in row] for run in (whole, resumed)]
        assert told[0] == told[1]
    assert len({row["multiplier"] for row in whole.train_log() if "multiplier" in row}) == 4
    assert whole.manifest.facts["retain_budget"] == resumed.manifest.facts["retain_budget"]


def log_and_kill(log: type, step: int) -> Any:
    class Both(log, KillAt):  # type: ignore[misc,valid-type]
        def __init__(self, path: Path) -> None:
            log.__init__(self, path)
            KillAt.__init__(self, step)

    return Both


def test_the_same_seed_gives_the_same_prompt_and_another_seed_another(values: dict[str, Any]) -> None:
    first, again, other = (spul.unlearn(config_of(values, f"seed={seed}")) for seed in (1, 1, 2))
    assert torch.equal(adapter(first), adapter(again))
    assert not torch.equal(adapter(first), adapter(other))


@pytest.mark.parametrize("ratio", ["0.5", "natural"])
def test_eight_passes_of_one_row_equal_one_pass_of_eight(values: dict[str, Any], ratio: str) -> None:
    """The means are over the rows of a step, so how it is cut into passes changes rounding alone."""
    common = ["train.max_steps=4", "train.keep=last", f"train.forget_ratio={ratio}"]
    whole = spul.unlearn(config_of(values, *common))
    parts = spul.unlearn(config_of(values, *common, "train.micro_batch_size=1"))
    torch.testing.assert_close(adapter(whole), adapter(parts), atol=2e-5, rtol=0)
    for a, b in zip(whole.train_log(), parts.train_log(), strict=True):
        for term in ("loss", "loss_forget", "loss_retain", "loss_kl", "grad_norm"):
            assert a[term] == pytest.approx(b[term], abs=1e-4), term


def test_passes_without_rows_change_nothing(values: dict[str, Any]) -> None:
    """24 retain and 6 forget rows in steps of 16 leave 14 for the second step: two of its 16 passes are empty."""
    common = ["train.max_steps=3", "train.keep=last", "train.forget_ratio=natural", "train.batch_size=16"]
    whole = spul.unlearn(config_of(values, *common))
    parts = spul.unlearn(config_of(values, *common, "train.micro_batch_size=1"))
    torch.testing.assert_close(adapter(whole), adapter(parts), atol=2e-5, rtol=0)


def test_the_base_model_is_unchanged_and_the_loss_falls(values: dict[str, Any]) -> None:
    config = config_of(values, "train.max_steps=40", "train.keep=last")
    before = model_digest(load_base(config.model).model)
    run = spul.unlearn(config)
    assert model_digest(load_base(config.model).model) == before == run.manifest.base_digest
    steps = [row for row in run.train_log() if "loss" in row]
    assert steps[-1]["loss"] < 0.8 * steps[0]["loss"]
    assert all(row[f"loss_{term}"] >= -1e-6 for row in steps for term in ("forget", "retain", "kl"))
    assert run.cost["trained_parameters"] == 4 * 32


def test_without_retain_terms_the_step_is_the_forget_terms_alone(values: dict[str, Any]) -> None:
    """With α = β = 0 the retain rows change nothing: other retain rows, same prompt."""
    common = ["retain.alpha=0", "retain.beta=0", "train.max_steps=3", "train.keep=last", "train.group_by_length=false"]
    run = spul.unlearn(config_of(values, *common))
    log = [row for row in run.train_log() if "loss" in row]
    assert all(row["loss"] == pytest.approx(row["loss_forget"], abs=1e-6) for row in log)
    assert all(row["loss_retain"] == row["loss_kl"] == 0.0 for row in log)


def test_keep_best_keeps_the_parameters_of_the_best_validation(values: dict[str, Any]) -> None:
    run = spul.unlearn(config_of(values, "train.max_steps=12"))
    validations = {row["step"]: row["validation_score"] for row in run.train_log() if "validation_score" in row}
    assert set(validations) == {4, 8, 12}
    best = run.manifest.facts["kept_step"]
    assert validations[best] == max(validations.values())
    short = spul.unlearn(config_of(values, "train.max_steps=12", "train.keep=last"))
    assert torch.equal(adapter(run), adapter(short)) == (best == 12)


def test_patience_stops_and_a_resumed_run_stays_stopped(values: dict[str, Any]) -> None:
    run = spul.unlearn(config_of(values, "train.learning_rate=1e-9", "train.patience=1"))
    assert [row["step"] for row in run.train_log() if "validation_score" in row] == [4, 8]
    assert run.cost["steps"] == 8
