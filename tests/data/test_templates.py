from __future__ import annotations

import pytest

from spul.data.templates import Template
from spul.errors import ConfigError, DataError
from spul.tasks._templates import TEMPLATES

PAPER = Template.parse(TEMPLATES["sentiment"])


def test_the_papers_template_renders_as_published() -> None:
    assert PAPER.fields == ("text",)
    assert PAPER.separator == " "
    expected = "### Text: a fine film\n\n### Question: What is the sentiment of the given text?\n\n### Sentiment:"
    assert PAPER.render_prompt({"text": "a fine film"}) == expected
    assert PAPER.render({"text": "a fine film"}, "positive") == f"{expected} positive"


def test_white_space_between_prompt_and_answer_belongs_to_the_separator() -> None:
    template = Template.parse("{question}\nAnswer: \n{answer}")
    assert template.separator == " \n"
    assert template.render_prompt({"question": "Who?"}) == "Who?\nAnswer:"
    assert template.render({"question": "Who?"}, "He") == "Who?\nAnswer: \nHe"


def test_a_prompt_that_ends_in_a_field_is_stripped_too() -> None:
    template = Template.parse("{text}{answer}")
    assert template.render({"text": "one two \n"}, "three") == "one twothree"


def test_text_with_braces_is_taken_as_it_is() -> None:
    template = Template.parse("{{json}} {text}: {answer}")
    assert template.render({"text": "{a} {0} }{"}, "x") == "{json} {a} {0} }{: x"


def test_escaped_braces_at_the_border_of_a_placeholder_survive() -> None:
    assert Template.parse("{{{text}}} = {answer}").render({"text": "a"}, "b") == "{a} = b"


def test_start_of_a_field_is_its_place_in_the_prompt() -> None:
    template = Template.parse("Context: {context} Question: {question} {answer}")
    fields = {"context": "rain", "question": "why"}
    prompt = template.render_prompt(fields)
    for name, value in fields.items():
        start = template.start_of(name, fields)
        assert prompt[start : start + len(value)] == value


def test_fields_are_named_once_in_order() -> None:
    assert Template.parse("{b} {a} {b} {answer}").fields == ("b", "a")


@pytest.mark.parametrize(
    "text",
    [
        "no placeholder",
        "{text}",
        "{answer}",
        "{text} {answer} {answer}",
        "{text} {answer} end",
        "{text} {answer} }}",
        "{answer} {text}",
        "{text",
        "{text} {answer}}",
        "{} {answer}",
        "{0} {answer}",
        "{a.b} {answer}",
        "{text!r} {answer}",
        "{text:>3} {answer}",
        "",
    ],
)
def test_an_unusable_template_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="template"):
        Template.parse(text)


def test_a_missing_field_is_named_with_the_closest_one() -> None:
    with pytest.raises(DataError, match=r"unknown field 'text'\. Did you mean 'texts'\?"):
        PAPER.render_prompt({"texts": "a"})


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (TEMPLATES["sentiment"], {"text": "a fine film\n\nof two parts"}),
        ("Q: {question}\nC: {context}\nA: {answer}", {"question": "Who? {no}", "context": "He.\nShe."}),
        ("{text} and again {text}: {answer}", {"text": "x (1+1)"}),
    ],
)
def test_fields_are_read_back_from_a_prompt(text: str, fields: dict[str, str]) -> None:
    template = Template.parse(text)
    assert template.read_prompt(template.render_prompt(fields)) == fields


def test_other_texts_have_no_fields() -> None:
    prompt = PAPER.render_prompt({"text": "a fine film"})
    assert PAPER.read_prompt("a fine film") is None
    assert PAPER.read_prompt(f"{prompt} positive") is None
    again = Template.parse("{text} and again {text}: {answer}")
    assert again.read_prompt("one and again other:") is None
