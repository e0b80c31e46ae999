from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from spul.data.building.clusters import Clusters
from spul.data.building.rule import Fitted, RawRow
from spul.errors import DataError, MissingDependencyError

TOPICS = {
    "food": ("pizza", "pasta", "sauce", "cheese", "waiter", "menu"),
    "cars": ("engine", "brakes", "tyres", "garage", "mechanic", "oil"),
    "hair": ("salon", "haircut", "stylist", "colour", "shampoo", "curls"),
}
SIZES = {"food": 20, "cars": 20, "hair": 8}


def rows(seed: int, sizes: dict[str, int] = SIZES) -> list[RawRow]:
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(TOPICS[topic], 4, replace=False)) for topic in sizes for _ in range(sizes[topic])]
    return [RawRow({"text": text}, text) for text in texts]


def fit(seed: int = 0, **values: object) -> Fitted:
    return Clusters.model_validate({"count": 3, "forget_share": 0.25, **values}).fit(rows(1), seed)


def test_the_cluster_that_fits_the_share_is_forgotten_in_test_too() -> None:
    """Of 48 rows at most 12: the 8 about hair. Test texts of the same words are in the same clusters."""
    fitted = fit()
    assert fitted.facts["sizes"] == [20, 20, 8]
    ((_, cluster),) = fitted.facts["clusters"].items()
    assert cluster["rows"] == 8
    assert set(cluster["terms"]) <= set(TOPICS["hair"])
    assert fitted.chosen(rows(1)) == [False] * 40 + [True] * 8
    assert fitted.chosen(rows(2, {"hair": 3, "cars": 3})) == [True] * 3 + [False] * 3


def test_the_same_seed_gives_the_same() -> None:
    assert fit(7).facts == fit(7).facts


def test_a_text_without_known_words_is_in_no_cluster() -> None:
    assert fit().chosen([RawRow({}, "xylophone")]) == [False]


def test_too_few_texts_or_words() -> None:
    with pytest.raises(DataError, match="at least 60 different texts"):
        fit(count=60)
    with pytest.raises(DataError, match="too few words in common"):
        Clusters(count=2).fit([RawRow({}, "anna"), RawRow({}, "boris")], seed=0)


def test_without_the_embedder_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'spul\[clusters\]'"):
        fit(embedder="some/model")


def test_an_embedder_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows no words: texts go by whether they name a haircut."""

    class Fake:
        def __init__(self, name: str) -> None:
            assert name == "some/model"

        def encode(self, texts: list[str], *, show_progress_bar: bool) -> np.ndarray:
            return np.array([[1.0, 0.0] if "haircut" in text else [0.0, 2.0] for text in texts])

    monkeypatch.setitem(sys.modules, "sentence_transformers", SimpleNamespace(SentenceTransformer=Fake))
    fitted = fit(embedder="some/model", count=2)
    assert fitted.chosen([RawRow({}, "a haircut"), RawRow({}, "a pizza")]) == [True, False]
