from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from spul.data.posing import Poser, encode_prompts
from spul.data.templates import Template
from spul.errors import ConfigError, DataError
from spul.types import Example, Query
from tests.data.kinds import KINDS, WORDS, make_tokenizer

TEMPLATE = Template.parse("### Text: {text}\n\n### Sentiment: {answer}")
LABELS = ("positive", "negative", "neutral", "unknown")
CLOSING = {"byte_level_closed": 1, "unigram": 1, "word_level": 1}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def example(text: str, answer: str = "positive") -> Example:
    return Example("e", {"text": text}, answer)


tokenizer_of = cache(make_tokenizer)


def poser(kind: str, max_length: int = 10_000, template: Template = TEMPLATE) -> Poser:
    return Poser(tokenizer_of(kind), template, max_length)


def canonical(kind: str, text: str) -> tuple[int, ...]:
    """Return what the tokenizer makes of a text, without the special token at its end."""
    ids = tokenizer_of(kind)(text)["input_ids"]
    return tuple(ids[: len(ids) - CLOSING.get(kind, 0)])


def longest(query: Query) -> int:
    return max(map(len, query.candidates.values()))


@EVERY_KIND
def test_prompt_and_answer_are_what_the_tokenizer_makes_of_the_whole(kind: str) -> None:
    fields = {"text": "the plot is naïve 🙂 and “dull”"}
    query = poser(kind).pose(Example("e", fields, "negative"), LABELS)
    assert query.prompt_ids == canonical(kind, TEMPLATE.render_prompt(fields))
    for label in LABELS:
        assert query.prompt_ids + query.candidates[label] == canonical(kind, TEMPLATE.render(fields, label))
    assert query.answer_ids == query.candidates["negative"]
    assert not query.truncated


@EVERY_KIND
def test_an_answer_decodes_to_itself(kind: str) -> None:
    tokenizer = make_tokenizer(kind)
    query = poser(kind).pose(example("the film is good"), LABELS)
    for label in LABELS:
        assert tokenizer.decode(query.candidates[label]).strip() == label


@EVERY_KIND
def test_no_end_of_sequence_stands_before_the_answer(kind: str) -> None:
    tokenizer = make_tokenizer(kind)
    query = poser(kind).pose(example("the film is good"), LABELS)
    assert tokenizer.eos_token_id not in query.prompt_ids + query.answer_ids
    starts_with_bos = tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    assert (query.prompt_ids[0] == tokenizer.bos_token_id) == starts_with_bos


@EVERY_KIND
def test_a_long_text_is_cut_from_its_end_and_nothing_else_is(kind: str) -> None:
    text = "the cat sat on the mat, nobody knows: “so” naïve 東京 🙂 it's 3.14 " * 5
    full = poser(kind).pose(example(text), LABELS)
    max_length = len(full.prompt_ids) * 2 // 3
    query = poser(kind, max_length).pose(example(text), LABELS)
    assert query.truncated
    assert query.candidates == full.candidates
    assert query.answer_ids == full.answer_ids
    total = len(query.prompt_ids) + longest(query)
    # The first cut is exact but for what the tokenizer does where the cut text meets the template.
    assert max_length - 4 <= total <= max_length
    prefixes = {canonical(kind, TEMPLATE.render_prompt({"text": text[:n].rstrip()})) for n in range(1, len(text))}
    assert query.prompt_ids in prefixes


def test_hand_worked_cut_of_a_word_level_prompt() -> None:
    """<s> ### Text: w1 … w10 ### Sentiment: is 15 tokens, the answer 1. Within 12, 16 - 12 = 4 words go."""
    text = " ".join(["the", "cat", "sat", "on", "the", "mat", "nobody", "knows", "so", "dull"])
    query = poser("word_level", 12).pose(example(text), LABELS)
    kept = "### Text: the cat sat on the mat\n\n### Sentiment:"
    assert query.prompt_ids == canonical("word_level", kept)
    assert len(query.prompt_ids) + 1 == 12


def test_an_input_that_just_fits_is_not_cut() -> None:
    full = poser("byte_level").pose(example("the film is good"), LABELS)
    exact = len(full.prompt_ids) + longest(full)
    assert poser("byte_level", exact).pose(example("the film is good"), LABELS) == full
    assert poser("byte_level", exact - 1).pose(example("the film is good"), LABELS).truncated


def test_room_is_left_for_the_longest_answer_whatever_the_true_one_is() -> None:
    full = poser("unigram").pose(example("the film is good"), LABELS)
    shortest = min(LABELS, key=lambda label: len(full.candidates[label]))
    assert len(full.candidates[shortest]) < longest(full)
    exact = len(full.prompt_ids) + longest(full)
    assert poser("unigram", exact - 1).pose(example("the film is good", shortest), LABELS).truncated


