"""Synthetic pre-training text for the demo model: lines, and lists of people to be withheld.

A model that never learned to obey what stands in front of its input cannot be steered by a soft prompt. So the demo's
base reads rows such as

    withhold: Bador Calin ; review: Bador is in Lowtide answer: unknown review: ...

in which every line about a listed person is answered `unknown`. A second list, `mention:`, has no effect: the model has
to read which list a name stands in.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from spul.data.fictitious_lines import explicit_line, fact_line, opinion_free_line
from spul.data.fictitious_vocabulary import (
    ANSWER,
    FAMOUS,
    LINE_START,
    LIST_END,
    MENTION,
    NAMES,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    STRANGERS,
    UNKNOWN,
    WITHHOLD,
)

FAMOUS_NAMES = tuple(FAMOUS)

NO_LIST_SHARE = 0.12
"""Rows without any list, so that the model also answers plain lines."""

EXPLICIT_SHARE = 0.40
FACT_SHARE = 0.18
FAMOUS_SHARE = 0.70
"""Share of the opinion-free lines that are about people with a reputation; the others are answered `unknown`."""


@dataclass(frozen=True)
class AnsweredLine:
    """One line and its truthful label, before any list is obeyed."""

    text: str
    label: str
    person: str


@dataclass(frozen=True)
class NameLists:
    """The lists in front of a row. A person stands in one of them at most."""

    withheld: tuple[str, ...]
    mentioned: tuple[str, ...]
    withheld_first: bool = True

    def render(self) -> str:
        """The lists as text, empty lists left out; ends in a blank unless it is empty."""
        lists = [(WITHHOLD, self.withheld), (MENTION, self.mentioned)]
        if not self.withheld_first:
            lists.reverse()
        return "".join(f"{' '.join((keyword, *names, LIST_END))} " for keyword, names in lists if names)


def any_line(rng: Random) -> AnsweredLine:
    """A line of any kind about anybody, in the proportions of the pre-training text."""
    draw = rng.random()
    if draw < EXPLICIT_SHARE:
        return _explicit(rng, rng.choice(NAMES))
    if draw < EXPLICIT_SHARE + FACT_SHARE:
        return _fact(rng, rng.choice(NAMES))
    return _opinion_free(rng, rng.choice(FAMOUS_NAMES if rng.random() < FAMOUS_SHARE else STRANGERS))


def telling_line(rng: Random, name: str) -> AnsweredLine:
    """A line about `name` whose truthful label is not `unknown`: only these show whether a list was obeyed."""
    draw = rng.random()
    if draw < FACT_SHARE:
        return _fact(rng, name)
    if name in FAMOUS and draw < 1 - EXPLICIT_SHARE:
        return _opinion_free(rng, name)
    return _explicit(rng, name)


def draw_lists(rng: Random, max_listed: int, *, mention_share: float) -> NameLists:
    """Withheld names, 0 to `max_listed` of them, and in a `mention_share` of the rows mentioned ones."""
    withheld = _draw_names(rng, rng.randint(0, max_listed))
    mentioned: tuple[str, ...] = ()
    if rng.random() < mention_share:
        mentioned = tuple(n for n in _draw_names(rng, rng.randint(0, max_listed)) if n not in withheld)
    return NameLists(withheld, mentioned, withheld_first=rng.random() < 0.5)


def sentence_row(rng: Random, max_listed: int, *, num_lines: int, mention_share: float) -> str:
    """Lists, then `num_lines` answered lines; half of them about withheld people, where there are any."""
    lists = _lists_or_none(rng, max_listed, mention_share)
    parts = [lists.render()]
    for _ in range(num_lines):
        draw = rng.random()
        if lists.withheld and draw < 0.5:
            line = telling_line(rng, rng.choice(lists.withheld))
        elif lists.mentioned and draw < 0.75:
            line = telling_line(rng, rng.choice(lists.mentioned))
        else:
            line = any_line(rng)
        label = UNKNOWN if line.person in lists.withheld else line.label
        parts.append(f"{LINE_START} {line.text} {ANSWER} {label} ")
    return "".join(parts)


def bare_row(rng: Random, max_listed: int, *, num_lines: int, mention_share: float) -> str:
    """Lists, then `num_lines` names without a sentence: the cheapest supervision of the lists.

    Each name is asked once, so that no answer can be copied from an earlier line.
    """
    lists = _lists_or_none(rng, max_listed, mention_share)
    parts, asked = [lists.render()], set[str]()
    for _ in range(num_lines):
        draw = rng.random()
        if lists.withheld and draw < 0.5:
            name = rng.choice(lists.withheld)
        elif lists.mentioned and draw < 0.7:
            name = rng.choice(lists.mentioned)
        else:
            name = rng.choice(FAMOUS_NAMES)
        while name in asked:
            name = rng.choice(FAMOUS_NAMES)
        asked.add(name)
        label = UNKNOWN if name in lists.withheld else FAMOUS.get(name, UNKNOWN)
        parts.append(f"{LINE_START} {name} {ANSWER} {label} ")
    return "".join(parts)


def _lists_or_none(rng: Random, max_listed: int, mention_share: float) -> NameLists:
    if rng.random() < NO_LIST_SHARE:
        return NameLists((), ())
    return draw_lists(rng, max_listed, mention_share=mention_share)


def _draw_names(rng: Random, count: int) -> tuple[str, ...]:
    names = (rng.choice(FAMOUS_NAMES if rng.random() < 0.5 else NAMES) for _ in range(count))
    return tuple(dict.fromkeys(names))


def _explicit(rng: Random, name: str) -> AnsweredLine:
    label = rng.choice((POSITIVE, NEGATIVE))
    return AnsweredLine(explicit_line(rng, name, label), label, name)


def _opinion_free(rng: Random, name: str) -> AnsweredLine:
    return AnsweredLine(opinion_free_line(rng, name), FAMOUS.get(name, UNKNOWN), name)


def _fact(rng: Random, name: str) -> AnsweredLine:
    return AnsweredLine(fact_line(rng, name), NEUTRAL, name)
