from __future__ import annotations

import random
from typing import Any

import pytest

from spul.data.contrast import Contrast, NameFinder, find_names, find_others, make_contrast
from spul.data.settings import ContrastSettings
from spul.errors import DataError
from spul.types import Example

FORGOTTEN, KEPT = ("Anna", "Boris"), ("Clara", "David", "Emma", "Felix")
FRAMES = ("{} gave a {} talk", "what {} said was {}", "a {1} show by {0}", "{}'s book is {}", "with {} it was {}")
WORDS = [f"w{i}" for i in range(40)]


def rows(names: tuple[str, ...], seed: int, count: int = 30) -> list[Example]:
    rng = random.Random(seed)
    return [
        Example(f"{seed}-{i}", {"text": rng.choice(FRAMES).format(names[i % len(names)], rng.choice(WORDS))}, "good")
        for i in range(count)
    ]


def plain(count: int = 60) -> list[Example]:
    rng = random.Random(9)
    return [Example(f"plain-{i}", {"text": " ".join(rng.choices(WORDS, k=5))}, "neutral") for i in range(count)]


def made(**values: Any) -> Contrast:
    settings = ContrastSettings(**{"retain_rows": 1.0, "forget_rows": 0.5, **values})
    retain = [*rows(KEPT, 2, 60), *plain()]
    return make_contrast(settings, rows(FORGOTTEN, 1), retain, rows(FORGOTTEN, 3, 12), generic=("neutral",), seed=0)


def text(example: Example) -> str:
    return example.fields["text"]


def test_names_are_found_by_contrast() -> None:
    """Every frame and every word stands on both sides; only the names do not."""
    inside, outside = (list(map(text, side)) for side in (rows(FORGOTTEN, 1), [*rows(KEPT, 2, 60), *plain()]))
    names = find_names(inside, outside)
    assert set(names) == set(FORGOTTEN)
    assert set(find_others(inside, outside, names)[:4]) == set(KEPT)


def test_the_rest_of_a_name_goes_with_it() -> None:
    """``Anna`` stands in more texts than ``Ivanova``, so it explains every one; the other half is found beside it."""
    forget = ["Anna Ivanova sings", "a song by Anna Ivanova", "Anna danced", "did Anna sing"]
    retain = 3 * ["Clara sings", "a song by Clara", "Clara danced", "did Clara sing"]
    assert find_names(forget, retain) == ("Anna", "Ivanova")


def test_only_the_name_tells_a_contrast_row_from_its_origin() -> None:
    contrast = made()
    finder, others = NameFinder(FORGOTTEN), NameFinder(KEPT)
    assert len(contrast.retain) == 30
    assert len(contrast.forget) == 15
    origins = {row.id: text(row) for row in rows(FORGOTTEN, 1)}
    for row in contrast.retain:
        origin = origins[row.id.partition("~")[0]]
        assert not finder.found(text(row))
        (name,), (other,) = finder.found(origin), others.found(text(row))
        assert text(row) == origin.replace(name, other)
    for row in contrast.forget:
        assert finder.found(text(row))
        assert not others.found(text(row))
        assert row.id.startswith("2-"), "a row whose truth is the generic answer is about nobody"


def test_evaluation_has_names_of_its_own() -> None:
    contrast = made()
    trained = {name for row in contrast.retain for name in NameFinder(KEPT).found(text(row))}
    asked = {name for row in contrast.replaced for name in NameFinder(KEPT).found(text(row))}
    assert len(contrast.replaced) == 12
    assert trained
    assert asked
    assert not trained & asked


def test_ids_are_unique_and_the_seed_decides() -> None:
    contrast = made(retain_rows=2.5, forget_rows=3)
    assert (len(contrast.retain), len(contrast.forget)) == (75, 90)
    ids = [row.id for row in (*contrast.forget, *contrast.retain)]
    assert len(set(ids)) == len(ids)
    assert contrast == made(retain_rows=2.5, forget_rows=3)
    assert contrast.replaced == made(retain_rows=0, forget_rows=0, evaluate=True).replaced


def test_given_names_of_several_words() -> None:
    finder = NameFinder(["Mary Ann", "Ann"])
    assert finder.found("mary ann's sister Ann, not Annabel") == ["Mary Ann", "Ann"]
    new = {"Mary Ann": "Eve", "Ann": "Bea Lu"}
    assert finder.exchanged("MARY-ANN's sister Ann, not Annabel.", new) == "Eve's sister Bea Lu, not Annabel."
    contrast = made(names=["Anna"], others=["Xenia", "Yves"])
    assert contrast.names == ("Anna",)
    assert {name for row in contrast.retain for name in NameFinder(["Xenia", "Yves"]).found(text(row))} == {"Yves"}
    assert all("Boris" not in text(row) for row in contrast.retain), "rows without a name have no contrast"


def test_no_forgotten_name_is_kept_where_others_are_few() -> None:
    both = [Example(str(i), {"text": f"Anna met Boris {i}"}, "good") for i in range(4)]
    settings = ContrastSettings(retain_rows=1, names=FORGOTTEN, others=("Xenia", "Yves"))
    contrast = make_contrast(settings, both, rows(KEPT, 2), both, generic=(), seed=0)
    assert [text(row) for row in contrast.retain] == [f"Yves met Yves {i}" for i in range(4)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"names": ["?!"]}, "has no word in it"),
        ({"others": ["Xenia"]}, "two words or more .* got 1"),
        ({"others": ["Anna", "Xenia"]}, "two words or more .* got 1"),
    ],
)
def test_names_that_do_not_do_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        made(**values)


def test_without_a_telling_word_the_names_are_asked_for() -> None:
    both = rows(KEPT, 2)
    with pytest.raises(DataError, match=r"name it in data\.contrast\.names"):
        make_contrast(ContrastSettings(retain_rows=1), both, both, both, generic=(), seed=0)


def test_names_without_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="set retain_rows, forget_rows or evaluate too"):
        ContrastSettings(names=("Anna",))
