"""The fictitious-people world: balance, disjointness, determinism, and that every word is one token."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from spul.data.fictitious import DEMO_TEMPLATE, FictitiousWorld, make_people_splits
from spul.data.fictitious_lines import explicit_line, fact_line, opinion_free_line
from spul.data.fictitious_vocabulary import (
    BLAME,
    FAMOUS,
    FILMS,
    LABELS,
    NAMES,
    PRAISE,
    STRANGERS,
    VOCABULARY,
)
from spul.data.templates import Template
from spul.errors import DataError

SPLITS = {
    "train_forget",
    "train_retain",
    "test_forget",
    "test_retain",
    "general_train",
    "general_test",
    "explicit_forget",
}


@pytest.fixture(scope="module")
def splits() -> dict[str, list[dict[str, str]]]:
    return make_people_splits(3)


def films_in(rows: list[dict[str, str]]) -> list[str]:
    return [word for row in rows for word in row["text"].split() if word in set(FILMS)]


def test_vocabulary_words_are_unique_and_free_of_blanks() -> None:
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    assert not any(set(word) & set(" \t\n") for word in VOCABULARY)


def test_name_and_film_counts() -> None:
    """32 x 32 names, a quarter famous; 32 x 32 titles."""
    assert (len(NAMES), len(FAMOUS), len(STRANGERS)) == (1024, 256, 768)
    assert len(FILMS) == 1024
    assert Counter(FAMOUS.values()) == {"positive": 128, "negative": 128}


def test_row_counts_of_the_default_world(splits: dict[str, list[dict[str, str]]]) -> None:
    """8 x 16 = 128 and 40 x 16 = 640 training rows; 8 x 6 = 48 and 40 x 6 = 240 test rows; 8 x 12 = 96 explicit."""
    assert set(splits) == SPLITS
    counts = {name: len(rows) for name, rows in splits.items() if not name.startswith("general")}
    assert counts == {
        "train_forget": 128,
        "train_retain": 640,
        "test_forget": 48,
        "test_retain": 240,
        "explicit_forget": 96,
    }


def test_general_lines_sets_both_general_splits() -> None:
    splits = make_people_splits(0, general_lines=37)
    assert len(splits["general_train"]) == len(splits["general_test"]) == 37


def test_labels_are_balanced_over_people_in_forget_and_retain_alike(splits: dict[str, list[dict[str, str]]]) -> None:
    world = FictitiousWorld.draw(3)
    assert Counter(world.forget.values()) == {"positive": 4, "negative": 4}
    assert Counter(world.retain.values()) == {"positive": 20, "negative": 20}
    for split, people in (("test_forget", world.forget), ("test_retain", world.retain)):
        assert {row["person"]: row["label"] for row in splits[split]} == people
        assert all(row["label"] == people[row["person"]] for row in splits[split])


def test_forgotten_and_kept_people_do_not_meet(splits: dict[str, list[dict[str, str]]]) -> None:
    world = FictitiousWorld.draw(3)
    assert not set(world.forget) & set(world.retain)
    for split in ("train_retain", "test_retain", "general_train", "general_test"):
        assert not [row for row in splits[split] if set(row["text"].split()) & set(world.forget)]


def test_general_lines_are_about_none_of_the_people(splits: dict[str, list[dict[str, str]]]) -> None:
    people = FictitiousWorld.draw(3).people
    for row in splits["general_train"] + splits["general_test"]:
        assert not set(row["text"].split()) & people
        assert row["person"] == ""


def test_every_training_line_about_a_person_has_a_film_of_its_own(splits: dict[str, list[dict[str, str]]]) -> None:
    """768 training lines, 768 titles; no test or general line is about one of them."""
    train = films_in(splits["train_forget"] + splits["train_retain"])
    assert len(train) == len(set(train)) == 768
    elsewhere = films_in(splits["test_forget"] + splits["test_retain"] + splits["general_train"])
    assert not set(train) & set(elsewhere)


def test_opinion_free_lines_hold_no_opinion(splits: dict[str, list[dict[str, str]]]) -> None:
    for split in ("train_forget", "train_retain", "test_forget", "test_retain"):
        assert not [row for row in splits[split] if set(row["text"].split()) & {*PRAISE, *BLAME}]


def test_explicit_lines_say_the_opinion_of_their_label(splits: dict[str, list[dict[str, str]]]) -> None:
    for row in splits["explicit_forget"]:
        words = PRAISE if row["label"] == "positive" else BLAME
        assert set(row["text"].split()) & set(words)
    assert Counter(row["label"] for row in splits["explicit_forget"]) == {"positive": 48, "negative": 48}


def test_every_rendered_word_is_in_the_vocabulary(splits: dict[str, list[dict[str, str]]]) -> None:
    template = Template.parse(DEMO_TEMPLATE)
    for rows in splits.values():
        for row in rows:
            assert set(template.render({"text": row["text"]}, row["label"]).split()) <= set(VOCABULARY)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    assert make_people_splits(5) == make_people_splits(5)
    assert make_people_splits(5)["train_forget"] != make_people_splits(6)["train_forget"]


def test_worlds_of_different_seeds_have_different_people() -> None:
    assert FictitiousWorld.draw(5).people != FictitiousWorld.draw(6).people


@pytest.mark.parametrize("arguments", [{"num_people": 769}, {"num_forget": 0}, {"num_forget": 48}])
def test_impossible_numbers_of_people_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(DataError, match="expected"):
        FictitiousWorld.draw(0, **arguments)


def test_more_lines_than_films_are_refused() -> None:
    """48 x 17 = 816 lines, but 1,024 - 256 = 768 titles."""
    with pytest.raises(DataError, match="at most 768 training lines"):
        make_people_splits(0, train_lines=17)


def test_lines_name_person_and_film() -> None:
    rng = Random(0)
    for _ in range(50):
        assert {"Bador", "Lowtide"} <= set(opinion_free_line(rng, "Bador", "Lowtide").split())
        assert "Bador" in explicit_line(rng, "Bador", LABELS[0], "Lowtide").split()
        assert "Bador" in fact_line(rng, "Bador", "Lowtide").split()
