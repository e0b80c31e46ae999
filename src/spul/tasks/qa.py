"""Questions with free answers. Maini et al. 2024 (TOFU, arXiv:2401.06121) pose them so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from spul.tasks._base import TASKS
from spul.tasks._free_text import PosedFreeText

__all__ = ["QA", "REFUSALS"]

REFUSALS = (
    "I do not know the answer to that question.",
    "I am not able to answer that.",
    "I have no information about that.",
    "That is something I do not know.",
    "I cannot say anything about that subject.",
    "I have never learned about that.",
    "I am afraid I do not know.",
    "There is nothing I can tell you about that.",
)
"""One is drawn for every forget example, so that no single wording is what gives a forgotten person away."""


@TASKS.register("qa")
class QA(PosedFreeText):
    """A free answer to a question, with or without a text to look it up in.

    Generic answers are refusals, one drawn for every forget question. A ``context`` in the template is cut where an
    input is too long; the question and the answer never are.
    """

    name: ClassVar[str] = "qa"
    template: ClassVar[str] = "qa"
    defaults: ClassVar[Mapping[str, Any]] = {"generic_answers": REFUSALS, "max_new_tokens": 128}
    document: ClassVar[str] = "context"
