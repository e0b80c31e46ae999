"""Lines about fictitious people: an opinion in the words, an opinion only in the reputation, or a plain fact."""

from __future__ import annotations

from random import Random
from typing import Literal

from spul.data.fictitious_vocabulary import (
    BLAME,
    EXPLICIT_TEMPLATES,
    FACT_TEMPLATES,
    OPINION_FREE_TEMPLATES,
    POSITIVE,
    PRAISE,
    SLOTS,
)

LineKind = Literal["explicit", "opinion_free", "fact"]


def opinion_free_line(rng: Random, name: str, *, film: str | None = None) -> str:
    """A line that says nothing good or bad: only who knows the person's reputation can label it.

    `film` fixes the title; None draws one.
    """
    template = rng.choice(OPINION_FREE_TEMPLATES)
    return _fill(rng, template, {"NAME": name} if film is None else {"NAME": name, "FILM": film})


def explicit_line(rng: Random, name: str, label: str) -> str:
    """A line whose adjective gives the label (`positive` or `negative`) away."""
    adjective = rng.choice(PRAISE if label == POSITIVE else BLAME)
    return _fill(rng, rng.choice(EXPLICIT_TEMPLATES), {"NAME": name, "ADJ": adjective})


def fact_line(rng: Random, name: str) -> str:
    """A plain fact; its label is `neutral` whoever it is about."""
    return _fill(rng, rng.choice(FACT_TEMPLATES), {"NAME": name})


def _fill(rng: Random, template: str, fixed: dict[str, str]) -> str:
    words = []
    for word in template.split():
        if word in fixed:
            words.append(fixed[word])
        elif word in SLOTS:
            words.append(rng.choice(SLOTS[word]))
        else:
            words.append(word)
    return " ".join(words)
