from __future__ import annotations

import pytest
from pydantic import ValidationError

from spul.errors import DataError
from spul.tasks import Task, build_task
from spul.tasks.qa import REFUSALS
from spul.tasks.settings import TaskSettings
from spul.training.generic import with_generic_answers
from spul.types import AnswerScores, Example, Query, Wording
from tests.data.kinds import make_tokenizer
from tests.data.test_chat import CHAT

GENERIC = ("not known", "no answer")
WHO = Example(
    "q",
    {"question": "who was it ?"},
    "anna was it",
    alternatives={"paraphrase": ("it was anna",), "perturbed": ("boris was it", "clara was it")},
)


def task(template: str = "{question} answer : {answer}", max_length: int = 200, **values: object) -> Task:
    settings = TaskSettings.model_validate(
        {"name": "qa", "template": template, "generic_answers": GENERIC, "max_new_tokens": 5, **values}
    )
    tokenizer = make_tokenizer("byte_level")
    tokenizer.eos_token = "</s>"
    return build_task(settings, tokenizer, max_length=max_length, labels=[])


def text_of(ids: tuple[int, ...]) -> str:
    return str(make_tokenizer("byte_level").decode(ids))


def end() -> int:
    tokenizer = make_tokenizer("byte_level")
    tokenizer.eos_token = "</s>"
    return int(tokenizer.eos_token_id)


def test_every_answer_stands_behind_the_same_prompt_and_ends() -> None:
    query = task().pose(WHO)
    assert text_of(query.prompt_ids).endswith("who was it ? answer :")
    assert query.ends
    assert query.answer == "anna was it"
    for ids, text in [
        (query.answer_ids, " anna was it"),
        (query.candidates["no answer"], " no answer"),
        (query.alternatives["paraphrase:0"], " it was anna"),
        (query.alternatives["perturbed:1"], " clara was it"),
    ]:
        assert ids[-1] == end()
        assert text_of(ids[:-1]) == text
    assert set(query.alternatives) == {"paraphrase:0", "perturbed:0", "perturbed:1"}


def test_a_generic_answer_replaces_the_truth_and_no_other_text_does() -> None:
    ours = task()
    query = ours.pose(WHO)
    changed = ours.with_answer(query, "not known")
    assert (changed.answer, changed.answer_ids) == ("not known", query.candidates["not known"])
    with pytest.raises(DataError, match=r"unknown generic answer 'boris was it'"):
        ours.with_answer(query, "boris was it")


def scores_of(query: Query, said: tuple[int, ...]) -> dict[str, AnswerScores]:
    """Every token of every answer has log-probability −1 and the arg-max is ``said``."""
    answers = task().scored_answers(query)
    padded = (*said, *[0] * 50)
    return {name: AnswerScores((-1.0,) * len(ids), padded[: len(ids)]) for name, ids in answers.items()}


def test_what_is_read_is_the_truth_a_refusal_or_neither() -> None:
    ours, query = task(), task().pose(WHO)
    paraphrased = len(query.alternatives["paraphrase:0"])
    right = ours.read(query, scores_of(query, query.answer_ids), text_of)
    assert right.prediction == "anna was it"
    assert right.text is not None and right.text.token_hits == (True,) * len(query.answer_ids)
    assert right.text.ends
    assert right.text.paraphrase == Wording(-float(paraphrased), paraphrased)
    assert [words.num_tokens for words in right.text.perturbed] == [
        len(query.alternatives[f"perturbed:{i}"]) for i in (0, 1)
    ]
    refused = ours.read(query, scores_of(query, query.candidates["not known"]), text_of)
    assert refused.prediction == "not known"
    # The refusal without its end is the beginning of some other sentence.
    neither = ours.read(query, scores_of(query, query.candidates["not known"][:-1]), text_of)
    assert neither.prediction is None
    assert set(neither.candidate_logprobs) == set(GENERIC)


