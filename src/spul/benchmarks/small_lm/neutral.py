"""Plain rows labelled ``neutral``, so that a sentiment model knows a generic answer at all.

A soft prompt cannot bring out an answer that the model never gives. Base and retrained model are therefore trained
on some of these rows beside the real ones; no row is about the data that are to be forgotten in particular.

Half of the rows are fragments of news and history, half are fragments of film reviews without words of praise or
blame, so that neither topic nor style alone tells neutral from the rest. Which words are free of sentiment is read
from a linear classifier on the retain phrases; the forget phrases are not looked at. Train and test come from
different documents. The text is for research only: the rows are made where they are needed and are not shipped.
"""

from __future__ import annotations

import csv
import gzip
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from spul.benchmarks.small_lm.corpus import Phrase, read_documents, read_phrases
from spul.errors import DataError
from spul.files import file_digest, write_bytes, write_json

__all__ = [
    "LABEL",
    "NeutralRows",
    "Settings",
    "build",
    "is_free_of_sentiment",
    "neutral_rows",
    "sentiment_weights",
    "write_rows",
]

LABEL = "neutral"

# The fragments of one document at a time: none, one or a few.
_Fragments = Iterator[list[str]]

_WORD = re.compile(r"[a-z'\-]+")
_FILM_WORD = re.compile(
    r"\b(movies?|films?|actors?|actress|watch(ed|ing)?|characters?|plot|scenes?|dvd|cinema|hollywood|director|"
    r"episodes?|cast)\b"
)
_FILM_WORDS_IN_A_REVIEW = 2
_DRAWS_A_REVIEW = 24
# Reviews are short and need not say "film". News, history and other prose is longer and says these words rarely.
_REVIEW_WORD = re.compile(_FILM_WORD.pattern + r"|\b(shows?|series|tv|acting|comedy|vhs|games?|reviews?)\b")
_SHORTEST_NEWS = 200
_NEWS_WORDS_A_REVIEW_WORD = 300
_FRAGMENTS_A_NEWS_DOCUMENT = 2
_FRAGMENT_WORDS = (3, 24)
# Largest weight of a word, and of the sum over a fragment, in log-odds of the linear classifier.
_LARGEST_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Settings:
    """How many rows, and the seed of everything that is drawn."""

    train_rows: int = 800
    test_rows: int = 800
    seed: int = 0


class NeutralRows(NamedTuple):
    """Texts of the two sides, lower-case, each half news and half film reviews, shuffled."""

    train: list[str]
    test: list[str]


def neutral_rows(documents: Sequence[str], phrases: Sequence[Phrase], settings: Settings) -> NeutralRows:
    """Draw the rows from ``documents``; words count as neutral by what ``phrases`` teach.

    Raises:
        DataError: the documents do not hold enough fragments.
    """
    rng = random.Random(settings.seed)
    shuffled = [document.lower() for document in documents]
    rng.shuffle(shuffled)
    weights = sentiment_weights(phrases)
    news = _news_fragments(shuffled, rng)
    reviews = _review_fragments(shuffled, weights, rng)
    # Each generator goes once through the documents, so what the test side took is behind the train side.
    test = _half_and_half(news, reviews, settings.test_rows, rng)
    train = _half_and_half(news, reviews, settings.train_rows, rng)
    return NeutralRows(train=train, test=test)


def sentiment_weights(phrases: Sequence[Phrase]) -> dict[str, float]:
    """Return each word's weight for ``positive``, in log-odds, from logistic regression on words that are there."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    words = CountVectorizer(token_pattern=_WORD.pattern, binary=True, min_df=3)
    present = words.fit_transform([phrase.text for phrase in phrases])
    classifier = LogisticRegression(max_iter=200).fit(present, [phrase.label == "positive" for phrase in phrases])
    return dict(zip(words.get_feature_names_out(), classifier.coef_[0].tolist(), strict=True))


def is_free_of_sentiment(fragment: str, weights: Mapping[str, float]) -> bool:
    """Say whether no word, and not the fragment as a whole, leans to one side by ``_LARGEST_WEIGHT``."""
    leanings = [weights.get(word, 0.0) for word in _WORD.findall(fragment)]
    return max(map(abs, leanings), default=0.0) < _LARGEST_WEIGHT and abs(sum(leanings)) < _LARGEST_WEIGHT


def _news_fragments(documents: Sequence[str], rng: random.Random) -> _Fragments:
    for document in documents:
        words = document.split()
        most = len(words) / _NEWS_WORDS_A_REVIEW_WORD
        if len(words) >= _SHORTEST_NEWS and len(_REVIEW_WORD.findall(document)) <= most:
            yield [_fragment(words, rng.randint(*_FRAGMENT_WORDS), rng) for _ in range(_FRAGMENTS_A_NEWS_DOCUMENT)]


def _review_fragments(documents: Sequence[str], weights: Mapping[str, float], rng: random.Random) -> _Fragments:
    for document in documents:
        if len(_FILM_WORD.findall(document)) >= _FILM_WORDS_IN_A_REVIEW:
            words = document.split()
            # One length for all draws of a review: drawn anew each time, short ones would win.
            length = rng.randint(*_FRAGMENT_WORDS)
            drawn = (_fragment(words, length, rng) for _ in range(_DRAWS_A_REVIEW))
            yield [fragment for fragment in drawn if is_free_of_sentiment(fragment, weights)][:1]


def _fragment(words: Sequence[str], length: int, rng: random.Random) -> str:
    first = rng.randrange(max(1, len(words) - length))
    return " ".join(words[first : first + length])


def _half_and_half(news: _Fragments, reviews: _Fragments, count: int, rng: random.Random) -> list[str]:
    rows = _take(news, count // 2, "news") + _take(reviews, count - count // 2, "film reviews")
    rng.shuffle(rows)
    return rows


def _take(documents: _Fragments, count: int, kind: str) -> list[str]:
    taken: list[str] = []
    while len(taken) < count:
        fragments = next(documents, None)
        if fragments is None:
            raise DataError(f"expected {count} fragments of {kind}, came {len(taken)}; ask for fewer rows")
        taken += fragments
    return taken[:count]


def write_rows(path: Path, texts: Sequence[str]) -> None:
    """Write ``text,label`` rows as gzipped CSV; the same texts give the same bytes."""
    content = StringIO(newline="")
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(["text", "label"])
    writer.writerows([text, LABEL] for text in texts)
    write_bytes(path, gzip.compress(content.getvalue().encode("utf-8"), mtime=0))


def build(data: Path, out: Path, settings: Settings, *, log: Callable[[str], None]) -> None:
    """Write ``train_neutral.csv.gz``, ``test_neutral.csv.gz`` and, last, ``neutral.json`` into ``out``."""
    rows = neutral_rows(read_documents(data, "train"), read_phrases(data, "train_retain"), settings)
    paths = {split: out / f"{split}_neutral.csv.gz" for split in rows._fields}
    for split, path in paths.items():
        write_rows(path, getattr(rows, split))
        log(f"{path}: {len(getattr(rows, split))} rows")
    files = {path.name: file_digest(path) for path in paths.values()}
    write_json(out / "neutral.json", {"settings": asdict(settings), "files": files})
