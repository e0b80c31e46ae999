from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from spul.data.building.entities import Entities, FoundEntities, Matcher
from spul.data.building.recognisers import RECOGNISERS
from spul.data.building.rule import RawRow
from spul.errors import DataError, MissingDependencyError


def rows(*texts: str) -> list[RawRow]:
    return [RawRow({"text": text}, text) for text in texts]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ANN's best film", {"Ann"}),
        ("anna and Annette", set()),
        ("in New York, again", {"New York"}),
        ("york is new", set()),
        ("spider man; Spider-Man!", {"Spider-Man"}),
        ("(ann) of\nnew\tyork", {"Ann", "New York"}),
        ("", set()),
    ],
)
def test_names_are_whole_words_whatever_their_case(text: str, found: set[str]) -> None:
    assert Matcher(["Ann", "New York", "Spider-Man"]).found(text) == found


def test_a_name_without_words_is_an_error() -> None:
    with pytest.raises(DataError, match=r"got '\?!', which has no word"):
        Matcher(["?!"])


def test_given_names_are_counted_and_unseen_ones_too() -> None:
    fitted = Entities(names=("Ann", "Zoe")).fit(rows("ann here", "ann there", "bob"), seed=0)
    assert fitted.facts["entities"] == {"Ann": 2, "Zoe": 0}
    assert fitted.chosen(rows("a dog", "Zoe!")) == [False, True]


def test_without_spacy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'spul\[entities\]'"):
        FoundEntities(recogniser="spacy", model="en_core_web_sm").fit(rows("ann"), seed=0)


class FakeSpacy:
    """Finds capitalised words; those that end in "land" are places."""

    def load(self, name: str) -> FakeSpacy:
        if name != "fake":
            raise OSError(name)
        return self

    def pipe(self, texts):  # type: ignore[no-untyped-def]
        for text in texts:
            names = [word for word in text.split() if word.istitle()]
            kinds = [SimpleNamespace(text=name, label_="GPE" if name.endswith("land") else "PERSON") for name in names]
            yield SimpleNamespace(ents=kinds)


def test_found_names_are_drawn_by_share_and_matched_like_given_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ann is in 2 of 10 rows, Bob in 4, Zoe in 1 (too few), Finland is no person. Of 30 % only Ann fits."""
    monkeypatch.setitem(sys.modules, "spacy", FakeSpacy())
    train = rows("Ann a", "ann b", *["Bob c"] * 4, "Zoe d", "Finland e", "Finland f", "g")
    fitted = FoundEntities(recogniser="spacy", model="fake", forget_share=0.3).fit(train, seed=0)
    assert fitted.facts == {"entities": {"Ann": 2}, "candidates": 2}
    assert fitted.chosen(rows("not ann again", "Bob")) == [True, False]
    with pytest.raises(MissingDependencyError, match="python -m spacy download other"):
        FoundEntities(recogniser="spacy", model="other").fit(train, seed=0)


def write_tagger(folder: Path, labels: tuple[str, ...] = ("O", "B-PER", "I-PER", "B-LOC")) -> str:
    """Write a model without layers that tags by the word alone: ann and bob begin a person, lee goes on, rome is none.

    A word's vector has a one at its label's place, and the classifier reads that place.
    """
    tags = {"ann": 1, "bob": 1, "lee": 2, "##son": 0, "rome": 3}
    pieces = ["[UNK]", "[PAD]", *tags, *"abcdefghijklmnopqrstuvwxyz", *(f"##{x}" for x in "abcdefghijklmnopqrstuvwxyz")]
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]")
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=len(labels),
        num_hidden_layers=0,
        num_attention_heads=1,
        max_position_embeddings=64,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.bert.embeddings.LayerNorm.weight.fill_(1.0)
        for i, piece in enumerate(pieces):
            model.bert.embeddings.word_embeddings.weight[i, tags.get(piece, 0)] = 1.0
        model.classifier.weight.copy_(torch.eye(len(labels)))
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return str(folder)


def test_transformers_finds_whole_names_and_they_are_drawn_in_the_same_way(tmp_path: Path) -> None:
    """Ann Lee is in 2 of 10 rows, Bob in 4, Annson is Ann's word with another piece, Rome is no person."""
    model = write_tagger(tmp_path)
    train = rows("Ann Lee saw x", "ann lee!", *["bob c"] * 4, "in rome", "by rome", "", "Annson")
    found = RECOGNISERS["transformers"](model, [row.text for row in train], ["PER"])
    assert sorted(found) == ["Ann Lee", "Annson", "ann lee", "bob", "bob", "bob", "bob"]
    fitted = FoundEntities(recogniser="transformers", model=model, forget_share=0.3).fit(train, seed=0)
    assert fitted.facts == {"entities": {"ann lee": 2}, "candidates": 2}
    assert fitted.chosen(rows("ANN LEE", "ann", "bob")) == [True, False, False]


def test_a_tagger_that_is_not_there_or_knows_no_persons_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a token-classification model of transformers at"):
        FoundEntities(recogniser="transformers", model=str(tmp_path / "none")).fit(rows("ann"), seed=0)
    model = write_tagger(tmp_path, ("O", "B-DATE", "I-DATE", "B-LOC"))
    with pytest.raises(DataError, match=r"that knows PERSON or PER, but .* knows DATE, LOC, O"):
        FoundEntities(recogniser="transformers", model=model).fit(rows("ann"), seed=0)
