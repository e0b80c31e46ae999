"""Summaries of documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from spul.tasks._base import TASKS
from spul.tasks._free_text import PosedFreeText

__all__ = ["Summarization"]


@TASKS.register("summarization")
class Summarization(PosedFreeText):
    """A summary of a ``document``, which is cut where it is too long. The generic answer is a neutral sentence."""

    name: ClassVar[str] = "summarization"
    template: ClassVar[str] = "summarization"
    defaults: ClassVar[Mapping[str, Any]] = {
        "generic_answers": ("The text cannot be summarized.",),
        "max_new_tokens": 128,
    }
    document: ClassVar[str] = "document"
