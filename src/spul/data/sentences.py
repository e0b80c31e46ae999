"""Embeddings of texts by a sentence encoder, an extra."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from spul.errors import MissingDependencyError

__all__ = ["Embed", "sentence_encoder", "unit_rows"]

Embed = Callable[[Sequence[str]], np.ndarray]


def sentence_encoder(model: str) -> Embed:
    """Return what turns texts into unit vectors, one row a text.

    Args:
        model: a sentence-transformers model, directory or hub id.

    Raises:
        MissingDependencyError: sentence-transformers is not installed.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingDependencyError(
            "embedding with sentence-transformers needs it installed: pip install 'spul[clusters]', or leave "
            "--embedder out"
        ) from error
    encoder = SentenceTransformer(model)
    return lambda rows: unit_rows(np.asarray(encoder.encode(list(rows), show_progress_bar=False)))


def unit_rows(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Return rows of length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Float[np.ndarray, "n d"] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-9)
    return unit
