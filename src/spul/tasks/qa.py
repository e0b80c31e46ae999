"""Questions with free answers. Maini et al. 2024 (TOFU, arXiv:2401.06121) pose them so."""

from __future__ import annotations

from typing import ClassVar

from spul.tasks._base import TASKS
from spul.tasks._free_text import PosedFreeText

__all__ = ["QA"]


@TASKS.register("qa")
class QA(PosedFreeText):
    """A free answer to a question, with or without a text to look it up in.

    Generic answers are refusals, one drawn for every forget question. A ``context`` in the template is cut where an
    input is too long; the question and the answer never are.
    """

    name: ClassVar[str] = "qa"
    document: ClassVar[str] = "context"
