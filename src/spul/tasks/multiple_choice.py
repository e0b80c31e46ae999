"""Multiple choice: which option is right, read by its letter and by its likelihood. Bhaila et al. 2025, section 4."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from spul.data.chat import chat_frame
from spul.data.choices import CHOICES, LETTERS, listed, parse_choices
from spul.data.posing import Poser
from spul.data.templates import Template
from spul.errors import ConfigError, DataError, unknown_name
from spul.tasks._base import TASKS, Task
from spul.tasks._reading import arg_max_answer
from spul.tasks.settings import TaskSettings
from spul.types import AnswerScores, AnswerSpace, Example, Query, Sample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["MultipleChoice"]

CUT_FIRST = "context"
"""The field that is cut where an input is too long; in a template without it, the first that is no list of options."""

OTHER = "other:"
"""Stands before the names of alternatives among scores; a label has no colon."""


@TASKS.register("multiple_choice")
class MultipleChoice(Task):
    """One of a question's own options, or a generic answer outside them.

    Labels are the options' letters, whatever is asked for: with ``letter`` the model is to say the letter that the
    prompt lists, with ``likelihood`` the option's text. Behind the same prompt the other of the two is scored as well,
    but for a template that does not list the options, where no letter means anything.

    Where none of a question's options is right, its truth may be a generic answer: such rows keep that answer alive in
    the base and in the retrained model. It is no label, and what counts options leaves these rows out.

    Args:
        poser: poses the examples; its template's ``{choices}`` is given the lettered list.
        answers: letters and generic answers, disjoint.
        by_text: whether an option's text is the answer, not its letter.
    """

    name: ClassVar[str] = "multiple_choice"
    template: ClassVar[str] = "multiple_choice"
    defaults: ClassVar[Mapping[str, Any]] = {"scoring": "letter"}
    own_settings: ClassVar[frozenset[str]] = frozenset({"scoring"})

    def __init__(self, poser: Poser, answers: AnswerSpace, *, by_text: bool) -> None:
        self.answers = answers
        self._poser = poser
        self._by_text = by_text
        self._lists = CHOICES in poser.template.fields

    @classmethod
    def build(
        cls, settings: TaskSettings, tokenizer: PreTrainedTokenizerFast, *, max_length: int, labels: Sequence[str]
    ) -> Self:
        """Build the task; labels come from the settings, or else are the letters up to the last right one in the data.

        Raises:
            DataError: the labels are not the first letters of the alphabet, or there are none to read.
            ConfigError: with ``letter``, the template does not list the choices; or there is no chat template.
        """
        template = Template.parse(settings.template)
        by_text = settings.scoring == "likelihood"
        if not by_text and CHOICES not in template.fields:
            raise ConfigError(
                f"expected a template that lists the options with {{{CHOICES}}}, since their letters are asked for, "
                f"got {settings.template!r}. Add it, or set task.scoring=likelihood."
            )
        cuttable = [field for field in template.fields if field != CHOICES]
        first = CUT_FIRST if CUT_FIRST in cuttable else cuttable[0]
        frame = chat_frame(tokenizer) if settings.chat else None
        poser = Poser(tokenizer, template, max_length, settings.truncate_field or first, frame)
        return cls(poser, AnswerSpace(_letters(settings, labels), settings.generic_answers), by_text=by_text)

    def pose_all(self, examples: Sequence[Example]) -> list[Query]:
        """Return the examples as token ids.

        Raises:
            DataError: the choices are no list, the answer is none of them, or an example cannot be posed.
        """
        options = [self._options(example) for example in examples]
        rendered = [
            replace(example, fields={**example.fields, CHOICES: listed(tuple(own.values()))})
            for example, own in zip(examples, options, strict=True)
        ]
        # Letters are asked for only where the prompt names them.
        shared = (*(self.answers.labels if self._lists else ()), *self.answers.generic)
        return [self._asked(query) for query in self._poser.pose_all(rendered, shared, options)]

    def with_answer(self, query: Query, text: str) -> Query:
        """Return the query with another option (by letter) or a generic answer to be predicted.

        Raises:
            DataError: it is none of them.
        """
        if text not in query.candidates:
            raise DataError(f"{unknown_name('answer', text, query.candidates)}. Options go by their letters.")
        return replace(query, answer=text, answer_ids=query.candidates[text])

    def scored_answers(self, query: Query) -> dict[str, tuple[int, ...]]:
        """Return every option in both wordings (letter and text), and every generic answer."""
        return {**query.candidates, **{f"{OTHER}{name}": ids for name, ids in query.alternatives.items()}}

    def read(self, query: Query, scores: Mapping[str, AnswerScores], decode: Callable[[Sequence[int]], str]) -> Sample:
        """Read the answer as it is asked for, and the best option in every way there is.

        With letters the prediction is read over the full vocabulary: a letter or a generic answer whose every token is
        the arg-max, or none. A text is rarely the arg-max word by word; there the prediction is the most likely of the
        options and the generic answers, by the mean log-probability of a token, as their lengths differ.

        ``readings`` compare options alone: by ``letter``, by the ``likelihood`` of their texts (summed), and by its
        mean over a text's tokens, ``likelihood_per_token``.
        """
        totals = {name: sum(scores[name].logprobs) for name in query.candidates}
        readings = self._readings(query, scores)
        if self._by_text:
            prediction: str | None = max(totals, key=lambda name: totals[name] / len(query.candidates[name]))
            restricted = readings["likelihood_per_token"]
        else:
            prediction = arg_max_answer(query.candidates, scores, query.candidates)
            restricted = readings["letter"]
        return Sample(
            id=query.id,
            answer=query.answer,
            prediction=prediction,
            prediction_text=decode(scores[query.answer if prediction is None else prediction].argmax_ids),
            restricted_prediction=restricted,
            logprob=totals[query.answer],
            num_tokens=len(query.answer_ids),
            candidate_logprobs=totals,
            input_tokens=len(query.prompt_ids),
            group=query.group,
            readings=readings,
        )

    def _readings(self, query: Query, scores: Mapping[str, AnswerScores]) -> dict[str, str]:
        asked = {name: scores[name].logprobs for name in query.candidates if name not in self.answers.generic}
        other = {name: scores[f"{OTHER}{name}"].logprobs for name in query.alternatives}
        letters, texts = (other, asked) if self._by_text else (asked, other)
        best = {"letter": max(letters, key=lambda name: sum(letters[name]))} if letters else {}
        return best | {
            "likelihood": max(texts, key=lambda name: sum(texts[name])),
            "likelihood_per_token": max(texts, key=lambda name: sum(texts[name]) / len(texts[name])),
        }

    def _options(self, example: Example) -> dict[str, str]:
        """Return the options by their letters."""
        place = f"example {example.id}"
        texts = parse_choices(example.fields[CHOICES], place)
        letters = LETTERS[: len(texts)]
        if len(letters) > len(self.answers.labels):
            raise DataError(
                f"{place}: expected at most {len(self.answers.labels)} options, as no training answer goes beyond "
                f"{self.answers.labels[-1]!r}; got {len(letters)}. Set task.labels=[{', '.join(letters)}]."
            )
        if example.answer not in (*letters, *self.answers.generic):
            known = (*letters, *self.answers.generic)
            raise DataError(f"{place}: {unknown_name('answer', example.answer, known)}. Options go by their letters.")
        return dict(zip(letters, texts, strict=True))

    def _asked(self, query: Query) -> Query:
        """Sort what the poser has tokenised into what may be asked for and what is scored beside it."""
        texts = query.alternatives
        letters = {name: query.candidates[name] for name in texts} if self._lists else {}
        generic = {name: query.candidates[name] for name in self.answers.generic}
        asked, other = (texts, letters) if self._by_text else (letters, texts)
        candidates = {**asked, **generic}
        return replace(query, candidates=candidates, alternatives=other, answer_ids=candidates[query.answer])


def _letters(settings: TaskSettings, seen: Sequence[str]) -> tuple[str, ...]:
    """Return the letters of the longest list of options.

    Raises:
        DataError: they are not the first letters of the alphabet, at least two.
    """
    in_data = set(seen) - set(settings.generic_answers)
    letters = settings.labels or LETTERS[: max((LETTERS.index(x) + 1 for x in in_data if x in LETTERS), default=0)]
    if len(letters) < 2 or letters != LETTERS[: len(letters)] or not in_data <= set(letters):
        raise DataError(
            f"expected the options' letters as labels (A, B, …, two at least), got task.labels={list(settings.labels)} "
            f"and {sorted(in_data)[:5]} as the answers in the data. Does data.columns name the right answer column?"
        )
    return tuple(letters)
