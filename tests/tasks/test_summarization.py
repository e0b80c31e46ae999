from __future__ import annotations

from spul.tasks import build_task
from spul.tasks.settings import TaskSettings
from spul.types import Example
from tests.data.kinds import make_tokenizer
from tests.data.test_chat import CHAT
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


def test_a_document_is_a_users_message_and_the_summary_the_assistants() -> None:
    """The document within the message is cut; the frame, the instruction and the summary are not, and it ends."""
    tokenizer = make_tokenizer("byte_level")
    tokenizer.chat_template = CHAT
    settings = TaskSettings.model_validate(
        {
            "name": "summarization",
            "template": "text : {document} sum it up : {answer}",
            "chat": True,
            "generic_answers": ["a story"],
            "max_new_tokens": 12,
        }
    )
    task = build_task(settings, tokenizer, max_length=80, labels=[])
    summary = "a dull film about a good film"
    query = task.pose(Example("x", {"document": "the film was dull and " * 40}, summary))

    def text_of(ids: tuple[int, ...]) -> str:
        return str(tokenizer.decode(list(ids), skip_special_tokens=False))

    prompt = text_of(query.prompt_ids)
    assert prompt.startswith("<s><|user|> text : the film was") and prompt.endswith("sum it up : <|assistant|>\n")
    assert query.truncated and query.ends
    assert text_of(query.answer_ids) == f"{summary}</s>"
    assert text_of(query.candidates["a story"]) == "a story</s>"
    assert 80 - 9 <= len(query.prompt_ids) + max(len(query.answer_ids), 12) <= 80, "no more is cut than has to be"
