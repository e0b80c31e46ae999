"""A search asks Optuna for points, tunes on validation, and goes on from its data base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spul.errors import ConfigError, MissingDependencyError
from spul.studies import search as searching
from spul.studies.jobs import Job
from spul.studies.search import check_goal
from spul.studies.sweep import run_sweep, status_of
from tests.studies.fake import VALUES, FakeWork
from tests.studies.made import ValidatedWork, numbers, study

pytest.importorskip("optuna")
pytestmark = pytest.mark.usefixtures("undrawn")
SPACE: dict[str, Any] = {
    "random": {"retain.alpha": "uniform:0:1", "prompt.kind": "choice:mlp,direct"},
    "metrics": ["test_forget/accuracy"],
}


def seek(goal: str = "max:validation/score", samples: int = 6, **search: Any) -> Any:
    return study(**SPACE, samples=samples, search={"goal": goal, **search})


def test_a_search_finds_what_is_better_than_most(tmp_path: Path) -> None:
    document = run_sweep(seek(samples=8), tmp_path, do=ValidatedWork(metrics=numbers))
    assert document["status"] == "complete" and len(document["points"]) == 8
    best = document["search"]["best"]
    assert best["value"] == pytest.approx(1 - abs(best["point"]["retain.alpha"] - 0.7))
    assert best["value"] > 0.7
    assert document["search"]["remaining"] == 0


def test_a_search_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    first = ValidatedWork(metrics=numbers)

    def interrupted(*arguments: Any) -> None:
        if len(first.done) == 3:
            raise KeyboardInterrupt
        first(*arguments)

    with pytest.raises(KeyboardInterrupt):
        run_sweep(seek(), tmp_path, do=interrupted)
    document = status_of(seek(), tmp_path)
    assert (document["status"], document["search"]["remaining"]) == ("incomplete", 3)
    rest = ValidatedWork(metrics=numbers)
    assert run_sweep(seek(), tmp_path, do=rest)["status"] == "complete"
    assert len(rest.done) == 3, "the one that was cut off is among them"
    last = ValidatedWork(metrics=numbers)
    assert run_sweep(seek(), tmp_path, do=last)["status"] == "complete"
    assert last.done == []


def test_points_that_fail_are_passed_over(tmp_path: Path) -> None:
    class Failing(ValidatedWork):
        def __call__(self, job: Job, *arguments: Any) -> None:
            alpha = job.config.retain.alpha
            if alpha is not None and alpha > 0.5:
                self.failing[job.name] = "the loss is not finite"
            super().__call__(job, *arguments)

    document = run_sweep(seek(), tmp_path, do=Failing(metrics=numbers))
    assert document["status"] == "complete" and document["search"]["failed"] > 0
    assert document["search"]["best"]["point"]["retain.alpha"] <= 0.5


@pytest.mark.parametrize(
    "goal", ["max:validation/score", "min:train_forget/accuracy", "min:unlearned/train_forget/nll"]
)
def test_goals_on_train_and_validation_are_taken(goal: str) -> None:
    check_goal(goal, on_test=False)


@pytest.mark.parametrize(
    "goal", ["min:test_forget/accuracy", "max:unlearned/test_retain/accuracy", "min:unlearning_gap"]
)
def test_a_goal_on_test_is_taken_only_where_it_is_asked_for(goal: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="would tune on test rows"):
        run_sweep(seek(goal), tmp_path / "study", do=FakeWork())
    assert not (tmp_path / "study").exists()
    check_goal(goal, on_test=True)


def test_a_goal_on_test_that_was_asked_for_is_the_metric(tmp_path: Path) -> None:
    document = run_sweep(seek("min:test_forget/accuracy", 4, on_test=True), tmp_path, do=FakeWork(metrics=numbers))
    values = [point["metrics"]["test_forget/accuracy"]["value"] for point in document["points"]]
    assert document["search"]["best"]["value"] == min(values)


def test_runs_without_validation_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.validation_share above 0"):
        run_sweep(seek(), tmp_path, do=FakeWork(metrics=numbers))
    without = study(
        **SPACE, run={**VALUES, "train": {"keep": "last"}}, samples=2, search={"goal": "max:validation/score"}
    )
    with pytest.raises(ConfigError, match=r"train\.keep=best"):
        run_sweep(without, tmp_path / "study", do=FakeWork())
    assert not (tmp_path / "study").exists()


def test_without_optuna_the_command_to_install_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'spul\[search\]'"):
        run_sweep(seek(), tmp_path / "study", do=FakeWork())
    assert not (tmp_path / "study").exists()
