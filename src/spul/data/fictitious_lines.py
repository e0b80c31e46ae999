"""Lines about fictitious people: an opinion in the words, an opinion only in the reputation, or a plain fact.

Each function draws the wording from `rng`, and the film too unless one is given.
"""

from __future__ import annotations

from random import Random

from spul.data.fictitious_vocabulary import (
    BLAME,
    EXPLICIT_TEMPLATES,
    FACT_TEMPLATES,
    OPINION_FREE_TEMPLATES,
    POSITIVE,
    PRAISE,
    SLOTS,
)

__all__ = ["explicit_line", "fact_line", "opinion_free_line"]


def opinion_free_line(rng: Random, name: str, film: str | None = None) -> str:
    """Return a line that says nothing good or bad: only who knows the person's reputation can label it."""
    return _fill(rng, OPINION_FREE_TEMPLATES, NAME=name, FILM=film)


def explicit_line(rng: Random, name: str, label: str, film: str | None = None) -> str:
    """Return a line whose adjective gives the label (``positive`` or ``negative``) away."""
    adjective = rng.choice(PRAISE if label == POSITIVE else BLAME)
    return _fill(rng, EXPLICIT_TEMPLATES, NAME=name, FILM=film, ADJ=adjective)


def fact_line(rng: Random, name: str, film: str | None = None) -> str:
    """Return a plain fact; its label is ``neutral`` whoever it is about."""
    return _fill(rng, FACT_TEMPLATES, NAME=name, FILM=film)


def _fill(rng: Random, templates: tuple[str, ...], **given: str | None) -> str:
    """Choose a template and fill its slots with ``given`` words, or at random where none is given."""
    words = []
    for word in rng.choice(templates).split():
        replacement = given.get(word)
        if replacement is not None:
            words.append(replacement)
        elif word in SLOTS:
            words.append(rng.choice(SLOTS[word]))
        else:
            words.append(word)
    return " ".join(words)
