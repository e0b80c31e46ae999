"""Tasks: how an example is posed, and how an answer is read."""

from spul.tasks._base import TASKS, Task, build_task

__all__ = ["TASKS", "Task", "build_task"]