def test_only_the_named_field_is_cut() -> None:
    template = Template.parse("{question} {text} : {answer}")
    fields = {"question": "the cat sat on the mat", "text": "nobody knows so the plot is dull"}
    cut = Poser(make_tokenizer("word_level"), template, 12, truncate_field="text")
    query = cut.pose(Example("e", fields, "good"))
    # <s> + 6 words of question + 3 words of text + ":" + the answer = 12
    assert query.prompt_ids == canonical("word_level", "the cat sat on the mat nobody knows so :")


@pytest.mark.parametrize("kind", ["byte_level", "llama"])
def test_a_text_that_ends_the_prompt_is_cut_as_well(kind: str) -> None:
    template = Template.parse("{text} {answer}")
    text = "the cat sat on the mat " * 10
    query = poser(kind, 30, template).pose(example(text), LABELS)
    assert query.truncated
    assert 26 <= len(query.prompt_ids) + longest(query) <= 30


@EVERY_KIND
@settings(max_examples=30, deadline=None)
@given(text=st.text(min_size=1, max_size=80), max_length=st.integers(1, 90))
def test_any_text_fits_or_is_refused(kind: str, text: str, max_length: int) -> None:
    full = poser(kind).pose(example(text), LABELS)
    fits = len(full.prompt_ids) + longest(full) <= max_length
    try:
        query = poser(kind, max_length).pose(example(text), LABELS)
    except DataError as error:
        assert not fits
        assert "no room" in str(error)
    else:
        assert query.truncated == (not fits)
        assert len(query.prompt_ids) + longest(query) <= max_length
        assert query.answer_ids == full.answer_ids


@pytest.mark.parametrize("template", [TEMPLATE, Template.parse("{text} {answer}")])
@EVERY_KIND
def test_posing_together_is_posing_one_by_one(kind: str, template: Template) -> None:
    texts = ["the film is good", "good", "the plot is dull, so dull " * 9, "東京", "the film is good"]
    examples = [Example(str(i), {"text": text}, LABELS[i % 4]) for i, text in enumerate(texts)]
    together = poser(kind, 60, template).pose_all(examples, LABELS)
    alone = [poser(kind, 60, template).pose(row, LABELS) for row in examples]
    assert together == alone
    assert [query.id for query in together] == ["0", "1", "2", "3", "4"]


def test_free_text_answers_are_posed_without_candidates() -> None:
    query = poser("byte_level").pose(example("who knows?", "the cat sat on the mat"))
    assert query.candidates == {}
    expected = canonical("byte_level", TEMPLATE.render({"text": "who knows?"}, "the cat sat on the mat"))
    assert query.prompt_ids + query.answer_ids == expected


def test_an_answer_merged_with_the_prompt_is_tokenised_alone() -> None:
    """With no white space between them "is" and "positive" are one (unknown) word; alone the answer is known."""
    query = poser("word_level", template=Template.parse("{text} is{answer}")).pose(example("the film"), LABELS)
    assert query.prompt_ids == canonical("word_level", "the film is")
    assert query.answer_ids == (make_tokenizer("word_level").convert_tokens_to_ids("positive"),)


def test_no_room_for_any_text_is_an_error() -> None:
    with pytest.raises(DataError, match=r"example e: template and answer leave no room .* within 6 tokens"):
        poser("word_level", 6).pose(example("the cat sat"), LABELS)


def test_an_answer_of_unknown_tokens_is_an_error() -> None:
    assert "xylophone" not in WORDS
    with pytest.raises(DataError, match="answer 'xylophone' cannot be written"):
        poser("word_level").pose(example("the cat", "xylophone"))


def test_an_answer_without_tokens_is_an_error() -> None:
    with pytest.raises(DataError, match="answer ' ' has no token"):
        poser("word_level").pose(example("the cat", " "))


def test_answers_that_are_the_same_tokens_are_an_error() -> None:
    tokenizer = make_tokenizer("word_level")
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(DataError, match="'good' and 'Good' are the same tokens"):
        Poser(tokenizer, Template.parse("{text} {answer}"), 100).pose(example("the", "good"), ("good", "Good"))


def test_a_prompt_without_tokens_is_an_error() -> None:
    with pytest.raises(DataError, match="example e: the prompt '' has no token"):
        poser("byte_level", template=Template.parse("{text}{answer}")).pose(example(" "), LABELS)


def test_a_missing_field_names_the_example() -> None:
    with pytest.raises(DataError, match=r"example e: unknown field 'text'\. Did you mean 'texts'\?"):
        poser("byte_level").pose(Example("e", {"texts": "a"}, "positive"), LABELS)


def test_an_unknown_field_to_cut_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"truncate_field: unknown field 'txt'\. Did you mean 'text'\?"):
        Poser(make_tokenizer("byte_level"), TEMPLATE, 100, truncate_field="txt")


def test_a_text_without_tokens_takes_nothing_from_the_others() -> None:
    """<s> and </s> are all that there is of the first text; only </s> is to be left out, of it and of the others."""
    assert encode_prompts(tokenizer_of("word_level"), [" ", "the cat"]) == [(1,), canonical("word_level", "the cat")]


def test_encoding_nothing_gives_nothing() -> None:
    assert encode_prompts(make_tokenizer("byte_level"), []) == []
