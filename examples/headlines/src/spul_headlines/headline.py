"""The task ``headline``: an article is cut where it is too long, its headline never."""

from collections.abc import Mapping
from typing import Any, ClassVar

from spul.tasks import TASKS, PosedFreeText

__all__ = ["Headline"]


@TASKS.register("headline")
class Headline(PosedFreeText):
    """A headline for an article."""

    name: ClassVar[str] = "headline"
    document: ClassVar[str] = "article"
    template: ClassVar[str] = "### Article: {article}\n\n### Headline: {answer}"
    defaults: ClassVar[Mapping[str, Any]] = {"generic_answers": ("No headline.",), "max_new_tokens": 24}
