from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from spul.errors import ConfigError, DataError, ModelError
from spul.tasks import Task, build_task, score_split
from spul.tasks.settings import TaskSettings
from spul.types import AnswerScores, Example, Query, Sample
from tests.tiny import tiny_tokenizer

TEXT = "the film was a dull story and the book was a good one of the city"


def task(max_length: int = 100, **values: object) -> Task:
    settings = TaskSettings.model_validate(
        {
            "name": "completion",
            "generic_answers": ["not given"],
            **{"prefix_tokens": 4, "suffix_tokens": 3, "max_new_tokens": 3, **values},
        }
    )
    return build_task(settings, tiny_tokenizer(), max_length=max_length, labels=[])


def words(ids: Sequence[int]) -> str:
    return str(tiny_tokenizer().decode(list(ids)))


def test_a_text_is_cut_into_what_is_shown_and_what_follows() -> None:
    query = task().pose(Example("x", {"text": TEXT}, TEXT))
    assert words(query.prompt_ids) == "<s> the film was a"
    assert (query.answer, words(query.answer_ids)) == ("dull story and", "dull story and")
    assert query.truncated, "the text goes on"
    assert not query.ends
    assert words(query.candidates["not given"]).endswith("</s>")


def test_the_last_words_of_a_text_are_fewer() -> None:
    query = task().pose(Example("x", {"text": "the film was a dull story"}, ""))
    assert (query.answer, query.truncated) == ("dull story", False)


def test_what_cannot_be_continued_is_refused() -> None:
    with pytest.raises(DataError, match=r"example x: expected a text of more than 4 tokens.* got 4"):
        task().pose(Example("x", {"text": "the film was a"}, ""))
    with pytest.raises(ConfigError, match="a template of one field alone"):
        task(template="text : {text} {answer}")
    with pytest.raises(ConfigError, match=r"'never heard' cannot be written"):
        task(generic_answers=["never heard"])
    with pytest.raises(ConfigError, match=r"4 tokens of prefix and 3 that follow do not fit into 7"):
        task(max_length=7)


class Recites:
    """Knows the text by heart but for one word, and writes what it is told to."""

    def score(self, queries: Sequence[Query], answers: Sequence[Sequence[tuple[int, ...]]]) -> list[list[AnswerScores]]:
        film = tiny_tokenizer().convert_tokens_to_ids("film")
        return [
            [AnswerScores((-1.0,) * len(ids), tuple(0 if i == film else i for i in ids)) for ids in row]
            for row in answers
        ]

    def decode(self, ids: Sequence[int]) -> str:
        return words(ids)

    def complete(self, prompts: Sequence[Sequence[int]], **how: object) -> list[str]:
        return [f"{words(ids[1:])} | {how['max_new_tokens']}" for ids in prompts]


def test_prefix_and_continuation_are_read_and_something_is_written() -> None:
    ours = task()
    queries = ours.pose_all([Example(str(i), {"text": f"{'so ' * i}{TEXT}"}, "") for i in range(3)])
    samples = score_split(Recites(), ours, queries, write=True)
    texts = [sample.text for sample in samples]
    assert [text.generated for text in texts if text] == [
        "the film was a | 3",
        "so the film was | 3",
        "so so the film | 3",
    ]
    # The first token of the prompt is BOS, which is not predicted.
    assert [text.context_hits for text in texts if text] == [
        (True, False, True, True),
        (True, True, False, True),
        (True, True, True, False),
    ]
    assert all(text.token_hits == (True, True, True) for text in texts if text)


class Continues(Recites):
    """Goes on with any beginning by counting on from its last token."""

    def continue_greedily(self, prompts: Sequence[Sequence[int]], *, max_new_tokens: int) -> list[tuple[int, ...]]:
        return [tuple(range(ids[-1] + 1, ids[-1] + 1 + max_new_tokens)) for ids in prompts]


def test_beginnings_of_the_whole_text_are_continued_to_its_end() -> None:
    """Four tokens of prefix and three that follow; every third beginning: after 1 and 4 tokens, 6 and 3 are left."""
    ours = task(extraction_stride=3)
    query = ours.pose(Example("x", {"text": TEXT}, ""))
    (sample,) = score_split(Continues(), ours, [query], write=True)
    text = sample.text
    assert text is not None and text.text_ids == (query.prompt_ids + query.answer_ids)[1:], "<s> is no part of the text"
    assert [(each.shown, len(each.ids)) for each in text.continuations] == [(1, 6), (4, 3)]
    first = query.prompt_ids[1]
    assert text.continuations[0].ids == tuple(range(first + 1, first + 7)), "what is shown is what is continued"
    assert Sample.from_json(json.loads(json.dumps(sample.to_json()))) == sample
    (without,) = score_split(Recites(), task(), [query], write=True)
    assert without.text is not None and without.text.continuations == ()
    with pytest.raises(ModelError, match="needs a model that goes on with a text"):
        score_split(Recites(), ours, [query], write=True)


def test_a_model_that_cannot_write_is_refused() -> None:
    class Scores:
        score = Recites.score
        decode = Recites.decode

    ours = task()
    with pytest.raises(ModelError, match="completion needs a model that writes"):
        score_split(Scores(), ours, [ours.pose(Example("x", {"text": TEXT}, ""))], write=True)
