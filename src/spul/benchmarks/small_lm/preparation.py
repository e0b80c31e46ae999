"""What has to be ready before the first step: tokenizer, token streams and initial embeddings, kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from spul.benchmarks.small_lm.corpus import read_documents, read_phrases
from spul.benchmarks.small_lm.embeddings import ppmi_svd_embeddings
from spul.benchmarks.small_lm.recipe import Recipe
from spul.benchmarks.small_lm.tokenizer import fit_tokenizer, wrap
from spul.files import write_bytes, write_text

__all__ = ["Prepared", "prepare", "token_stream"]

_Scalar = TypeVar("_Scalar", bound=np.generic)

_ENCODE_AT_ONCE = 500


class Prepared(NamedTuple):
    """Tokenizer, training and validation stream (shapes [n], uint16) and initial embeddings, shape [V, d]."""

    tokenizer: PreTrainedTokenizerFast
    train: NDArray[np.uint16]
    valid: NDArray[np.uint16]
    embeddings: NDArray[np.float32]


def prepare(data: Path, recipe: Recipe, workplace: Path, *, log: Callable[[str], None]) -> Prepared:
    """Make, or read back from ``workplace``, all that pre-training starts from.

    The forget phrases are not looked at, neither here nor later: the retrained model starts from this one, and it
    must never have met them. (The plain text does name many of the same people.)
    """
    train_text = read_documents(data, "train")
    tokenizer = _tokenizer(data, recipe, workplace / "tokenizer.json", train_text)
    log(f"tokenizer ready, {len(tokenizer)} entries")
    train = _array(workplace / "train.npy", lambda: token_stream(tokenizer, train_text))
    valid = _array(workplace / "valid.npy", lambda: token_stream(tokenizer, read_documents(data, "valid")))
    log(f"tokens ready, {len(train)} for training, {len(valid)} for validation")
    embeddings = _array(
        workplace / "embeddings.npy",
        lambda: ppmi_svd_embeddings(
            train, vocab_size=recipe.vocab_size, hidden_size=recipe.hidden_size, seed=recipe.seed
        ),
    )
    log("initial embeddings ready")
    return Prepared(tokenizer, train, valid, embeddings)


def token_stream(tokenizer: PreTrainedTokenizerFast, documents: Sequence[str]) -> NDArray[np.uint16]:
    """Return all documents as one stream of ids, shape [n]: ``bos``, document, ``eos``, ``bos``, …

    A document is read as if a blank stood before it, as every text in a prompt has one.
    """
    pieces = []
    for first in range(0, len(documents), _ENCODE_AT_ONCE):
        some = documents[first : first + _ENCODE_AT_ONCE]
        # Straight to the fast tokenizer: the wrapper would warn about every document that is longer than the context.
        encodings = tokenizer.backend_tokenizer.encode_batch_fast([f" {document}" for document in some])
        pieces += [np.array([*encoding.ids, tokenizer.eos_token_id], dtype=np.uint16) for encoding in encodings]
    return np.concatenate(pieces)


def _tokenizer(data: Path, recipe: Recipe, path: Path, train_text: Sequence[str]) -> PreTrainedTokenizerFast:
    if not path.exists():
        phrases = (phrase.text for phrase in read_phrases(data, "train_retain"))
        texts = [*train_text[:: recipe.tokenizer_stride], *phrases]
        write_text(path, fit_tokenizer(texts, vocab_size=recipe.vocab_size).to_str())
    return wrap(Tokenizer.from_file(str(path)), context=recipe.context)


def _array(path: Path, make: Callable[[], NDArray[_Scalar]]) -> NDArray[_Scalar]:
    if not path.exists():
        buffer = BytesIO()
        np.save(buffer, make(), allow_pickle=False)
        write_bytes(path, buffer.getvalue())
    array: NDArray[_Scalar] = np.load(path, allow_pickle=False)
    return array
