from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spul.data import duplicates
from spul.data.duplicates import SIMILARITY, contained_in, containing_pairs, normalise, similar_pairs, text_of
from spul.types import Example

words = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1, max_size=9).map(" ".join)
distinct_texts = st.lists(words, min_size=1, max_size=25, unique=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A Fine film!", "a  fine\tfilm"),
        ("“so” it's", "so it s"),
        ("snake_case", "snake case"),
        ("ＦＵＬＬ ｗｉｄｔｈ", "full width"),
        ("Straße", "STRASSE"),
    ],
)
def test_case_punctuation_and_white_space_do_not_count(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


def test_a_text_without_words_is_itself() -> None:
    assert normalise(":)") != normalise(":(")
    assert normalise("🙂 !") == "🙂 !"


def test_characters_are_words_where_there_are_no_spaces() -> None:
    assert normalise("東京タワー is 高い") == "東 京 タ ワ ー is 高 い"


def test_the_text_of_an_example_is_all_its_fields_and_not_the_answer() -> None:
    assert text_of(Example("1", {"question": "Who?", "context": "He."}, "Him")) == "Who?\nHe."


def test_hand_worked_similarity() -> None:
    """8 words are 6 shingles. With the last word changed 5 are shared, of 7 in all: 5/7 = 0.714 ≥ 0.7; with two of the
    last changed 4 of 8 are."""
    base = "one two three four five six seven eight"
    near = "one two three four five six seven nine"
    far = "one two three four five six ten eleven"
    assert similar_pairs([base, far, near]) == [(0, 2)]


def shingles(text: str) -> set[str]:
    parts = text.split()
    return {" ".join(parts[i : i + 3]) for i in range(max(1, len(parts) - 2))}


@settings(max_examples=200, deadline=None)
@given(texts=distinct_texts)
def test_the_inverted_index_finds_what_comparing_all_pairs_finds(texts: list[str]) -> None:
    expected = []
    for i, one in enumerate(texts):
        for j in range(i + 1, len(texts)):
            a, b = shingles(one), shingles(texts[j])
            if len(a & b) >= SIMILARITY * len(a | b):
                expected.append((i, j))
    assert similar_pairs(texts) == expected


@settings(max_examples=100, deadline=None)
@given(needles=st.lists(words, max_size=8), texts=st.lists(words, max_size=8))
def test_containment_is_that_of_whole_words(needles: list[str], texts: list[str]) -> None:
    expected = [len(n.split()) >= 4 and any(f" {n} " in f" {t} " for t in texts) for n in needles]
    assert contained_in(needles, texts) == expected


def test_a_part_of_a_word_is_not_contained() -> None:
    assert contained_in(["is it a cat", "this it a cat"], ["this it a category", "so this it a cat"]) == [False, True]


def test_pairs_name_needle_and_text() -> None:
    assert list(containing_pairs(["a b c d", "z"], ["x", "w a b c d e"])) == [(0, 1)]


def test_boilerplate_does_not_make_rows_kindred(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 words, a number, a word: 20 shingles, 18 without the number; 18 / 22 = 0.82 until they are common."""
    texts = [f"{' '.join(f'w{i}' for i in range(20))} {k} today" for k in range(30)]
    assert len(similar_pairs(texts)) == 30 * 29 // 2
    monkeypatch.setattr(duplicates, "COMMON_TEXTS", 20)
    assert similar_pairs(texts) == []
