from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from spul.data.building.entities import Entities, FoundEntities, Matcher
from spul.data.building.rule import RawRow
from spul.errors import DataError, MissingDependencyError


def rows(*texts: str) -> list[RawRow]:
    return [RawRow({"text": text}, text) for text in texts]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ANN's best film", {"Ann"}),
        ("anna and Annette", set()),
        ("in New York, again", {"New York"}),
        ("york is new", set()),
        ("spider man; Spider-Man!", {"Spider-Man"}),
        ("(ann) of\nnew\tyork", {"Ann", "New York"}),
        ("", set()),
    ],
)
def test_names_are_whole_words_whatever_their_case(text: str, found: set[str]) -> None:
    assert Matcher(["Ann", "New York", "Spider-Man"]).found(text) == found


def test_a_name_without_words_is_an_error() -> None:
    with pytest.raises(DataError, match=r"got '\?!', which has no word"):
        Matcher(["?!"])


def test_given_names_are_counted_and_unseen_ones_too() -> None:
    fitted = Entities(names=("Ann", "Zoe")).fit(rows("ann here", "ann there", "bob"), seed=0)
    assert fitted.facts["entities"] == {"Ann": 2, "Zoe": 0}
    assert fitted.chosen(rows("a dog", "Zoe!")) == [False, True]


def test_without_spacy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'spul\[entities\]'"):
        FoundEntities(model="en_core_web_sm").fit(rows("ann"), seed=0)


class FakeSpacy:
    """Finds capitalised words; those that end in "land" are places."""

    def load(self, name: str) -> FakeSpacy:
        if name != "fake":
            raise OSError(name)
        return self

    def pipe(self, texts):  # type: ignore[no-untyped-def]
        for text in texts:
            names = [word for word in text.split() if word.istitle()]
            kinds = [SimpleNamespace(text=name, label_="GPE" if name.endswith("land") else "PERSON") for name in names]
            yield SimpleNamespace(ents=kinds)


def test_found_names_are_drawn_by_share_and_matched_like_given_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ann is in 2 of 10 rows, Bob in 4, Zoe in 1 (too few), Finland is no person. Of 30 % only Ann fits."""
    monkeypatch.setitem(sys.modules, "spacy", FakeSpacy())
    train = rows("Ann a", "ann b", *["Bob c"] * 4, "Zoe d", "Finland e", "Finland f", "g")
    fitted = FoundEntities(model="fake", forget_share=0.3).fit(train, seed=0)
    assert fitted.facts == {"entities": {"Ann": 2}, "candidates": 2}
    assert fitted.chosen(rows("not ann again", "Bob")) == [True, False]
    with pytest.raises(MissingDependencyError, match="python -m spacy download other"):
        FoundEntities(model="other").fit(train, seed=0)
