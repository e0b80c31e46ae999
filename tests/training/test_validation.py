"""The validation rule, worked by hand with models that know their answers by heart."""

from __future__ import annotations

from typing import Any, cast

import pytest

from spul.config import RunConfig
from spul.models.prompted import PromptedModel
from spul.objectives import Sought
from spul.tasks import Task
from spul.training.validation import resolve_sought, rule_in_words, validate
from tests.fakes import FakeModel, FakeTask, make_query

MINIMAL: dict[str, Any] = {"model": {"path": "some/model"}, "data": {"builtin": "fictitious"}}


class Known(FakeModel):
    """Also remembers whether it was in training mode when it was asked."""

    training = True
    asked_in: bool | None = None

    def train(self, mode: bool) -> None:
        self.training = mode

    def eval(self) -> None:
        self.train(False)

    def score(self, queries: Any, answers: Any) -> Any:
        self.asked_in = self.training
        return super().score(queries, answers)


def validated(sought: Sought | None) -> tuple[Known, Any]:
    """Of four forget rows one is answered truly, two with a generic answer, one wrongly; of two retain rows one."""
    says = ["positive", "unknown", "neutral", "negative"]
    model = Known({str(i): answer for i, answer in enumerate(says)} | {"r0": "positive", "r1": "negative"})
    forget = [make_query(str(i), "positive") for i in range(4)]
    retain = [make_query(name, "positive") for name in ("r0", "r1")]
    return model, validate(cast(PromptedModel, model), cast(Task, FakeTask()), forget, retain, sought)


@pytest.mark.parametrize(
    ("sought", "score"),
    [
        ("generic", 2 / (1 / 0.5 + 1 / 0.5)),
        ("wrong", 2 / (1 / 0.75 + 1 / 0.5)),
        ("right", 2 / (1 / 0.25 + 1 / 0.5)),
        (None, 0.5),
    ],
)
def test_the_score_is_the_harmonic_mean_of_what_is_sought_and_retain_accuracy(
    sought: Sought | None, score: float
) -> None:
    _, found = validated(sought)
    assert (found.forget_generic, found.forget_wrong, found.retain_accuracy) == (0.5, 0.75, 0.5)
    assert found.score == pytest.approx(score)


def test_dropout_is_off_while_validating_and_on_again_after() -> None:
    model, _ = validated("wrong")
    assert (model.asked_in, model.training) == (False, True)


@pytest.mark.parametrize(
    ("method", "sought"),
    [
        ("spul", "generic"),
        ("rl", "generic"),
        ("ga", "wrong"),
        ("ga_gd", "wrong"),
        ("finetune", "right"),
        ("retrain", None),
    ],
)
def test_what_is_sought_follows_the_objective_unless_it_is_said(method: str, sought: Sought | None) -> None:
    assert resolve_sought(RunConfig.build({**MINIMAL, "method": method})) == sought
    said = RunConfig.build({**MINIMAL, "method": method}, ["train.validate_forget=wrong"])
    assert resolve_sought(said) == "wrong"


def test_the_rule_is_told_in_words() -> None:
    assert "share of wrong answers on validation_forget" in rule_in_words("wrong")
    assert rule_in_words(None) == "accuracy on validation_retain"
