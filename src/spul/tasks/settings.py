"""How examples are posed to a model, and what counts as an answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from spul.data.templates import Template
from spul.errors import ConfigError, unknown_name
from spul.settings import Settings

__all__ = ["PAPER_SENTIMENT_TEMPLATE", "TaskSettings"]

PAPER_SENTIMENT_TEMPLATE = (
    "### Text: {text}\n\n### Question: What is the sentiment of the given text?\n\n### Sentiment: {answer}"
)
"""Bhaila et al. 2025, section 4; the loss is on the answer only."""


class TaskSettings(Settings):
    """The task.

    Attributes:
        name: registered task.
        template: text with placeholders; ``{answer}`` is there once and last. Default: the paper's sentiment template.
        labels: the task's answers; read from the training data where empty.
        generic_answers: answers outside the labels that the forget set is given instead of the truth (paper:
            ``neutral`` and ``unknown``).
        max_length: most tokens of virtual tokens, prompt and answer together; the model's context where missing.
        truncate_field: field that is cut from its end where an input is too long; the template's first where missing.
    """

    name: str = "classification"
    template: str = PAPER_SENTIMENT_TEMPLATE
    labels: tuple[str, ...] = ()
    generic_answers: tuple[str, ...] = ("neutral", "unknown")
    max_length: Annotated[int | None, Field(gt=0)] = None
    truncate_field: str | None = None

    @field_validator("labels", "generic_answers")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value) or any(not v.strip() for v in value):
            raise ValueError(f"expected distinct, non-empty answers, got {list(value)}")
        return value

    @model_validator(mode="after")
    def _usable_template(self) -> TaskSettings:
        try:
            fields = Template.parse(self.template).fields
        except ConfigError as error:
            raise ValueError(str(error)) from error
        if self.truncate_field is not None and self.truncate_field not in fields:
            raise ValueError(f"truncate_field: {unknown_name('field', self.truncate_field, fields)}")
        return self

    @model_validator(mode="after")
    def _disjoint(self) -> TaskSettings:
        if not self.generic_answers:
            raise ValueError("expected at least one generic answer (the paper: neutral, unknown)")
        both = sorted(set(self.labels) & set(self.generic_answers))
        if both:
            raise ValueError(
                f"generic answers must stand outside the labels; {both} are in both. Remove them from one."
            )
        return self
