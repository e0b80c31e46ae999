"""How examples are posed to a model, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from spul.data.choices import CHOICES, LETTERS
from spul.data.templates import Template
from spul.errors import ConfigError, unknown_name
from spul.settings import Settings
from spul.tasks._templates import TEMPLATES

if TYPE_CHECKING:
    from spul.tasks._base import Task

__all__ = ["TaskSettings"]


class TaskSettings(Settings):
    """The task.

    Attributes:
        name: registered task.
        template: text with placeholders, ``{answer}`` once and last; or the name of one that comes with the package
            (``sentiment``, ``multiple_choice``, ``multiple_choice_context``, ``cloze``, ``cloze_context``, ``qa``,
            ``qa_context``, ``completion``, ``summarization``). Where missing, the one called like the task;
            ``sentiment`` for classification.
        scoring: for ``multiple_choice``, what is asked for and trained: the right option's ``letter`` (the default
            there), or its text, of which the likelihood is compared. The other is measured beside it.
        chat: put the prompt as a user's message through the tokenizer's chat template; the answer opens the
            assistant's turn.
        labels: the task's answers; read from the training data where empty.
        generic_answers: answers outside the labels that the forget set is given instead of the truth (paper:
            ``neutral`` and ``unknown``). Where missing, tasks with free answers have their own: refusals for ``qa``, a
            neutral sentence for ``completion`` and ``summarization``.
        max_length: most tokens of virtual tokens, prompt and answer together; the model's context where missing.
        truncate_field: field that is cut from its end where an input is too long; the template's first where missing,
            and never the choices. With free answers it is the document (``context``, ``document``), never the question.
        max_new_tokens: with free answers, most tokens that the model writes when it is evaluated; room for them is kept
            behind the prompt. 128 where missing, 50 for ``completion``.
        temperature: with free answers, of sampling; 0 is greedy.
        top_p: with free answers, share of the probability that is sampled from.
        stop: with free answers, texts before which a written answer ends.
        prefix_tokens: for ``completion``, tokens of the text that are shown; 50 where missing.
        suffix_tokens: for ``completion``, most tokens of the text that are to follow; 50 where missing.
        extraction_stride: for ``completion``, extraction likelihood is measured at every so many-th token of prefix and
            continuation; not at all where missing, since each of these tokens costs a continuation of its own.
    """

    name: str = "classification"
    template: str = TEMPLATES["sentiment"]
    scoring: Literal["letter", "likelihood"] | None = None
    chat: bool = False
    labels: tuple[str, ...] = ()
    generic_answers: tuple[str, ...] = ("neutral", "unknown")
    max_length: Annotated[int | None, Field(gt=0)] = None
    truncate_field: str | None = None
    max_new_tokens: Annotated[int | None, Field(gt=0)] = None
    temperature: Annotated[float, Field(ge=0)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    prefix_tokens: Annotated[int | None, Field(gt=0)] = None
    suffix_tokens: Annotated[int | None, Field(gt=0)] = None
    extraction_stride: Annotated[int | None, Field(gt=0)] = None

    @property
    def is_free_text(self) -> bool:
        """Whether answers are texts, not labels."""
        task = _task_called(self.name)
        return task is not None and task.free_text

    @property
    def continued(self) -> str | None:
        """The field whose own continuation is the answer; ``None`` where answers have a column of their own."""
        task = _task_called(self.name)
        return self.fields[0] if task is not None and task.continues else None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that an example must have: the template's, and the choices even where they are not listed."""
        fields = Template.parse(self.template).fields
        return fields if self.name != "multiple_choice" or CHOICES in fields else (*fields, CHOICES)

    @model_validator(mode="before")
    @classmethod
    def _of_the_task(cls, values: Any) -> Any:
        """Put in what the task has by default, and a named template's text, so that a run records what it used."""
        if not isinstance(values, Mapping):
            return values
        name = values.get("name", "classification")
        task = _task_called(name)
        template = values.get("template", "sentiment" if task is None else task.template)
        if isinstance(template, str) and "{" not in template:
            if template not in TEMPLATES:
                raise ValueError(
                    f"{unknown_name('template', template, TEMPLATES)}; or give a text with {{answer}} last"
                )
            template = TEMPLATES[template]
        defaults = {} if task is None else task.defaults
        missing = {key: value for key, value in defaults.items() if values.get(key) is None}
        return {**values, "template": template, **missing}

    @model_validator(mode="after")
    def _settings_of_the_task(self) -> TaskSettings:
        from spul.tasks._base import TASKS

        task = _task_called(self.name)
        if task is None:
            return self
        everyone = {name: TASKS.get(name).own_settings for name in TASKS.names()}
        for setting in sorted(set().union(*everyone.values()) - task.own_settings):
            if getattr(self, setting) != type(self).model_fields[setting].default:
                takers = [name for name, settings in everyone.items() if setting in settings]
                raise ValueError(
                    f"`{setting}` goes with `name: {'` or `'.join(takers)}`, not with {self.name!r}; leave it out"
                )
        return self

    @model_validator(mode="after")
    def _options_are_no_generic_answers(self) -> TaskSettings:
        if self.name == "multiple_choice":
            options = [text for text in self.generic_answers if text.upper() in LETTERS or text.isdigit()]
            if options:
                raise ValueError(
                    f"generic answers stand beside options; {options} look like an option's letter or place"
                )
        if self.truncate_field == CHOICES:
            raise ValueError("the choices are never cut; expected another field as `truncate_field`")
        return self

    @model_validator(mode="after")
    def _of_free_text(self) -> TaskSettings:
        if self.is_free_text and self.labels:
            raise ValueError(f"`labels` are for tasks with labels; the answers of {self.name!r} are free. Leave it out")
        if self.is_free_text and self.truncate_field == "question":
            raise ValueError("the question is never cut; expected a document's field as `truncate_field`")
        if self.continued is not None and (self.chat or self.truncate_field):
            raise ValueError(f"`{self.name}` goes on with the text itself: leave out `chat` and `truncate_field`")
        return self

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


def _task_called(name: Any) -> type[Task] | None:
    """Return a task's class, ``None`` for a name that is none: that is an error of whoever builds the task."""
    from spul.tasks._base import TASKS

    return TASKS.get(name) if name in TASKS.names() else None
