"""Tasks: how an example is posed, and how an answer is read."""

from spul.tasks._base import TASKS, Generation, Task, build_task
from spul.tasks._free_text import FreeTextTask, PosedFreeText
from spul.tasks._scoring import score_split

__all__ = ["TASKS", "FreeTextTask", "Generation", "PosedFreeText", "Task", "build_task", "score_split"]
