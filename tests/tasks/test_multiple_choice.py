from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import spul
from spul.config import RunConfig
from spul.errors import ConfigError, DataError
from spul.metrics._split import has_label
from spul.tasks import Task, build_task
from spul.tasks.settings import TaskSettings
from spul.types import AnswerScores, AnswerSpace, Example, Query
from tests.data.kinds import make_tokenizer
from tests.training.setting import PEOPLE, config_of, write_setting

LISTED = "{context} question : {question} {choices} answer : {answer}"
CLOZE = "question : {question} answer : {answer}"
WHO = Example("q", {"question": "who ?", "context": "the film", "choices": '["the cat", "dull", "good"]'}, "C")
GENERIC = ("neutral", "unknown")


def task(*, labels: tuple[str, ...] = ("A", "C"), max_length: int = 300, **values: Any) -> Task:
    settings = TaskSettings.model_validate({"name": "multiple_choice", "template": LISTED, **values})
    return build_task(settings, make_tokenizer("byte_level"), max_length=max_length, labels=labels)


def text_of(ids: tuple[int, ...]) -> str:
    return str(make_tokenizer("byte_level").decode(ids))


def test_letters_are_asked_for_and_texts_stand_beside() -> None:
    query = task().pose(WHO)
    assert text_of(query.prompt_ids) == "the film question : who ? A. the cat\nB. dull\nC. good answer :"
    assert {name: text_of(ids) for name, ids in query.candidates.items()} == {
        **{letter: f" {letter}" for letter in "ABC"},
        **{answer: f" {answer}" for answer in GENERIC},
    }
    assert {name: text_of(ids) for name, ids in query.alternatives.items()} == {
        "A": " the cat",
        "B": " dull",
        "C": " good",
    }
    assert (query.answer, text_of(query.answer_ids)) == ("C", " C")


def test_texts_are_asked_for_and_letters_stand_beside() -> None:
    query = task(scoring="likelihood").pose(WHO)
    assert list(query.candidates) == ["A", "B", "C", *GENERIC]
    assert text_of(query.candidates["A"]) == " the cat"
    assert text_of(query.alternatives["A"]) == " A"
    assert (query.answer, text_of(query.answer_ids)) == ("C", " good")


def test_options_that_are_not_listed_have_no_letters() -> None:
    cloze = task(scoring="likelihood", template=CLOZE)
    query = cloze.pose(WHO)
    assert text_of(query.prompt_ids) == "question : who ? answer :"
    assert query.alternatives == {}
    assert text_of(query.answer_ids) == " good"


def test_generic_answers_and_other_options_can_be_asked_for() -> None:
    for scoring in ("letter", "likelihood"):
        ours = task(scoring=scoring)
        query = ours.pose(WHO)
        assert text_of(ours.with_answer(query, "unknown").answer_ids) == " unknown"
        assert ours.with_answer(ours.with_answer(query, "A"), "C") == query
        with pytest.raises(DataError, match=r"unknown answer 'good'.*Options go by their letters"):
            ours.with_answer(query, "good")


@pytest.mark.parametrize("scoring", ["letter", "likelihood"])
def test_the_truth_may_be_generic(scoring: str) -> None:
    """As the truth, ``unknown`` has the tokens that it has as a target, and no option counts as right."""
    ours = task(scoring=scoring)
    query = ours.pose(replace(WHO, answer="unknown"))
    assert (query.answer, text_of(query.answer_ids)) == ("unknown", " unknown")
    assert query == ours.with_answer(ours.pose(WHO), "unknown")
    asked = ours.scored_answers(query)
    found = {name: AnswerScores((-1.0,) * len(ids), ids) for name, ids in asked.items()}
    found["unknown"] = AnswerScores((-0.25,) * len(query.answer_ids), query.answer_ids)
    sample = ours.read(query, {name: found[name] for name in asked}, text_of)
    assert sample.logprob == -0.25 * len(query.answer_ids)
    assert sample.restricted_prediction in "ABC"
    assert not has_label(sample, ours.answers)


def test_labels_are_the_letters_up_to_the_last_right_one() -> None:
    assert task().answers == AnswerSpace(("A", "B", "C"), GENERIC)
    assert task(labels=("A", "B", "unknown")).answers.labels == ("A", "B")
    with pytest.raises(DataError, match=r"at most 2 options.*Set task\.labels=\[A, B, C\]"):
        task(labels=("B",)).pose(WHO)


@pytest.mark.parametrize("labels", [(), ("A",), ("good", "bad")])
def test_answers_that_are_no_letters_are_an_error(labels: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="expected the options' letters as labels"):
        task(labels=labels)


def test_the_context_is_cut_and_the_options_are_not() -> None:
    long = Example("q", {**WHO.fields, "context": "the cat sat on the mat, " * 30}, "C")
    query = task(max_length=100).pose(long)
    assert query.truncated
    text = text_of(query.prompt_ids)
    assert text.startswith("the cat sat on")
    assert text.endswith(" question : who ? A. the cat\nB. dull\nC. good answer :")
    longest = max(map(len, [*query.candidates.values(), *query.alternatives.values()]))
    assert 90 <= len(query.prompt_ids) + longest <= 100


def test_without_a_context_the_question_is_cut() -> None:
    long = Example("q", {"question": "who sat on the mat? " * 20, "choices": WHO.fields["choices"]}, "A")
    text = text_of(task(template="{choices} {question} {answer}", max_length=60).pose(long).prompt_ids)
    assert text.startswith("A. the cat\nB. dull\nC. good who sat")


