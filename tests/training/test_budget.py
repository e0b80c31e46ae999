"""The retain budget: one step of dual ascent by hand, and whole runs replayed from their logs."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import spul
from spul.config import RunConfig
from spul.errors import ConfigError
from spul.training.budget import AnswerLoss, RetainBudget, ascended, rank
from spul.types import AnswerScores, Query
from tests.training.setting import config_of, write_setting


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return write_setting(tmp_path_factory.mktemp("setting"))


@pytest.mark.parametrize(
    ("multiplier", "excess", "after"),
    [
        (1.0, 0.01, 2.0),  # a whole budget beyond it: doubled
        (1.0, 5.0, 2.0),  # far beyond: doubled too
        (1.0, -0.005, 2**-0.5),  # half a budget left
        (3.0, 0.0, 3.0),
        (90.0, 1.0, 100.0),
        (0.015, -1.0, 0.01),
    ],
)
def test_hand_worked_steps_of_dual_ascent(multiplier: float, excess: float, after: float) -> None:
    assert ascended(multiplier, excess, 0.01) == pytest.approx(after)


def test_within_the_budget_comes_first_then_least_beyond_it() -> None:
    places = [(0.9, 0.5), (0.99, 0.02), (0.0, -0.1), (0.7, 0.0)]
    assert sorted(places, key=lambda place: rank(*place)) == [(0.9, 0.5), (0.99, 0.02), (0.0, -0.1), (0.7, 0.0)]
    assert rank(0.3, None) == 0.3


class Says:
    """A model whose tokens cost the nats that it is given, without prompt those of ``plain``."""

    training = True

    def __init__(self, *nats: tuple[float, ...]) -> None:
        self.nats = nats

    def score(self, queries: list[Query], answers: Any) -> list[list[AnswerScores]]:
        assert [a for (a,) in answers] == [q.answer_ids for q in queries]
        return [[AnswerScores(tuple(-x for x in row), (0,) * len(row))] for row in self.nats]

    def eval(self) -> None:
        self.training = False

    def train(self, mode: bool) -> None:
        self.training = mode


def test_hand_worked_outcome() -> None:
    """Three tokens in two rows: base (1 + 1 + 4)/3 = 2 nats, now (1 + 1.5 + 4.5)/3 = 7/3: a rise of 1/3.

    Rows weigh by their tokens: the mean of the rows' own means would have risen by 0.375. A resample has row 0 twice
    (1/4), row 1 twice (1/2), or both (1/3).
    """
    queries = [Query("a", (9,), (1, 2), "x"), Query("b", (9,), (3,), "y")]
    model: Any = Says((1.0, 1.5), (4.5,))
    budget = RetainBudget(model, queries, 0.25, 1, AnswerLoss(np.array([2.0, 4.0]), np.array([2.0, 1.0])))
    assert budget.excess() == pytest.approx(1 / 3 - 0.25)
    assert model.training
    outcome = budget.outcome(2000, 0)
    assert (outcome.base_loss, outcome.rise) == (2.0, pytest.approx(1 / 3))
    assert (outcome.low, outcome.high) == (pytest.approx(0.25), pytest.approx(0.5))
    assert (outcome.within, outcome.n, outcome.tokens) == (False, 2, 3)
    state: Any = SimpleNamespace(global_step=1)
    budget.on_step_end(None, state, None)  # type: ignore[arg-type]
    assert budget.multiplier == pytest.approx(2 ** (1 / 3))


def steps(run: spul.Run) -> list[dict[str, Any]]:
    return [row for row in run.train_log() if "loss" in row]


def test_the_multiplier_follows_the_measured_excess_and_weighs_the_loss(values: dict[str, Any]) -> None:
    run = spul.unlearn(config_of(values, "retain.budget=0.05", "retain.budget_steps=2"))
    multiplier = 1.0
    for row in steps(run):
        assert row["multiplier"] == pytest.approx(multiplier)
        retain = row["loss_retain"] + 0.5 * row["loss_kl"]
        assert row["loss"] == pytest.approx(row["loss_forget"] + multiplier * retain, rel=1e-5)
        assert ("retain_excess" in row) == (row["step"] % 2 == 0)
        if "retain_excess" in row:
            multiplier = ascended(multiplier, row["retain_excess"], 0.05)
    facts = run.manifest.facts
    assert facts["retain_budget"]["multiplier"] == pytest.approx(multiplier)
    kept = next(
        row for row in run.train_log() if "validation_retain_excess" in row and row["step"] == facts["kept_step"]
    )
    rise = facts["retain_budget"]["rise"]
    assert rise - 0.05 == pytest.approx(kept["validation_retain_excess"], abs=1e-6)
    assert facts["validation_rule"].startswith("within the retain budget")


def test_a_tighter_budget_costs_less(values: dict[str, Any]) -> None:
    common = ["train.max_steps=24", "retain.budget_steps=2", "train.keep=last", "train.schedule=constant"]
    rises = [
        spul.unlearn(config_of(values, *common, f"retain.budget={nats}")).manifest.facts["retain_budget"]["rise"]
        for nats in (0.02, 3.0)
    ]
    assert rises[0] < rises[1]


def test_a_budget_that_is_not_kept_is_said(values: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        run = spul.unlearn(config_of(values, "retain.budget=1e-6", "train.max_steps=2", "train.learning_rate=0.5"))
    outcome = run.manifest.facts["retain_budget"]
    assert not outcome["within"]
    assert outcome["rise"] > 1e-6
    assert "the retain budget is not kept" in caplog.text


def test_without_a_validation_part_there_is_nothing_to_measure_on(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"validation part of retain, which is empty: raise data\.validation_share"):
        spul.unlearn(config_of(values, "retain.budget=0.1", "data.validation_share=0", "train.keep=last"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["retain.budget=0"], "greater than 0"),
        (["retain.budget=-0.1"], "greater than 0"),
        (["retain.budget=0.1", "retain.alpha=1"], r"expected retain\.budget or retain\.alpha, got both"),
        (["retain.budget=0.1", "retain.beta=1", "retain.alpha=2"], r"retain\.alpha and retain\.beta, got both"),
        (["retain.budget=0.1", "method=ga"], "this method has none"),
        (["retain.budget_steps=5"], "`budget_steps` goes with `budget`"),
    ],
)
def test_settings_that_do_not_go_together(values: dict[str, Any], overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of(values, *overrides)


def test_a_configuration_with_a_budget_reads_back(values: dict[str, Any], tmp_path: Path) -> None:
    config = config_of(values, "retain.budget=0.1", "method=ga_gd")
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    assert RunConfig.from_yaml(tmp_path / "config.yaml") == config
    assert "alpha" not in config.model_dump()["retain"]
    assert math.isclose(config.retain.alpha, 1.0)
