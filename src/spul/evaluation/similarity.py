"""The similarity of written and true answers, put into samples by an encoder; the metric reads it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from spul.data.sentences import Embed
from spul.types import Sample

__all__ = ["with_similarity"]


def with_similarity(samples: Mapping[str, Sequence[Sample]], embed: Embed) -> dict[str, Sequence[Sample]]:
    """Return the samples with the cosine between each written answer and the true one; -1 to 1.

    Samples without a written answer stay as they are; to an empty one the encoder gives whatever it gives to no text.

    Args:
        samples: by ``<model>/<split>``.
        embed: turns texts into unit vectors.
    """
    texts = {text for rows in samples.values() for sample in rows for text in _pair(sample)}
    ordered = sorted(texts)
    vectors = dict(zip(ordered, embed(ordered), strict=True)) if ordered else {}
    return {where: [_with(sample, vectors) for sample in rows] for where, rows in samples.items()}


def _pair(sample: Sample) -> tuple[str, ...]:
    if sample.text is None or sample.text.generated is None:
        return ()
    return sample.answer, sample.text.generated


def _with(sample: Sample, vectors: Mapping[str, np.ndarray]) -> Sample:
    pair = _pair(sample)
    if not pair:
        return sample
    assert sample.text is not None
    first, second = (vectors[text] for text in pair)
    return replace(sample, text=replace(sample.text, similarity=float(first @ second)))
