"""Summaries of documents."""

from __future__ import annotations

from typing import ClassVar

from spul.tasks._base import TASKS
from spul.tasks._free_text import PosedFreeText

__all__ = ["Summarization"]


@TASKS.register("summarization")
class Summarization(PosedFreeText):
    """A summary of a ``document``, which is cut where it is too long. The generic answer is a neutral sentence."""

    name: ClassVar[str] = "summarization"
    document: ClassVar[str] = "document"
