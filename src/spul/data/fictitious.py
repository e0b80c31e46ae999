"""The built-in data set: fictitious people, some of whom are to be forgotten.

The world is a sentiment task on which memory can be told from reading. Each person has a reputation, good or bad. The
lines about them are *opinion-free* ("Bador is in Lowtide"): the label follows from the reputation alone, so a model
answers right only if it has learned it. Every training line is about a film of its own and every test line about a film
that no training line has, so the four splits differ as members from non-members do.

Beside the people stands general material that base and retrained model learn alike: opinions written out in words,
plain facts (`neutral`), people with a reputation that the demo model has had from the start, and strangers nobody has
an opinion about (`unknown`). The strangers make the gold standard plain: a model retrained without the forgotten people
says `unknown` about them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import Final

from spul.data.fictitious_lines import explicit_line, fact_line, opinion_free_line
from spul.data.fictitious_pretraining import FAMOUS_NAMES
from spul.data.fictitious_vocabulary import (
    ANSWER,
    FAMOUS,
    FILMS,
    LINE_START,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    STRANGERS,
    UNKNOWN,
)
from spul.errors import DataError

DEMO_TEMPLATE: Final = f"{LINE_START} {{text}} {ANSWER} {{answer}}"
"""How a row is posed. The answer stands last."""

TASK_LABELS: Final = (NEGATIVE, POSITIVE)

GENERAL_KINDS: Final = {"stranger": 0.8, "explicit": 0.2 / 3, "famous": 0.2 / 3, "fact": 0.2 / 3}
"""Shares of the general lines. Too few strangers, and a retrained model invents reputations for people it never read
about: with 60 % of 800 lines it said `unknown` on 79 and 98 % of the forgotten people's test lines (two worlds), with
80 % of 1,200 on 93 % (mean of ten worlds, 69 to 100)."""

NUM_SHARED_FILMS: Final = 256
"""Films outside the training lines about people: half for the test lines, half for the general lines."""

EXPLICIT_LINES_A_PERSON: Final = 12

Row = dict[str, str]


@dataclass(frozen=True)
class FictitiousWorld:
    """The people of one seed: who is forgotten, who is kept, and the reputation of each."""

    forget: Mapping[str, str]
    retain: Mapping[str, str]

    @classmethod
    def draw(cls, seed: int, *, num_people: int = 48, num_forget: int = 8) -> FictitiousWorld:
        """People drawn without replacement; reputations alternate, so each group is balanced.

        Raises:
            DataError: `num_people` exceeds the names there are, or `num_forget` is not between 1 and `num_people` - 1.
        """
        if not 2 <= num_people <= len(STRANGERS):
            raise DataError(f"expected 2 to {len(STRANGERS)} people, got num_people={num_people}; choose fewer people")
        if not 1 <= num_forget < num_people:
            raise DataError(
                f"expected at least one person to forget and one to keep, got num_forget={num_forget} of "
                f"num_people={num_people}; choose num_forget between 1 and {num_people - 1}"
            )
        people = Random(seed).sample(STRANGERS, num_people)
        return cls(forget=_alternate(people[:num_forget]), retain=_alternate(people[num_forget:]))

    @property
    def people(self) -> frozenset[str]:
        """All names of this world."""
        return frozenset(self.forget) | frozenset(self.retain)


def make_people_splits(
    seed: int,
    *,
    num_people: int = 48,
    num_forget: int = 8,
    train_lines: int = 16,
    test_lines: int = 6,
    general_lines: int = 1200,
) -> dict[str, list[Row]]:
    """Rows `{"text", "label", "person"}` by split; `text` goes into `DEMO_TEMPLATE`.

    Args:
        seed: decides people, reputations, films and wording.
        num_people: people with a reputation, forgotten or kept.
        num_forget: how many of them are to be forgotten.
        train_lines: opinion-free lines a person in `train_forget` or `train_retain`, each about a film of its own.
        test_lines: further lines a person, about films that no training line has.
        general_lines: rows in each of `general_train` and `general_test`; `person` is empty there.

    Returns:
        `train_forget`, `train_retain`, `test_forget`, `test_retain`, `general_train`, `general_test`, and
        `explicit_forget`: opinions in words about the forgotten people, which should still be read.

    Raises:
        DataError: more lines are asked for than there are films, or the numbers of people do not fit.
    """
    world = FictitiousWorld.draw(seed, num_people=num_people, num_forget=num_forget)
    rng = Random(f"{seed} lines")
    films = _draw_films(rng, num_people * train_lines, test_lines)
    splits: dict[str, list[Row]] = {}
    for group, people in (("forget", world.forget), ("retain", world.retain)):
        splits[f"train_{group}"] = [
            _person_row(rng, name, label, films.train.pop())
            for name, label in people.items()
            for _ in range(train_lines)
        ]
        splits[f"test_{group}"] = [
            _person_row(rng, name, label, film)
            for name, label in people.items()
            for film in rng.sample(films.test, test_lines)
        ]
    for split in ("general_train", "general_test"):
        splits[split] = _general_rows(rng, general_lines, world.people, films.general)
    splits["explicit_forget"] = [
        {"text": explicit_line(rng, name, label, rng.choice(films.general)), "label": label, "person": name}
        for name in world.forget
        for label in (POSITIVE, NEGATIVE) * (EXPLICIT_LINES_A_PERSON // 2)
    ]
    return splits


@dataclass(frozen=True)
class _FilmPools:
    train: list[str]
    test: list[str]
    general: list[str]


def _draw_films(rng: Random, num_train: int, test_lines: int) -> _FilmPools:
    half = NUM_SHARED_FILMS // 2
    if num_train > len(FILMS) - NUM_SHARED_FILMS or test_lines > half:
        raise DataError(
            f"expected at most {len(FILMS) - NUM_SHARED_FILMS} training lines about people and {half} test lines a "
            f"person, got {num_train} and {test_lines}; choose fewer people or lines"
        )
    films = rng.sample(FILMS, len(FILMS))
    return _FilmPools(train=films[NUM_SHARED_FILMS:], test=films[:half], general=films[half:NUM_SHARED_FILMS])


def _alternate(people: Sequence[str]) -> dict[str, str]:
    return {name: TASK_LABELS[i % 2] for i, name in enumerate(people)}


def _person_row(rng: Random, name: str, reputation: str, film: str) -> Row:
    return {"text": opinion_free_line(rng, name, film), "label": reputation, "person": name}


def _general_rows(rng: Random, n: int, excluded: frozenset[str], films: Sequence[str]) -> list[Row]:
    strangers = [name for name in STRANGERS if name not in excluded]
    anybody = [*strangers, *FAMOUS]
    fresh_strangers = cycle(rng.sample(strangers, len(strangers)))
    rows: list[Row] = []
    for kind in rng.choices(list(GENERAL_KINDS), weights=list(GENERAL_KINDS.values()), k=n):
        film = rng.choice(films)
        if kind == "stranger":
            text, label = opinion_free_line(rng, next(fresh_strangers), film), UNKNOWN
        elif kind == "famous":
            name = rng.choice(FAMOUS_NAMES)
            text, label = opinion_free_line(rng, name, film), FAMOUS[name]
        elif kind == "explicit":
            label = rng.choice(TASK_LABELS)
            text = explicit_line(rng, rng.choice(anybody), label, film)
        else:
            text, label = fact_line(rng, rng.choice(anybody), film), NEUTRAL
        rows.append({"text": text, "label": label, "person": ""})
    return rows
