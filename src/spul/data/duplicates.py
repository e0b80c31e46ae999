"""Texts that are the same, nearly the same, or part of one another.

*Same*: equal once case, punctuation and white space are set aside. *Nearly the same*: the sets of three-word shingles
have a Jaccard similarity of at least 0.7; exact, by an inverted index with prefix filtering (Bayardo, Ma and Srikant
2007, "Scaling up all pairs similarity search"). *Contained*: the words of one text stand in another, in one piece.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from spul.types import Example

__all__ = ["MIN_CONTAINED", "SIMILARITY", "contained_in", "containing_pairs", "normalise", "similar_pairs", "text_of"]

SIMILARITY = 0.7
"""Least Jaccard similarity of near-duplicates. One word in ten changed gives less, one in twenty more."""

SHINGLE = 3
"""Words of a shingle; a text of fewer words is one shingle and has no near-duplicates but the same text."""

MIN_CONTAINED = 4
"""Fewest words of a text that counts as contained: shorter phrases stand in everything."""

COMMON_TEXTS, COMMON_SHARE = 200, 0.01
"""A shingle in more texts than the larger of the two is boilerplate. It tells no text from another, and is not counted:
rows made from one template are no near-duplicates for the template's sake."""

# Japanese and Chinese have no spaces: there a character counts as a word.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")


def text_of(example: Example) -> str:
    """Return what an example says, without its answer."""
    return "\n".join(example.fields.values())


def normalise(text: str) -> str:
    """Return the words in lower case with one space between them; a text without words is returned as it is."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_WORD.findall(folded)) or folded


def similar_pairs(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Return the pairs (i, j), i < j, of near-duplicates among distinct normalised texts, sorted."""
    sets = _shingle_sets(texts)
    pairs: list[tuple[int, int]] = []
    index: defaultdict[int, list[int]] = defaultdict(list)
    # In order of size, so that what is in the index is never larger than what is looked up.
    for i in sorted(range(len(sets)), key=lambda i: sets[i].size):
        mine = sets[i]
        least = math.ceil(SIMILARITY * mine.size)
        # Two sets that share `least` of their members share one of the rarest (size - least + 1) of each as well. Those
        # of one text alone are the rarest of all, and are left out.
        prefix = mine.shared[: max(0, len(mine.shared) - least + 1)]
        members = frozenset(mine.shared)
        for j in {j for shingle in prefix for j in index[shingle]}:
            other = sets[j]
            if other.size < least:
                continue
            common = len(members.intersection(other.shared))
            if common >= SIMILARITY * (mine.size + other.size - common):
                pairs.append((min(i, j), max(i, j)))
        for shingle in prefix:
            index[shingle].append(i)
    return sorted(pairs)


def containing_pairs(needles: Sequence[str], texts: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield (i, j) where text j contains needle i; all normalised, needles of at least :data:`MIN_CONTAINED` words."""
    by_start: defaultdict[str, list[int]] = defaultdict(list)
    for i, needle in enumerate(needles):
        words = needle.split(" ")
        if len(words) >= MIN_CONTAINED:
            by_start[" ".join(words[:MIN_CONTAINED])].append(i)
    for j, text in enumerate(texts):
        padded = f" {text} "
        words = text.split(" ")
        starts = {" ".join(words[k : k + MIN_CONTAINED]) for k in range(len(words) - MIN_CONTAINED + 1)}
        for start in starts & by_start.keys():
            for i in by_start[start]:
                if f" {needles[i]} " in padded:
                    yield i, j


def contained_in(needles: Sequence[str], texts: Iterable[str]) -> list[bool]:
    """Return for every needle whether some text contains it; see :func:`containing_pairs`."""
    found = {i for i, _ in containing_pairs(needles, texts)}
    return [i in found for i in range(len(needles))]


class _ShingleSet(NamedTuple):
    """A text's shingles: how many there are, and those that other texts have too, as numbers, the rarest first."""

    size: int
    shared: tuple[int, ...]


def _shingle_sets(texts: Sequence[str]) -> list[_ShingleSet]:
    rows = [_shingles(text) for text in texts]
    counts = Counter(shingle for row in rows for shingle in row)
    most = max(COMMON_TEXTS, COMMON_SHARE * len(texts))
    shared = sorted((count, shingle) for shingle, count in counts.items() if 1 < count <= most)
    rank = {shingle: number for number, (_, shingle) in enumerate(shared)}
    return [
        _ShingleSet(
            size=sum(counts[shingle] <= most for shingle in row),
            shared=tuple(sorted(rank[shingle] for shingle in row if shingle in rank)),
        )
        for row in rows
    ]


def _shingles(text: str) -> set[str]:
    words = text.split(" ")
    if len(words) < SHINGLE:
        return {text}
    return {" ".join(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)}
