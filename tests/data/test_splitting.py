from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spul.data.duplicates import contained_in, normalise, similar_pairs, text_of
from spul.data.splitting import draw, groups_of, split_off
from spul.errors import DataError
from spul.types import Example

word = st.sampled_from(["red", "green", "blue", "old", "new", "big", "cat", "dog"])
words = st.lists(word, min_size=1, max_size=8).map(" ".join)
rows_of_text = st.lists(words, min_size=2, max_size=40)


def examples(texts: list[str]) -> list[Example]:
    return [Example(str(i), {"text": text}, "x") for i, text in enumerate(texts)]


def sentences(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(f"word{rng.randrange(10_000)}" for _ in range(6)) for _ in range(count)]


def ids(rows: tuple[Example, ...]) -> set[str]:
    return {row.id for row in rows}


@settings(max_examples=80, deadline=None)
@given(texts=rows_of_text, share=st.floats(0.05, 0.95), seed=st.integers(-5, 5))
def test_sides_are_disjoint_complete_in_order_and_unrelated(texts: list[str], share: float, seed: int) -> None:
    rows = examples(texts)
    if len(groups_of(rows)) == 1:
        with pytest.raises(DataError, match="at least two unrelated texts"):
            split_off(rows, share, seed)
        return
    parts = split_off(rows, share, seed)
    assert parts.kept
    assert parts.split_off
    assert sorted([*parts.kept, *parts.split_off], key=lambda row: int(row.id)) == rows
    for side in parts:
        assert [int(row.id) for row in side] == sorted(int(row.id) for row in side)
    kept, off = ([normalise(text_of(row)) for row in side] for side in parts)
    assert not set(kept) & set(off)
    assert not any(contained_in(kept, off))
    assert not any(contained_in(off, kept))
    both = sorted({*kept, *off})
    for i, j in similar_pairs(both):
        assert (both[i] in kept) == (both[j] in kept)


@settings(max_examples=60, deadline=None)
@given(texts=rows_of_text, seed=st.integers(0, 3), order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(texts: list[str], seed: int, order: random.Random) -> None:
    rows = examples(texts)
    shuffled = order.sample(rows, len(rows))
    if len(groups_of(rows)) > 1:
        here, there = split_off(rows, 0.3, seed), split_off(shuffled, 0.3, seed)
        assert ids(here.split_off) == ids(there.split_off)


@settings(max_examples=20, deadline=None)
@given(count=st.integers(2, 200), share=st.floats(0.01, 0.99), seed=st.integers(0, 5))
def test_unrelated_rows_are_split_by_the_very_share(count: int, share: float, seed: int) -> None:
    parts = split_off(examples(sentences(count)), share, seed)
    assert len(parts.split_off) == min(max(1, round(share * count)), count - 1)


def test_the_share_is_nearly_kept_with_groups_of_several_rows() -> None:
    """100 groups of 1 to 7 rows: at most the largest group is missing to 30 % of 400 rows."""
    texts = [text for i, text in enumerate(sentences(100)) for _ in range(i % 7 + 1)]
    parts = split_off(examples(texts), 0.3, seed=1)
    wanted = round(0.3 * len(texts))
    assert wanted - 7 < len(parts.split_off) <= wanted


def test_another_seed_is_another_split() -> None:
    rows = examples(sentences(100))
    drawn = {frozenset(ids(split_off(rows, 0.3, seed).split_off)) for seed in range(5)}
    assert len(drawn) == 5
    assert split_off(rows, 0.3, 1) == split_off(rows, 0.3, 1)


def test_kindred_rows_are_one_group() -> None:
    rows = examples(
        [
            "A dull and overlong film, but well played.",
            "dull and overlong film",
            "well played",
            "a DULL and overlong film but well played",
            "the songs are lovely",
            "one two three four five six seven eight",
            "one two three four five six seven nine",
        ]
    )
    assert sorted(groups_of(rows)) == [[0, 1, 3], [2], [4], [5, 6]]


def test_a_group_larger_than_the_share_is_split_off_only_if_there_is_no_other() -> None:
    rows = examples(["same text here"] * 3 + ["something else"] * 5)
    assert ids(split_off(rows, 0.1, 0).split_off) == {"0", "1", "2"}


def test_of_two_such_groups_the_seed_chooses_and_not_the_order() -> None:
    rows = examples(["red blue", "red blue", "blue red", "blue red"])
    for seed in range(4):
        assert ids(split_off(rows, 0.1, seed).split_off) == ids(split_off(rows[::-1], 0.1, seed).split_off)


@pytest.mark.parametrize("texts", [["one"], ["one", "One!", "one"]])
def test_rows_of_one_kind_cannot_be_split(texts: list[str]) -> None:
    with pytest.raises(DataError, match=r"all rows \(\d\) are the same, nearly the same or .*\(data\.test_forget"):
        split_off(examples(texts), 0.5, 0)


def test_a_draw_is_stable_under_order_and_keeps_the_order_of_the_rows() -> None:
    rows = examples(sentences(50))
    drawn = draw(rows, 20, seed=3)
    assert [int(row.id) for row in drawn] == sorted(int(row.id) for row in drawn)
    assert ids(draw(rows[::-1], 20, seed=3)) == ids(drawn)
    assert ids(draw(rows, 10, seed=3)) < ids(drawn)
    assert ids(draw(rows, 20, seed=4)) != ids(drawn)
    assert draw(rows, 60, seed=3) == tuple(rows)
