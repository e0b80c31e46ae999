from __future__ import annotations

from spul.tasks import build_task
from spul.tasks.settings import TaskSettings
from spul.types import Example
from tests.tiny import tiny_tokenizer


def test_the_document_is_cut_and_the_summary_is_whole() -> None:
    assert TaskSettings.model_validate({"name": "summarization"}).fields == ("document",)
    settings = TaskSettings.model_validate(
        {
            "name": "summarization",
            "template": "text : {document} answer : {answer}",
            "generic_answers": ["a story"],
            "max_new_tokens": 8,
        }
    )
    task = build_task(settings, tiny_tokenizer(), max_length=30, labels=[])
    query = task.pose(Example("x", {"document": "the film was dull and " * 20}, "a dull film"))
    decode = tiny_tokenizer().decode
    assert query.truncated
    assert decode(list(query.prompt_ids)).endswith("answer :")
    assert decode(list(query.answer_ids)) == "a dull film </s>"
    assert len(query.prompt_ids) + 8 + 1 <= 30
