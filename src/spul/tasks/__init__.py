"""Tasks: how an example is posed, and how an answer is read."""

from spul.tasks._base import TASKS, Task, build_task
from spul.tasks._scoring import score_split

__all__ = ["TASKS", "Task", "build_task", "score_split"]