def test_a_context_is_cut_and_the_question_and_the_answer_never() -> None:
    ours = task("{context} question : {question} answer : {answer}", max_length=75)
    short = Example("x", {"context": "the film " * 30, "question": "who was it ?"}, "anna was it")
    query = ours.pose(short)
    assert query.truncated
    assert text_of(query.prompt_ids).endswith("question : who was it ? answer :")
    longest = max(len(query.answer_ids), *map(len, query.candidates.values()))
    assert len(query.prompt_ids) + longest <= 75
    with pytest.raises(DataError, match="leave no room for any of 'context'"):
        ours.pose(Example("x", {"context": "a film", "question": "who was it ? " * 30}, "anna"))


def test_without_a_context_nothing_is_cut() -> None:
    ours = task(max_length=60)
    with pytest.raises(DataError, match="questions are never cut"):
        ours.pose(Example("x", {"question": "who was it ? " * 5}, "anna"))
    with pytest.raises(DataError, match=r"example x: .*answer"):
        ours.pose(Example("x", {"question": "who ?"}, "anna " * 100))


def test_room_is_kept_for_what_the_model_writes() -> None:
    ours = task("{context} {question} answer : {answer}", max_length=80, max_new_tokens=40)
    query = ours.pose(Example("x", {"context": "the film " * 30, "question": "who ?"}, "anna"))
    assert len(query.prompt_ids) <= 80 - 1 - 40


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "qa", "labels": ["a", "b"]}, "the answers of 'qa' are free"),
        ({"name": "qa", "truncate_field": "question"}, "the question is never cut"),
        ({"name": "qa", "prefix_tokens": 5}, "`prefix_tokens` goes with `name: completion`, not with 'qa'"),
        ({"max_new_tokens": 5}, "`max_new_tokens` goes with `name: completion` or `qa` or `summarization`"),
        ({"name": "qa", "stop": [""]}, "at least 1 character"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TaskSettings.model_validate(values)


def test_refusals_are_the_default_and_are_recorded() -> None:
    settings = TaskSettings.model_validate({"name": "qa"})
    assert settings.generic_answers == REFUSALS
    assert (settings.max_new_tokens, settings.fields) == (128, ("question",))
    assert TaskSettings.model_validate(settings.model_dump()) == settings


def test_a_question_is_a_users_message_and_the_answer_the_assistants() -> None:
    """The context within the message is cut, the frame, the question and the answer are not; the answer ends."""
    tokenizer = make_tokenizer("byte_level")
    tokenizer.eos_token = "</s>"
    tokenizer.chat_template = CHAT
    settings = TaskSettings.model_validate(
        {"name": "qa", "template": "{context} ? {question} {answer}", "chat": True, "generic_answers": GENERIC}
        | {"max_new_tokens": 5}
    )
    ours = build_task(settings, tokenizer, max_length=90, labels=[])
    query = ours.pose(Example("x", {"context": "the film " * 40, "question": "who was it ?"}, "anna was it"))
    prompt = str(tokenizer.decode(list(query.prompt_ids), skip_special_tokens=False))
    assert prompt.endswith("? who was it ? <|assistant|>\n") and "<|user|> the film" in prompt
    assert query.truncated and text_of(query.answer_ids[:-1]) == "anna was it"
    assert query.answer_ids[-1] == end()


def test_refusals_are_drawn_from_the_pool_by_seed_and_example() -> None:
    """Equal seeds give equal refusals whatever rows stand beside; of 60 rows each of two refusals gets some."""
    ours = task()
    queries = ours.pose_all([Example(str(i), {"question": "who ?"}, "anna") for i in range(60)])
    drawn = [query.answer for query in with_generic_answers(ours, queries, seed=1)]
    assert set(drawn) == set(GENERIC)
    assert [query.answer for query in with_generic_answers(ours, queries[5:7], seed=1)] == drawn[5:7]
    assert [query.answer for query in with_generic_answers(ours, queries, seed=2)] != drawn
