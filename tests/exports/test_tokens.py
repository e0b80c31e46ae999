"""Soft tokens in a tokenizer: every kind of post-processor keeps what it does, or is refused."""

from __future__ import annotations

import pytest
from tokenizers import processors
from transformers import PreTrainedTokenizerFast

from spul.errors import ExportError
from spul.exports._tokens import add_soft_tokens, soft_chat_template
from tests.exports.made import byte_level_tokenizer
from tests.tiny import tiny_tokenizer

BOS = processors.TemplateProcessing(single="<s> $A", pair="<s> $A </s> $B:1", special_tokens=[("<s>", 1), ("</s>", 2)])
BYTES = processors.ByteLevel(trim_offsets=False)
SOFT = ("<|spul_0|>", "<|spul_1|>")


def with_processor(processor: processors.PostProcessor | None) -> PreTrainedTokenizerFast:
    tokenizer = byte_level_tokenizer()
    tokenizer.backend_tokenizer.post_processor = processor
    return tokenizer


@pytest.mark.parametrize(
    ("processor", "single", "pair"),
    [
        (None, "$A", "$A$B"),
        (BYTES, "$A", "$A$B"),
        (BOS, "<s>$A", "<s>$A</s>$B"),
        (processors.Sequence([BYTES, BOS]), "<s>$A", "<s>$A</s>$B"),
        (processors.Sequence([BYTES]), "$A", "$A$B"),
    ],
)
def test_soft_tokens_stand_in_front_once(processor: processors.PostProcessor | None, single: str, pair: str) -> None:
    soft = add_soft_tokens(with_processor(processor), 2)

    def text(encoding: object) -> str:
        return "".join(encoding.tokens).replace("Ġ", " ")  # type: ignore[attr-defined]

    front = "".join(SOFT)
    assert text(soft.backend.encode("dull")) == front + single.replace("$A", "dull")
    assert text(soft.backend.encode("dull", "bad")) == front + pair.replace("$A", "dull").replace("$B", "bad")
    assert text(soft.backend.encode("dull", add_special_tokens=False)) == "dull"
    assert soft.ids == (len(byte_level_tokenizer()), len(byte_level_tokenizer()) + 1)


@pytest.mark.parametrize(
    "processor",
    [
        processors.RobertaProcessing(("</s>", 2), ("<s>", 1)),
        processors.BertProcessing(("</s>", 2), ("<s>", 1)),
        processors.Sequence([BOS, BOS]),
    ],
    ids=["roberta", "bert", "two templates"],
)
def test_other_post_processors_are_refused(processor: processors.PostProcessor) -> None:
    with pytest.raises(ExportError, match=r"post-processor is a template, byte-level or none, got .*--to prefix"):
        add_soft_tokens(with_processor(processor), 2)


def test_names_that_are_taken_are_refused() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<|spul_1|>"])
    with pytest.raises(ExportError, match=r"has tokens of these names already \(<\|spul_1\|>, 1 in all\)"):
        add_soft_tokens(tokenizer, 2)


def test_the_given_tokenizer_is_not_changed() -> None:
    tokenizer = tiny_tokenizer()
    before = tokenizer.backend_tokenizer.to_str()
    add_soft_tokens(tokenizer, 2)
    assert tokenizer.backend_tokenizer.to_str() == before


def test_padding_and_truncation_of_the_moment_are_left_out() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer(["a film", "a"], padding=True, truncation=True, max_length=3)
    backend = add_soft_tokens(tokenizer, 2).backend
    assert (backend.padding, backend.truncation) == (None, None)


def test_every_one_of_several_chat_templates_has_the_soft_tokens() -> None:
    tokenizer = tiny_tokenizer()
    assert soft_chat_template(tokenizer, "S") is None
    tokenizer.chat_template = {"default": "a", "tool_use": "b"}
    assert soft_chat_template(tokenizer, "S") == {"default": "Sa", "tool_use": "Sb"}
