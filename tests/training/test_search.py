"""The search for a learning rate: the same start for every try, nothing twice, nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

import spul
from spul.errors import DivergedError
from spul.models.adapter import load_adapter
from spul.runs import Run
from spul.training import train as train_module
from spul.training.search import SEARCH_FACT
from tests.training.setting import config_of, write_setting
from tests.training.test_invariants import Killed, log_and_kill

SEARCH = "train.learning_rate_search=[0.001, 1e-5, 0.01]"


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {**write_setting(tmp_path_factory.mktemp("search")), "method": "ga_kl"}


@pytest.fixture(scope="module")
def searched(values: dict[str, Any]) -> Run:
    return spul.unlearn(config_of(values, SEARCH, "train.search_max_steps=5"))


def weights(run: Run) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = AutoModelForCausalLM.from_pretrained(run.model_dir).state_dict()
    return state


def test_every_try_stands_in_the_manifest_and_the_best_is_chosen(searched: Run) -> None:
    found = searched.manifest.facts[SEARCH_FACT]
    rates = [one["learning_rate"] for one in found["tries"]]
    assert rates == [0.001, 1e-5, 0.01]
    best = max(found["tries"], key=lambda one: (one["score"], -one["learning_rate"]))
    assert found["chosen"] == best["learning_rate"]
    assert "share of wrong answers on validation_forget" in found["rule"]
    for one in found["tries"]:
        trial = Run.open(searched.search_dir / str(one["learning_rate"]))
        assert len([row for row in trial.train_log() if "loss" in row]) == 5
        assert trial.config.train.learning_rate == one["learning_rate"]
        assert not trial.checkpoints_dir.exists()
    assert (searched.cost["search_seconds"] or 0) > 0
    assert "search/0.01/train.jsonl" in searched.manifest.files


def test_the_run_goes_on_as_if_the_chosen_rate_had_been_named(values: dict[str, Any], searched: Run) -> None:
    """So every try, and the run itself, starts from the same weights."""
    rate = searched.manifest.facts[SEARCH_FACT]["chosen"]
    named = spul.unlearn(config_of(values, f"train.learning_rate={rate}"))
    assert all(torch.equal(value, weights(named)[name]) for name, value in weights(searched).items())
    losses = [[row["loss"] for row in run.train_log() if "loss" in row] for run in (searched, named)]
    assert losses[0] == losses[1]
    first = next(row["loss"] for row in Run.open(searched.search_dir / "0.001").train_log() if "loss" in row)
    assert first == losses[0][0]


def test_killed_in_the_second_try_and_resumed_does_not_run_the_first_again(
    values: dict[str, Any], searched: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(values, SEARCH, "train.search_max_steps=5")
    begun = 0

    def second_is_killed(path: Path) -> Any:
        nonlocal begun
        begun += 1
        return log_and_kill(log, 3)(path) if begun == 2 else log(path)

    log = train_module.TrainLog
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(train_module, "TrainLog", second_is_killed)
        spul.unlearn(config)
    stopped = max(Path(config.output_dir).iterdir(), key=lambda path: path.stat().st_mtime)
    finished = stopped / "search" / "0.001" / "train.jsonl"
    before = finished.stat().st_mtime_ns
    resumed = spul.unlearn(config, resume=stopped)
    assert finished.stat().st_mtime_ns == before
    assert all(torch.equal(value, weights(resumed)[name]) for name, value in weights(searched).items())


def test_a_rate_that_diverges_is_recorded_and_passed_over(values: dict[str, Any]) -> None:
    run = spul.unlearn(config_of(values, "train.learning_rate_search=[1e30, 0.001]", "train.max_steps=4"))
    diverged, fine = run.manifest.facts[SEARCH_FACT]["tries"]
    assert (diverged["score"], fine["reason"]) == (None, None)
    assert "not finite" in diverged["reason"]
    assert run.manifest.facts[SEARCH_FACT]["chosen"] == 0.001


def test_where_every_rate_diverges_the_run_fails(values: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"every rate .* diverged \(1e\+30\)"):
        spul.unlearn(config_of(values, "train.learning_rate_search=[1e30]", f"output_dir={tmp_path}"))
    (path,) = tmp_path.iterdir()
    assert Run.open(path, incomplete=True).status == "failed"


def test_without_validation_parts_it_is_chosen_on_train_and_says_so(values: dict[str, Any]) -> None:
    run = spul.unlearn(
        config_of(values, SEARCH, "train.search_max_steps=1", "data.validation_share=0", "train.keep=last")
    )
    found = run.manifest.facts[SEARCH_FACT]
    assert "on train_forget" in found["rule"] and "on train_retain" in found["rule"]
    assert all(one["score"] is not None for one in found["tries"])


def test_prompts_are_searched_for_in_the_same_way(values: dict[str, Any]) -> None:
    prompt = {**values, "method": "spul"}
    run = spul.unlearn(config_of(prompt, "train.learning_rate_search=[0.05, 0.01]", "train.max_steps=4"))
    rate = run.manifest.facts[SEARCH_FACT]["chosen"]
    named = spul.unlearn(config_of(prompt, f"train.learning_rate={rate}", "train.max_steps=4"))
    assert torch.equal(load_adapter(run.adapter_dir).values, load_adapter(named.adapter_dir).values)


def test_a_choice_between_zeros_is_called_so(values: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """The random base gives no answer of the task, so no rate keeps anything in one step."""
    run = spul.unlearn(config_of(values, SEARCH, "train.search_max_steps=1", "train.max_steps=1"))
    assert run.manifest.facts[SEARCH_FACT]["chosen"] == 1e-5
    assert "every learning rate scores 0 on validation" in caplog.text
