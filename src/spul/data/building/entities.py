"""Forget by entity: every row whose text names one of them. Bhaila et al. 2025, section 4 (their SST-2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from spul.data.building.recognisers import RECOGNISERS
from spul.data.building.rule import Fitted, RawRow, Rule, Share, draw_groups
from spul.data.duplicates import normalise
from spul.errors import DataError

__all__ = ["Entities", "FoundEntities", "Matcher"]


class Matcher:
    """Finds names in texts as whole words, whatever their case and the punctuation around them.

    "Spider-Man" is found in "spider man's", "Ann" is not found in "Anna". Names are looked up by their words, so a
    thousand of them cost no more than one.

    Args:
        names: words or phrases.

    Raises:
        DataError: a name has no word in it.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names: dict[tuple[str, ...], str] = {}
        for name in names:
            if not any(character.isalnum() for character in name):
                raise DataError(f"expected names to look for, got {name!r}, which has no word in it")
            self._names.setdefault(tuple(normalise(name).split(" ")), name)
        self._lengths = sorted({len(words) for words in self._names})

    def found(self, text: str) -> set[str]:
        """Return the names that a text holds."""
        words = tuple(normalise(text).split(" "))
        spans = (words[i : i + n] for n in self._lengths for i in range(len(words) - n + 1))
        return {self._names[span] for span in spans if span in self._names}


class Entities(Rule):
    """Forget every row that names one of the given entities.

    Attributes:
        names: words or phrases.
    """

    names: Annotated[tuple[str, ...], Field(min_length=1)]

    def fit(self, train: Sequence[RawRow], seed: int) -> Fitted:
        """Return the matcher; the training rows only say how often each name occurs."""
        return _by_names(self.names, train)


class FoundEntities(Rule):
    """Find entities with a model, draw some, and forget every row that names one of those.

    The model only finds the names; a row is then assigned as with given ones, so that a test row whose name the model
    would have missed is on the side that it belongs to.

    Attributes:
        recogniser: whose model it is: ``spacy`` or ``transformers``.
        model: what recognises entities: a spaCy pipeline (``en_core_web_sm``, say), or directory or hub id of a
            token-classification model.
        types: what kinds of entities are taken; models name persons in two ways.
        min_rows: a name in fewer training rows is no candidate: a test row will hardly have it.
        forget_share: share of the training rows that the drawn names are found in, at most.
    """

    recogniser: Literal["spacy", "transformers"]
    model: str
    types: tuple[str, ...] = ("PERSON", "PER")
    min_rows: Annotated[int, Field(ge=1)] = 2
    forget_share: Share = 0.05

    def fit(self, train: Sequence[RawRow], seed: int) -> Fitted:
        """Return the matcher of the drawn names.

        Raises:
            MissingDependencyError: spaCy or its model is not installed.
            DataError: the model does not load or does not know the types, or no name is in enough rows.
        """
        found = RECOGNISERS[self.recogniser](self.model, [row.text for row in train], self.types)
        stripped = {name.strip() for name in found if any(character.isalnum() for character in name)}
        names = {normalise(name): name for name in sorted(stripped)}
        rows = _rows_of(Matcher(names.values()), train)
        candidates = {name: found for name, found in rows.items() if len(found) >= self.min_rows}
        fitted = _by_names(draw_groups(candidates, len(train), self.forget_share, seed), train)
        return fitted._replace(facts={**fitted.facts, "candidates": len(candidates)})


def _by_names(names: Sequence[str], train: Sequence[RawRow]) -> Fitted:
    matcher = Matcher(names)
    counts = {name: len(found) for name, found in _rows_of(matcher, train).items()}
    return Fitted(
        lambda rows: [bool(matcher.found(row.text)) for row in rows],
        {"entities": {name: counts.get(name, 0) for name in names}},
    )


def _rows_of(matcher: Matcher, rows: Sequence[RawRow]) -> Mapping[str, set[int]]:
    found: defaultdict[str, set[int]] = defaultdict(set)
    for i, row in enumerate(rows):
        for name in matcher.found(row.text):
            found[name].add(i)
    return found
