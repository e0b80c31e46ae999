from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from spul.tasks.settings import TaskSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"labels": ["good", "good"]}, "expected distinct, non-empty answers"),
        ({"generic_answers": ["unknown", " "]}, "expected distinct, non-empty answers"),
        ({"generic_answers": []}, "at least one generic answer"),
        ({"labels": ["neutral", "bad"]}, r"\['neutral'\] are in both"),
        ({"template": "{text}"}, "with {answer} once and last"),
        ({"truncate_field": "txt"}, r"unknown field 'txt'\. Did you mean 'text'\?"),
        ({"max_length": 0}, "greater than 0"),
    ],
)
def test_unusable_settings_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TaskSettings.model_validate(values)


def test_defaults_are_the_papers() -> None:
    settings = TaskSettings()
    assert settings.name == "classification"
    assert settings.generic_answers == ("neutral", "unknown")
    assert settings.template.startswith("### Text: {text}\n\n### Question: What is the sentiment")
