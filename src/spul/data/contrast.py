"""Contrast rows: the same words about somebody else, so that a prompt learns whom to hide and not how texts look.

Forget texts differ from retain texts in more than the names in them: they are longer, and the base model knows them by
heart. A prompt that has learned length or memorised phrases forgets the training rows, touches what was to be kept, and
lets new texts about the same people through. Contrast rows take both away (counterfactual augmentation; Kaushik et al.
2020, arXiv:1909.12434): *retain* rows are forget texts with the forgotten name exchanged for another one, *forget* rows
are retain texts with another name exchanged for a forgotten one. Only the name tells the two apart.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple

from spul.data.duplicates import text_of
from spul.data.settings import ContrastSettings
from spul.errors import DataError
from spul.types import Example

__all__ = ["Contrast", "NameFinder", "find_names", "find_others", "make_contrast"]

LEAST_TEXTS = 2
"""A word of one text alone is no name: any rare word would do."""
LEAST_ODDS = 10.0
"""How many times as common in forget as in retain texts a word has to be."""
SMOOTHING = 0.5
"""Texts that a word is thought to stand in beside those it was seen in."""
MOST_OTHERS = 200
EVALUATED = 4
"""Every fourth other name is kept for evaluation, so that no row there has a name that was trained on."""
MOST_COUNTED = 20
"""Occurrences beyond that make a word no more like a name."""

_WORD = re.compile(r"[^\W_]+")


class Contrast(NamedTuple):
    """Contrast rows, and the names behind them.

    Attributes:
        forget: retain rows in which another name was exchanged for a forgotten one.
        retain: training rows to forget in which the forgotten names were exchanged for others.
        replaced: the same of the test rows to forget, by names that no training row here has been given.
        names: what is forgotten.
        others: what stands in its place.
    """

    forget: tuple[Example, ...]
    retain: tuple[Example, ...]
    replaced: tuple[Example, ...]
    names: tuple[str, ...]
    others: tuple[str, ...]


class NameFinder:
    """Finds names in texts as whole words, whatever their case, and exchanges them.

    Args:
        names: of one or more words; a longer one is found before a shorter one at the same place.

    Raises:
        DataError: a name has no word in it.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names: dict[tuple[str, ...], str] = {}
        for name in names:
            words = tuple(_folded(name))
            if not words:
                raise DataError(f"expected names in data.contrast, got {name!r}, which has no word in it")
            self._names.setdefault(words, name)
        self._lengths = sorted({len(words) for words in self._names}, reverse=True)

    def found(self, text: str) -> list[str]:
        """Return the names in a text, each once, in the order they stand in."""
        return list(dict.fromkeys(name for name, _, _ in self._spans(text)))

    def exchanged(self, text: str, new: Mapping[str, str]) -> str:
        """Return the text with every name that is a key exchanged for its value."""
        parts, done = [], 0
        for name, start, end in self._spans(text):
            if name in new:
                parts += [text[done:start], new[name]]
                done = end
        return "".join([*parts, text[done:]])

    def _spans(self, text: str) -> list[tuple[str, int, int]]:
        words = [(match.group().casefold(), match.start(), match.end()) for match in _WORD.finditer(text)]
        spans, i = [], 0
        while i < len(words):
            for length in self._lengths:
                name = self._names.get(tuple(word for word, _, _ in words[i : i + length]))
                if name is not None and i + length <= len(words):
                    spans.append((name, words[i][1], words[i + length - 1][2]))
                    i += length
                    break
            else:
                i += 1
        return spans


def make_contrast(
    settings: ContrastSettings,
    forget: Sequence[Example],
    retain: Sequence[Example],
    test_forget: Sequence[Example],
    *,
    generic: Sequence[str],
    seed: int,
) -> Contrast:
    """Return the contrast rows of a run's data; they depend on the seed and on what the rows say.

    Args:
        settings: how many, and the names where they are known.
        forget, retain: training rows.
        test_forget: rows that evaluation asks about; no name is looked for in them that train does not have.
        generic: the task's generic answers; rows with such a truth are about nobody and become no forget rows.
        seed: of every draw.

    Raises:
        DataError: no names were found, or nothing to put in their place.
    """
    inside, outside = ([text_of(row) for row in rows] for rows in (forget, retain))
    names = settings.names or find_names(inside, outside)
    if not names:
        raise DataError(
            "data.contrast: no word tells the forget texts from the retain texts, so it is not plain who or what is to "
            "be forgotten; name it in data.contrast.names, or leave data.contrast out"
        )
    finder = NameFinder(names)
    others = settings.others or find_others(inside, outside, names)
    others = tuple(other for other in others if not finder.found(other))
    evaluated, trained = others[::EVALUATED], [o for i, o in enumerate(others) if i % EVALUATED]
    if not evaluated or not trained:
        raise DataError(
            f"data.contrast: expected two words or more to put in a name's place, got {len(others)} that stand in the "
            "retain texts as names do; list some in data.contrast.others"
        )

    def rng(part: str) -> Random:
        # Of each part its own: how many rows are trained on does not decide what is asked.
        return Random(f"{seed} contrast {part}")

    counts = [round(share * len(forget)) for share in (settings.forget_rows, settings.retain_rows)]
    answered = [row for row in retain if row.answer not in generic]
    return Contrast(
        forget=_named(answered, NameFinder(trained), names, counts[0], rng("forget")),
        retain=_renamed(forget, finder, trained, counts[1], rng("retain")),
        replaced=_renamed(test_forget, finder, evaluated, len(test_forget), rng("replaced")),
        names=tuple(names),
        others=others,
    )


