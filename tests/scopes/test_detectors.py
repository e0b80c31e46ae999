"""Every detector tells names apart, scores a text alike in any company, and comes back from disk as it was."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from spul.errors import DataError, MissingDependencyError
from spul.scopes import SCOPES, Detector, Gate, calibrate, load_gate, save_gate
from spul.scopes.settings import ScopeSettings
from spul.scopes.token_max import words_of
from spul.stats import auc
from tests.scopes.made import FORGOTTEN, KEPT, WORDS, texts

VOCABULARY = [*WORDS, *FORGOTTEN, *KEPT]
HERE = ("hidden_states", "tfidf", "token_max")


def encode(rows: Sequence[str]) -> np.ndarray:
    """Shares of words: what a base model's mean hidden state would be, if it had one dimension a word."""
    return np.array([[row.split().count(word) / len(row.split()) for word in VOCABULARY] for row in rows])


def learned(name: str) -> Detector:
    return SCOPES.get(name).learn(texts(FORGOTTEN, 60, 0), texts(KEPT, 300, 1), ScopeSettings(), encode)


def test_what_is_registered() -> None:
    assert SCOPES.names() == ["embeddings", "hidden_states", "tfidf", "token_max"]


@pytest.mark.parametrize("name", HERE)
def test_unseen_texts_about_known_names_are_told_apart(name: str) -> None:
    detector = learned(name)
    assert auc(detector.score(texts(FORGOTTEN, 50, 2)), detector.score(texts(KEPT, 200, 3))) > 0.95


@pytest.mark.parametrize("name", HERE)
def test_learning_is_deterministic(name: str) -> None:
    asked = texts(KEPT, 20, 4)
    assert np.array_equal(learned(name).score(asked), learned(name).score(asked))


@pytest.mark.parametrize("name", HERE)
def test_score_does_not_depend_on_the_texts_beside_it(name: str) -> None:
    detector, asked = learned(name), [*texts(FORGOTTEN, 5, 2), *texts(KEPT, 30, 3)]
    assert np.array_equal(detector.score(asked), np.concatenate([detector.score([text]) for text in asked]))


@pytest.mark.parametrize("name", HERE)
def test_scores_from_disk_are_the_same_to_the_last_bit(name: str, tmp_path: Path) -> None:
    detector, asked = learned(name), [*texts(FORGOTTEN, 50, 2), *texts(KEPT, 200, 3), "who ?", "zebra"]
    gate = Gate(detector, calibrate(np.arange(60.0), 0.05), ("text",), {"forget_rows": 60})
    save_gate(tmp_path, gate)
    again = load_gate(tmp_path, encode)
    assert np.array_equal(again.scores(asked), detector.score(asked))
    assert (again.calibration, again.fields, again.facts) == (gate.calibration, gate.fields, gate.facts)
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".safetensors"}, "never a pickle"


def test_one_name_counts_as_much_in_a_long_text() -> None:
    """What a classifier of whole texts dilutes."""
    detector = learned("token_max")
    short, long = detector.score(["anna was dull", "the film was " * 40 + "anna was dull"])
    assert short == long
    plain = learned("tfidf").score(["anna was dull", "the film was " * 40 + "anna was dull"])
    assert plain[1] < plain[0] - 1


def test_names_that_were_never_seen_are_known_by_their_letters() -> None:
    detector = learned("token_max")
    possessive, other = detector.score(["anna's", "dora's"])
    assert possessive > other


def test_text_without_words_is_scored_as_nothing_known() -> None:
    detector = learned("token_max")
    nothing, known = detector.score(["?!", "anna"])
    assert np.isfinite(nothing)
    assert nothing < known


def test_words_keep_their_apostrophes_dots_and_hyphens() -> None:
    assert words_of("Zhang's C.H.O. — Anne-Sophie, 'Kong'!") == ["anne-sophie", "c.h.o", "kong", "zhang's"]


@pytest.mark.parametrize("name", ["tfidf", "token_max"])
def test_texts_without_words_teach_nothing(name: str) -> None:
    with pytest.raises(DataError, match=r"expected words|too little in common"):
        SCOPES.get(name).learn(["!"], ["?"], ScopeSettings(), None)


def test_embeddings_name_the_extra_that_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingDependencyError, match=r"spul\[clusters\]"):
        SCOPES.get("embeddings").learn(["a"], ["b"], ScopeSettings(), None)
