from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from spul.data.settings import DataSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "exactly one source of data.* got 0"),
        ({"builtin": "fictitious", "folder": "x"}, "exactly one source of data.* got 2"),
        ({"forget": "f.csv"}, "`retain` is missing"),
        ({"retain": "r.csv"}, "`forget` is missing"),
        ({"folder": "x", "test_forget": "t.csv"}, "go with `forget` and `retain`"),
        (
            {"folder": "x", "max_rows": {"train_retian": 5}},
            r"unknown split 'train_retian'\. Did you mean 'train_retain'",
        ),
        ({"folder": "x", "max_rows": {"train_retain": 0}}, "greater than 0"),
        ({"folder": "x", "test_share": 1.0}, "less than 1"),
        ({"folder": "x", "columns": {"answer": ["a", "b"]}}, "expected one column for 'answer'"),
        ({"folder": "x", "columns": {"choices": []}}, "expected a column for 'choices'"),
        ({"folder": "x", "overlap": "ignore"}, "'error', 'drop_retain' or 'keep'"),
    ],
)
def test_unusable_settings_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DataSettings.model_validate(values)


def test_both_sides_may_bring_tests_and_a_holdout() -> None:
    settings = DataSettings(forget="f", retain="r", test_forget="tf", test_retain="tr", holdout="h")
    assert settings.overlap == "error"
    assert settings.validation_share == 0.1
