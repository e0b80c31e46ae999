"""The neutral rows: free of sentiment, half and half, the same for the same seed, whole files only."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
from pathlib import Path

import pytest

from scripts import build_neutral_rows as command
from spul.benchmarks.small_lm import neutral
from spul.benchmarks.small_lm.corpus import Phrase, default_data_root, read_phrases
from spul.errors import DataError

GOOD, BAD = "splendid", "dreadful"
PHRASES = [Phrase(f"the {GOOD} {word}", "positive") for word in ("plot", "end", "song")] * 4 + [
    Phrase(f"the {BAD} {word}", "negative") for word in ("plot", "end", "song")
] * 4


def _documents(news: int, reviews: int) -> list[str]:
    rng = random.Random(0)
    report = ["grain", "harbour", "council", "treaty", "rain", "The"]
    review = ["movie", "actor", "street", "night", "The", "door", GOOD, BAD]
    return [" ".join(rng.choices(report, k=260)) for _ in range(news)] + [
        " ".join(rng.choices(review, weights=[4, 4, 6, 6, 6, 6, 1, 1], k=80)) for _ in range(reviews)
    ]


DOCUMENTS = _documents(news=60, reviews=200)
SETTINGS = neutral.Settings(train_rows=40, test_rows=10, seed=3)


def test_half_of_the_rows_are_of_each_kind_and_none_praises_or_blames() -> None:
    rows = neutral.neutral_rows(DOCUMENTS, PHRASES, SETTINGS)
    assert (len(rows.train), len(rows.test)) == (40, 10)
    for side in rows:
        of_news = [text for text in side if not {"movie", "actor", "street", "night", "door"} & set(text.split())]
        assert len(of_news) == pytest.approx(len(side) / 2, abs=2)  # a short review fragment can be all "the"
        assert all(text == text.lower() for text in side)
        assert not any(GOOD in text or BAD in text for text in side)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    rows = neutral.neutral_rows(DOCUMENTS, PHRASES, SETTINGS)
    assert rows == neutral.neutral_rows(DOCUMENTS, PHRASES, SETTINGS)
    assert rows != neutral.neutral_rows(DOCUMENTS, PHRASES, neutral.Settings(40, 10, seed=4))


def test_train_and_test_come_from_different_documents() -> None:
    """Each document says one word of its own over and over, so a row betrays where it is from."""
    documents = [f"news{n} " * 300 for n in range(40)] + [f"movie film review{n} " * 40 for n in range(60)]
    rows = neutral.neutral_rows(documents, PHRASES, neutral.Settings(40, 20, seed=0))
    origins = [{word for text in side for word in text.split() if word[-1].isdigit()} for side in rows]
    assert origins[0] and origins[1] and origins[0].isdisjoint(origins[1])


def test_a_fragment_is_judged_by_its_strongest_word_and_by_its_sum() -> None:
    """Limit 0.5: 0.4 passes; 0.6 does not; 0.3 + 0.3 = 0.6 does not; 0.4 − 0.4 = 0 passes; unknown words weigh 0."""
    weights = {"a": 0.4, "b": -0.6, "c": 0.3, "d": 0.3, "e": -0.4}
    judged = {text: neutral.is_free_of_sentiment(text, weights) for text in ("a", "b x", "c d", "a, e!", "x y", "")}
    assert judged == {"a": True, "b x": False, "c d": False, "a, e!": True, "x y": True, "": True}


def test_too_few_documents_are_an_error_that_says_what_is_missing() -> None:
    with pytest.raises(DataError, match=r"expected 20 fragments of news, came \d+; ask for fewer rows"):
        neutral.neutral_rows(_documents(news=6, reviews=200), PHRASES, SETTINGS)


def test_written_rows_are_read_back_and_equal_rows_are_equal_bytes(tmp_path: Path) -> None:
    texts = ['a, "b"', "c"]
    for name in ("one.csv.gz", "two.csv.gz"):
        neutral.write_rows(tmp_path / name, texts)
    assert (tmp_path / "one.csv.gz").read_bytes() == (tmp_path / "two.csv.gz").read_bytes()
    with gzip.open(tmp_path / "one.csv.gz", "rt", encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [{"text": text, "label": "neutral"} for text in texts]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.csv.gz", "two.csv.gz"]


def test_missing_data_end_with_code_2_and_say_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "set SPUL_DATA" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_real_text_gives_the_default_rows(tmp_path: Path) -> None:
    data = default_data_root(os.environ)
    if not (data / "lm_text").is_dir():
        pytest.skip(f"{data} does not hold lm_text; set SPUL_DATA")
    neutral.build(data, tmp_path, neutral.Settings(), log=lambda line: None)
    record = json.loads((tmp_path / "neutral.json").read_text(encoding="utf-8"))
    assert set(record["files"]) == {"train_neutral.csv.gz", "test_neutral.csv.gz"}
    weights = neutral.sentiment_weights(read_phrases(data, "train_retain"))
    assert weights["dull"] < -1 and weights["moving"] > 1