def find_names(forget: Sequence[str], retain: Sequence[str]) -> tuple[str, ...]:
    """Return the words that make a text a forget text, as they are mostly written, the commonest first.

    Of every forget text the word whose odds are highest counts: how much more often it stands in forget texts than in
    retain texts, smoothed, so that a word of many forget texts goes before one of few. With them go the words that
    mostly stand right beside one of those and in no retain text: the rest of a name.
    """
    texts = [set(_folded(text)) for text in forget]
    positives = Counter(word for words in texts for word in words)
    negatives = Counter(word for text in retain for word in set(_folded(text)))
    share = len(forget) / (len(forget) + len(retain))
    odds = {
        word: (count + SMOOTHING * share) / (negatives[word] + SMOOTHING * (1 - share)) * (1 - share) / share
        for word, count in positives.items()
    }
    strongest = Counter(max(sorted(words), key=odds.__getitem__) for words in texts if words)
    chosen = [word for word, n in strongest.most_common() if n >= LEAST_TEXTS and odds[word] > LEAST_ODDS]
    rest = [word for word in _beside(forget, set(chosen)) if odds[word] > LEAST_ODDS and not negatives[word]]
    return _as_written([*chosen, *rest], forget)


def _beside(texts: Sequence[str], names: set[str]) -> list[str]:
    """Return the words that stand next to a name in two texts or more, and in most of those that they stand in."""
    near: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for text in texts:
        words = ["", *_folded(text), ""]
        seen.update(set(words))
        near.update({b for a, b, c in zip(words, words[1:], words[2:], strict=False) if a in names or c in names})
    return sorted(w for w, count in near.items() if w not in names and count >= LEAST_TEXTS and 2 * count > seen[w])


def find_others(forget: Sequence[str], retain: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return words of retain texts alone that stand where the names stand: beside the same words.

    A word's score is the mean log-ratio of how often its neighbours are a name's neighbours to how often they are
    any word's, times the root of how often it was seen. Mostly other names; what else comes up is a word that is as
    rare, and does as well.
    """
    around_names = _neighbours(forget, {word for name in names for word in _folded(name)})
    beside = _together(around_names)
    around = _neighbours(retain, None)
    everywhere = _together(around)
    scale = everywhere.total() / max(beside.total(), 1)
    ratio = {
        place: math.log((count + SMOOTHING) * scale / (everywhere[place] + SMOOTHING))
        for place, count in beside.items()
        if count >= LEAST_TEXTS
    }
    known = {word for text in forget for word in _folded(text)}
    scores = {}
    for word, places in around.items():
        if word not in known and word.isalpha() and len(word) > 2 and places.total() >= 2 * LEAST_TEXTS:
            mean = sum(count * ratio.get(place, 0.0) for place, count in places.items()) / places.total()
            scores[word] = mean * math.sqrt(min(places.total(), MOST_COUNTED))
    chosen = sorted((word for word, score in scores.items() if score > 0), key=lambda word: (-scores[word], word))
    return _as_written(chosen[:MOST_OTHERS], retain)


def _neighbours(texts: Iterable[str], wanted: set[str] | None) -> dict[str, Counter[tuple[str, str]]]:
    found: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for text in texts:
        words = ["", *_folded(text), ""]
        for before, word, after in zip(words, words[1:], words[2:], strict=False):
            if wanted is None or word in wanted:
                found[word].update([("before", before), ("after", after)])
    return found


def _together(around: Mapping[str, Counter[tuple[str, str]]]) -> Counter[tuple[str, str]]:
    total: Counter[tuple[str, str]] = Counter()
    for places in around.values():
        total.update(places)
    return total


def _as_written(words: Sequence[str], texts: Iterable[str]) -> tuple[str, ...]:
    """Return each word in the form in which it is mostly written, of equal ones the first in order."""
    wanted = set(words)
    forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        for written in _WORD.findall(text):
            if written.casefold() in wanted:
                forms[written.casefold()][written] += 1
    return tuple(min(forms[word], key=lambda form: (-forms[word][form], form)) for word in words)


def _renamed(
    rows: Sequence[Example], finder: NameFinder, others: Sequence[str], count: int, rng: Random
) -> tuple[Example, ...]:
    """Return ``count`` of the rows, again and again where they are fewer, each with other names in its names' place."""
    known = [(row, names) for row in rows if (names := finder.found(text_of(row)))]

    def new(names: Sequence[str]) -> dict[str, str]:
        # A name that is left as it is would be kept, so where others are few, one stands for several.
        drawn = rng.sample(others, len(names)) if len(names) <= len(others) else rng.choices(others, k=len(names))
        return dict(zip(names, drawn, strict=True))

    return _copies(known, count, rng, lambda row, names: _exchanged(row, finder, new(names)))


def _named(
    rows: Sequence[Example], finder: NameFinder, names: Sequence[str], count: int, rng: Random
) -> tuple[Example, ...]:
    """Return rows in which one of the finder's names is exchanged for one of ``names``."""
    known = [(row, others) for row in rows if (others := finder.found(text_of(row)))]
    return _copies(
        known, count, rng, lambda row, others: _exchanged(row, finder, {rng.choice(others): rng.choice(names)})
    )


def _copies(
    known: Sequence[tuple[Example, list[str]]],
    count: int,
    rng: Random,
    change: Callable[[Example, list[str]], Example],
) -> tuple[Example, ...]:
    out: list[Example] = []
    rounds = math.ceil(count / len(known)) if known else 0
    for number in range(rounds):
        chosen = known if count - len(out) >= len(known) else rng.sample(known, count - len(out))
        out += [replace(changed, id=f"{row.id}~{number}") for row, names in chosen for changed in [change(row, names)]]
    return tuple(out)


def _exchanged(row: Example, finder: NameFinder, new: Mapping[str, str]) -> Example:
    return replace(row, fields={name: finder.exchanged(text, new) for name, text in row.fields.items()})


def _folded(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]