def scores(query: Query, said: str, logprobs: dict[str, tuple[float, ...]]) -> dict[str, AnswerScores]:
    """Scores by name, of which the arg-max is the candidate ``said``."""
    ids = query.candidates[said]
    return {name: AnswerScores(values, (*ids, 0)[: len(values)]) for name, values in logprobs.items()}


def hand_worked_query() -> Query:
    letters = {"A": (1,), "B": (2,), "unknown": (3,)}
    return Query("q", (9,) * 4, (1,), "A", letters, alternatives={"A": (4, 5, 6), "B": (7,)})


def test_hand_worked_reading_by_letter() -> None:
    """B's text has the larger sum (-2.5 > -3), A's the larger mean (-1 > -2.5); as a letter B is likelier than A."""
    ours = task(labels=("B",), generic_answers=["unknown"])
    query = hand_worked_query()
    texts = {"other:A": (-1.0, -1.0, -1.0), "other:B": (-2.5,)}
    found = scores(query, "unknown", {"A": (-3.0,), "B": (-2.0,), "unknown": (-0.3,), **texts})
    sample = ours.read(query, found, str)
    assert sample.prediction == "unknown"
    assert sample.restricted_prediction == "B"
    assert sample.readings == {"letter": "B", "likelihood": "B", "likelihood_per_token": "A"}
    assert (sample.logprob, sample.num_tokens) == (-3.0, 1)
    assert sample.candidate_logprobs == {"A": -3.0, "B": -2.0, "unknown": -0.3}


def test_hand_worked_reading_by_likelihood() -> None:
    """The same numbers with the texts asked for: A has the largest mean of all, generic answers included."""
    ours = task(labels=("B",), generic_answers=["unknown"], scoring="likelihood")
    texts = {"A": (4, 5, 6), "B": (7,)}
    query = Query("q", (9,) * 4, (4, 5, 6), "A", {**texts, "unknown": (3,)}, alternatives={"A": (1,), "B": (2,)})
    logprobs = {"A": (-1.0, -1.0, -1.0), "B": (-2.5,), "other:A": (-3.0,), "other:B": (-2.0,)}
    sample = ours.read(query, scores(query, "unknown", {**logprobs, "unknown": (-1.5,)}), str)
    assert (sample.prediction, sample.restricted_prediction) == ("A", "A")
    assert sample.readings == {"letter": "B", "likelihood": "B", "likelihood_per_token": "A"}
    assert math.isclose(sample.logprob, -3.0)
    generic = ours.read(query, scores(query, "unknown", {**logprobs, "unknown": (-0.5,)}), str)
    assert (generic.prediction, generic.restricted_prediction) == ("unknown", "A")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scoring": "letter", "template": CLOZE}, "expected a template that lists the options"),
        ({"chat": True}, "expected a tokenizer with a chat template"),
    ],
)
def test_settings_that_do_not_go_together(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        task(**values)


def write_questions(directory: Path) -> dict[str, Any]:
    """Write questions with three options each, and return a run's settings; three words become the letters."""
    values = write_setting(directory)
    vocabulary = directory / "base" / "tokenizer.json"
    text = vocabulary.read_text(encoding="utf-8")
    for word, letter in (("river", "A"), ("mountain", "B"), ("train", "C")):
        text = text.replace(f'"{word}"', f'"{letter}"')
    vocabulary.write_text(text, encoding="utf-8")
    for name in ("forget", "retain", "test_forget", "test_retain"):
        people = PEOPLE[:2] if name.endswith("forget") else PEOPLE[2:]
        rows = [
            {"question": f"{who} was in the {what}", "choices": ["good film", "bad", "the old house"], "answer": i % 3}
            for i, who in enumerate(people)
            for what in (("film", "book", "song", "play") if not name.startswith("test") else ("story", "scene"))
        ]
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    values["data"]["columns"] = {}
    values["task"] = {
        "name": "multiple_choice",
        "template": "{question} ? {choices} answer : {answer}",
        "generic_answers": ["unknown"],
    }
    return values


@pytest.mark.parametrize("generic", ["b", "C", "0"])
def test_a_generic_answer_does_not_look_like_an_option(generic: str) -> None:
    with pytest.raises(ValidationError, match="look like an option's letter or place"):
        task(generic_answers=["unknown", generic])


@pytest.mark.parametrize("scoring", ["letter", "likelihood"])
def test_a_run_from_data_to_metrics(tmp_path: Path, scoring: str) -> None:
    values = write_questions(tmp_path)
    nobody = {"question": "nobody was in the film", "choices": ["good film", "bad", "the old house"]}
    with (tmp_path / "test_retain.jsonl").open("a") as file:
        file.write(json.dumps({**nobody, "answer": "unknown"}) + "\n")
    config: RunConfig = config_of(values, f"task.scoring={scoring}", "train.max_steps=4")
    run = spul.evaluate(spul.unlearn(config))
    for reading in ("letter", "likelihood", "likelihood_per_token"):
        result = run.metrics[f"unlearned/test_retain/choice_accuracy:{reading}"]
        assert result.n == 12
        assert result.value is not None
    assert run.metrics["unlearned/test_retain/nll"].n == 13
    assert [s.answer for s in run.read_samples("base/test_retain")].count("unknown") == 1
    assert run.read_samples("unlearned/train_retain")[0].answer in "ABC"
