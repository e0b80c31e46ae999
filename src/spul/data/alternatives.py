"""Answers that stand beside the true one: a paraphrase of it, and false ones of the same form (Maini et al. 2024)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from spul.errors import DataError

__all__ = ["ALTERNATIVE_COLUMNS", "PARAPHRASE", "PERTURBED", "alternatives_of"]

PARAPHRASE, PERTURBED = "paraphrase", "perturbed"

ALTERNATIVE_COLUMNS: Mapping[str, Sequence[str]] = {
    PARAPHRASE: (PARAPHRASE, "paraphrased_answer"),
    PERTURBED: (PERTURBED, "perturbed_answer"),
}
"""Where each is looked for if no column is mapped to it, in this order; TOFU's names are among them."""


def alternatives_of(texts: Mapping[str, str], place: str) -> dict[str, tuple[str, ...]]:
    """Return the alternatives that the cells of a row hold; an empty cell holds none.

    Args:
        texts: cell by name; perturbed answers are a JSON array, which is what a list in JSON Lines or Parquet is read
            as, or one text.
        place: where they stand, for errors.

    Raises:
        DataError: an alternative is blank, or no text.
    """
    found: dict[str, tuple[str, ...]] = {}
    if texts.get(PARAPHRASE, "").strip():
        found[PARAPHRASE] = (texts[PARAPHRASE].strip(),)
    if perturbed := texts.get(PERTURBED, "").strip():
        values = _listed(perturbed)
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise DataError(
                f"{place}: expected {PERTURBED!r} as a list of texts, none blank (in CSV: a JSON array), got "
                f"{perturbed[:60]!r}"
            )
        if values:
            found[PERTURBED] = tuple(value.strip() for value in values)
    return found


def _listed(text: str) -> list[str]:
    try:
        values = json.loads(text) if text.startswith("[") else [text]
    except json.JSONDecodeError:
        return [text]
    return values if isinstance(values, list) else [text]
