from __future__ import annotations

import pytest

from spul.data.chat import chat_frame
from spul.data.posing import Poser
from spul.data.templates import Template
from spul.errors import ConfigError
from spul.types import Example
from tests.data.kinds import KINDS, make_tokenizer

CHAT = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|> {{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %} <|assistant|>{{ '\\n' }}{% endif %}"
)
TEMPLATE = Template.parse("### Text: {text}\n\n### Sentiment: {answer}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_is_what_the_chat_template_makes_of_it(kind: str) -> None:
    tokenizer = make_tokenizer(kind)
    tokenizer.chat_template = CHAT
    poser = Poser(tokenizer, TEMPLATE, 500, frame=chat_frame(tokenizer))
    query = poser.pose(Example("e", {"text": "the film is good"}, "positive"), ("positive", "negative"))
    message = [{"role": "user", "content": "### Text: the film is good\n\n### Sentiment:"}]
    text = tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
    whole = tokenizer(f"{text}positive", add_special_tokens=False)["input_ids"]
    assert list(query.prompt_ids) == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert list(query.prompt_ids + query.answer_ids) == whole
    assert query.prompt_ids.count(tokenizer.bos_token_id) == 1


def test_the_text_is_cut_and_the_frame_is_not() -> None:
    """<s> <|user|> ### Text: 5 words ### Sentiment: <|assistant|> is 12 tokens, the answer 1; in 11, two words go."""
    tokenizer = make_tokenizer("word_level")
    tokenizer.chat_template = CHAT.replace("{{ bos_token }}", "{{ bos_token }} ")
    poser = Poser(tokenizer, TEMPLATE, 11, frame=chat_frame(tokenizer))
    query = poser.pose(Example("e", {"text": "the film is good so"}, "positive"))
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "### Text: the film is\n\n### Sentiment:"}],
        add_generation_prompt=True,
        tokenize=False,
    )
    assert query.truncated
    assert list(query.prompt_ids) == tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "expected a tokenizer with a chat template, since task.chat is set"),
        ("{{ raise_exception('no') }}", "refuses a user message: no"),
        ("{{ messages[0]['content'] | upper }}", "once and unchanged"),
    ],
)
def test_templates_that_do_not_do(template: str | None, message: str) -> None:
    tokenizer = make_tokenizer("byte_level")
    tokenizer.chat_template = template
    with pytest.raises(ConfigError, match=message):
        chat_frame(tokenizer)
