from __future__ import annotations

import pytest

from spul.config import RunConfig
from spul.errors import ConfigError

VALUES = {"model": {"path": "x"}, "data": {"builtin": "fictitious"}}


def test_scope_by_its_name_alone() -> None:
    assert RunConfig.build({**VALUES, "scope": "gate"}).scope.name == "gate"
    assert RunConfig.build(VALUES, ["scope=gate", "scope.epsilon=0.01"]).scope.epsilon == 0.01
    assert RunConfig.build(VALUES).scope.name == "none"


def test_resolved_configuration_reads_back(tmp_path: object) -> None:
    for values in (VALUES, {**VALUES, "scope": {"name": "gate", "retain": ["a.csv"]}}):
        config = RunConfig.build(values)
        assert RunConfig.build(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["scope.epsilon=0.01"], "set scope.name=gate"),
        (["scope=gat"], "'none' or 'gate'"),
        (["scope=gate", "scope.epsilon=0"], "scope.epsilon"),
        (["scope=gate", "scope.epsilom=0.1"], "Did you mean 'epsilon'"),
        (["scope=gate", "trainable=all"], "soft prompt"),
    ],
)
def test_what_does_not_go_together(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RunConfig.build(VALUES, overrides)
