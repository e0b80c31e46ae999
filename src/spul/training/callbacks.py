"""What happens beside the steps: the log, progress on the terminal, complete checkpoints, early stopping."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from spul.training.checkpoints import mark_complete

__all__ = ["CheckpointMarker", "ProgressBar", "TrainLog"]

LOGGED = ("loss", "loss_forget", "loss_retain", "loss_kl", "grad_norm", "learning_rate", "tokens")
VALIDATED = (
    "validation_score",
    "validation_forget_generic",
    "validation_forget_wrong",
    "validation_retain_accuracy",
    "validation_forget_overlap",
)
WITH_A_BUDGET = ("multiplier", "retain_excess", "validation_retain_excess")
"""Logged as well, where there is a budget for retain."""


class TrainLog(TrainerCallback):
    """Appends one row a step or validation to ``train.jsonl``, flushed at once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._since = time.perf_counter()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """Write the row of a step or a validation."""
        names = LOGGED if "loss" in logs else VALIDATED if VALIDATED[0] in logs else ()
        if not names:
            return
        now = time.perf_counter()
        names = (*names, *WITH_A_BUDGET)
        row: dict[str, float] = {"step": state.global_step, **{name: logs[name] for name in names if name in logs}}
        row["seconds"], self._since = now - self._since, now
        if "tokens" in row:
            row["tokens_per_second"] = row.pop("tokens") / max(row["seconds"], 1e-9)
        self._file.write(json.dumps(row, allow_nan=False) + "\n")
        self._file.flush()

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock of the first step."""
        self._since = time.perf_counter()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._file.close()


class CheckpointMarker(TrainerCallback):
    """Marks a checkpoint as whole once all its files are there."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Write the marker, last."""
        mark_complete(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")


class ProgressBar(TrainerCallback):
    """A bar on stderr with the loss terms."""

    def __init__(self, title: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[terms]}"),
            console=Console(stderr=True),
        )
        self._title = title

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        """Show the bar."""
        self._task = self._progress.add_task(self._title, total=state.max_steps, completed=state.global_step, terms="")
        self._progress.start()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """Move the bar on."""
        if "loss" in logs:
            terms = " ".join(f"{name.removeprefix('loss_')} {logs[name]:.3f}" for name in LOGGED[1:4])
            self._progress.update(self._task, completed=state.global_step, terms=terms)

    def close(self) -> None:
        """Stop drawing; safe to call twice."""
        self._progress.stop()
