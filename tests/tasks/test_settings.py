from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from spul.tasks._templates import TEMPLATES
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
        ({"template": "sentimental"}, r"unknown template 'sentimental'\. Did you mean 'sentiment'\?"),
        ({"scoring": "letter"}, "`scoring` goes with `name: multiple_choice`"),
        ({"name": "multiple_choice", "scoring": "letters"}, "'letter' or 'likelihood'"),
        ({"name": "multiple_choice", "truncate_field": "choices"}, "the choices are never cut"),
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


def test_a_task_has_a_template_and_a_scoring_of_its_own() -> None:
    settings = TaskSettings.model_validate({"name": "multiple_choice"})
    assert settings.template == TEMPLATES["multiple_choice"]
    assert settings.scoring == "letter"
    assert settings.fields == ("question", "choices")
    assert TaskSettings().scoring is None


def test_a_named_template_is_recorded_as_its_text() -> None:
    settings = TaskSettings.model_validate({"name": "multiple_choice", "template": "cloze_context"})
    assert settings.template == TEMPLATES["cloze_context"]
    assert settings.fields == ("context", "question", "choices"), "scored though they are not listed"
    assert TaskSettings.model_validate(settings.model_dump()) == settings


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_named_template_is_usable(name: str) -> None:
    assert TaskSettings.model_validate({"template": name}).template.endswith("{answer}")
