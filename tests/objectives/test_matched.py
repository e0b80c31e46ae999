from __future__ import annotations

from math import log

import pytest
import torch

from spul.config import RunConfig
from spul.errors import ConfigError
from spul.objectives.matched import Matched
from spul.types import AnswerTarget, ForwardPass

MINIMAL = {"model": {"path": "some/model"}, "data": {"builtin": "fictitious"}}


def test_by_hand() -> None:
    """p uniform over 4 tokens, all of the target on two of them alike: KL = ln 2; the other example is matched: 0."""
    target = AnswerTarget(torch.tensor([[0, 1], [2, 3]]), torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]]))
    forget = ForwardPass(torch.zeros(2, 4), torch.tensor([0, 2]), torch.tensor([0, 1]), 2, target=target)
    assert Matched().loss(forget).item() == pytest.approx(log(2) / 2)


def test_without_a_target_it_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="needs a target"):
        Matched().loss(ForwardPass(torch.zeros(1, 4), torch.tensor([0]), torch.tensor([0]), 1))


def test_the_recipe_seeks_what_the_target_says() -> None:
    config = RunConfig.build({**MINIMAL, "method": "spul_matched"}, ["objective.source=heldout"])
    assert isinstance(config.objective, Matched) and config.objective.source == "heldout"
    assert config.objective.sought == "matched"


def test_targets_are_not_sought_where_none_are_made() -> None:
    with pytest.raises(ConfigError, match="only objective=matched makes"):
        RunConfig.build(MINIMAL, ["train.validate_forget=matched"])
