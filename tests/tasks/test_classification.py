from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from spul.errors import ConfigError, DataError
from spul.tasks import TASKS, Task, build_task
from spul.tasks.settings import TaskSettings
from spul.types import AnswerScores, AnswerSpace, Example, Query
from tests.data.kinds import make_tokenizer

SETTINGS = TaskSettings()
DATA_LABELS = ("positive", "negative", "positive", "neutral")
FILM = Example("f", {"text": "the film is good"}, "positive")


def task(settings: TaskSettings = SETTINGS, labels: tuple[str, ...] = DATA_LABELS) -> Task:
    return build_task(settings, make_tokenizer("word_level"), max_length=64, labels=labels)


def decode(ids: object) -> str:
    return f"decoded {ids}"


def scores(values: Mapping[str, tuple[tuple[float, ...], tuple[int, ...]]]) -> dict[str, AnswerScores]:
    return {text: AnswerScores(*pair) for text, pair in values.items()}


def fixed_query(candidates: Mapping[str, tuple[int, ...]], answer: str) -> Query:
    return Query("q", (1, 2, 3), candidates[answer], answer, candidates)


def test_the_registered_name_is_the_stem() -> None:
    assert "classification" in TASKS.names()
    assert TASKS.get("classification").name == "classification"


def test_labels_come_from_the_data_without_generic_answers() -> None:
    assert task().answers == AnswerSpace(("negative", "positive"), ("neutral", "unknown"))


def test_labels_of_the_settings_keep_their_order() -> None:
    ours = task(TaskSettings(labels=("positive", "negative", "dull")))
    assert ours.answers.labels == ("positive", "negative", "dull")


def test_a_label_outside_the_settings_is_an_error() -> None:
    with pytest.raises(DataError, match=r"the data has \['negative'\] as well \(1 in all\)"):
        task(TaskSettings(labels=("positive", "dull")))


@pytest.mark.parametrize("labels", [("positive",), ("neutral", "positive"), tuple(map(str, range(101)))])
def test_a_wrong_answer_column_is_an_error(labels: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="expected 2 to 100 labels in the training data"):
        task(labels=labels)


def test_an_unknown_task_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"unknown task 'clasification'\. Did you mean 'classification'\?"):
        task(TaskSettings(name="clasification"))


def test_every_label_and_generic_answer_is_a_candidate() -> None:
    query = task().pose(FILM)
    assert list(query.candidates) == ["negative", "positive", "neutral", "unknown"]
    assert query.answer_ids == query.candidates["positive"]
    assert task().scored_answers(query) == query.candidates


def test_a_truth_may_be_generic_and_none_may_be_foreign() -> None:
    neutral = Example("n", {"text": "the cat sat"}, "neutral")
    assert task().pose(neutral).answer == "neutral"
    with pytest.raises(DataError, match=r"example x: unknown answer 'positiv'\. Did you mean 'positive'\?"):
        task().pose_all([neutral, Example("x", {"text": "the"}, "positiv")])


def test_an_answer_is_replaced_without_posing_again() -> None:
    query = task().pose(FILM)
    generic = task().with_answer(query, "unknown")
    assert generic.answer_ids == query.candidates["unknown"]
    assert (generic.id, generic.prompt_ids, generic.candidates) == (query.id, query.prompt_ids, query.candidates)
    assert task().with_answer(generic, "positive") == query
    with pytest.raises(DataError, match="unknown answer 'dull'"):
        task().with_answer(query, "dull")


def test_hand_worked_reading() -> None:
    """Over the full vocabulary the model says "unknown"; of the two labels "negative" has -1.5 against -1 - 1 = -2."""
    candidates = {"negative": (10,), "positive": (11, 12), "neutral": (13,), "unknown": (14,)}
    sample = task().read(
        fixed_query(candidates, "positive"),
        scores(
            {
                "negative": ((-1.5,), (14,)),
                "positive": ((-1.0, -1.0), (14, 12)),
                "neutral": ((-4.0,), (14,)),
                "unknown": ((-0.25,), (14,)),
            }
        ),
        decode,
    )
    assert sample.prediction == "unknown"
    assert sample.prediction_text == "decoded (14,)"
    assert sample.restricted_prediction == "negative"
    assert math.isclose(sample.logprob, -2.0)
    assert (sample.num_tokens, sample.input_tokens) == (2, 3)
    assert sample.candidate_logprobs == {"negative": -1.5, "positive": -2.0, "neutral": -4.0, "unknown": -0.25}
    assert (sample.id, sample.answer) == ("q", "positive")


def test_an_answer_counts_only_if_all_its_tokens_are_the_arg_max() -> None:
    candidates = {"negative": (10,), "positive": (11, 12), "neutral": (13,), "unknown": (14,)}
    sample = task().read(
        fixed_query(candidates, "negative"),
        scores(
            {
                "negative": ((-3.0,), (11,)),
                "positive": ((-0.1, -2.0), (11, 99)),
                "neutral": ((-5.0,), (11,)),
                "unknown": ((-6.0,), (11,)),
            }
        ),
        decode,
    )
    assert sample.prediction is None
    assert sample.prediction_text == "decoded (11,)"
    assert sample.restricted_prediction == "positive"


def test_of_answers_that_begin_alike_the_longest_counts() -> None:
    candidates = {"negative": (10,), "positive": (10, 12), "neutral": (13,), "unknown": (14,)}
    sample = task().read(
        fixed_query(candidates, "negative"),
        scores(
            {
                "negative": ((-0.1,), (10,)),
                "positive": ((-0.1, -0.1), (10, 12)),
                "neutral": ((-5.0,), (10,)),
                "unknown": ((-6.0,), (10,)),
            }
        ),
        decode,
    )
    assert sample.prediction == "positive"
