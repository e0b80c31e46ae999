"""Making a run's targets once, before its first step; a resumed run reads them again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from spul.errors import ConfigError, unknown_name
from spul.files import expand_path, file_digest
from spul.models.prompted import PromptedModel, WithoutPrompt
from spul.objectives.matched import Matched
from spul.runs import Run
from spul.tasks import Task
from spul.training.targets.asking import Made, Setting
from spul.training.targets.sources import from_checkpoint, from_heldout, from_pretrained, from_retrained, from_tfidf
from spul.training.targets.store import Targets, read_answers
from spul.types import Splits

__all__ = ["TARGET_FACT", "TARGET_FILE", "prepare_targets"]

logger = logging.getLogger(__name__)

TARGET_FACT = "target"
"""Key of the manifest's facts under which source, digests, calibration and the file's SHA-256 stand."""
TARGET_FILE = "targets.jsonl"

SOURCES: Mapping[str, Callable[[Setting], Made]] = {
    "tfidf": from_tfidf,
    "heldout": from_heldout,
    "pretrained": from_pretrained,
    "retrained": from_retrained,
}


def prepare_targets(run: Run, model: PromptedModel, task: Task, splits: Splits) -> Targets | None:
    """Return what every forget example is to be answered like; ``None`` where the objective asks for no target.

    They are written to ``targets.jsonl`` of the run, with what they were made from in its manifest.

    Args:
        run: locked by the caller.
        model: the base model, behind a prompt or with weights that nothing has changed yet.
        task: poses the examples.
        splits: the data; forget rows of training and of validation get a target.

    Raises:
        ConfigError: the source is unknown or missing, or the task has no answers to choose from.
        RunError: the stored targets do not read.
    """
    objective = run.config.objective
    if not isinstance(objective, Matched):
        return None
    trained = task.pose_all(splits.train_forget)
    if not all(query.candidates for query in trained):
        raise ConfigError(
            f"objective=matched needs answers to choose from, and task {run.config.task.name} answers in free text; "
            "use another objective"
        )
    forget = (*splits.train_forget, *splits.validation_forget)
    file = run.path / TARGET_FILE
    if _is_made(run, file):
        return Targets.build(read_answers(file), trained)
    logger.info("making the targets of %d forget rows from %s", len(forget), objective.source)
    base = WithoutPrompt(model)
    made = _make(
        Setting(run.config, task, splits, base, forget, len(trained), objective.calibration_rows), objective.source
    )
    answers = {example.id: row for example, row in zip(forget, made.answers, strict=True)}
    targets = Targets.build(answers, trained)
    targets.save(file)
    fact = {"source": objective.source, "n": len(forget), **made.facts, "sha256": file_digest(file)}
    run.record(facts={**run.manifest.facts, TARGET_FACT: fact})
    return targets


def _make(setting: Setting, source: str) -> Made:
    if source in SOURCES:
        return SOURCES[source](setting)
    if not Path(expand_path(source)).exists():
        raise ConfigError(
            f"objective.source: {unknown_name('source', source, SOURCES)}, or the path of a run or checkpoint, but "
            "there is nothing at that path"
        )
    return from_checkpoint(setting, source)


def _is_made(run: Run, file: Path) -> bool:
    fact = run.manifest.facts.get(TARGET_FACT)
    return fact is not None and file.exists() and file_digest(file) == fact["sha256"]
