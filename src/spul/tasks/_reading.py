"""Reading answers from scores, as several tasks do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from spul.types import AnswerScores

__all__ = ["arg_max_answer"]


def arg_max_answer(
    names: Iterable[str], scores: Mapping[str, AnswerScores], ids: Mapping[str, tuple[int, ...]]
) -> str | None:
    """Return the answer that the model gives over its full vocabulary, ``None`` where it gives none of these.

    An answer counts if the arg-max at each of its positions is its own token; of several such answers one is the
    beginning of the others, and the longest counts.
    """
    hits = [name for name in names if scores[name].argmax_ids == ids[name]]
    return max(hits, key=lambda name: len(ids[name]), default=None)
