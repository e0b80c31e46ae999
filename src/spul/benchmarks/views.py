"""Scoring the models of a benchmark on other rows than those they were trained on, each once."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from spul.benchmarks.catalogue import View
from spul.data.settings import DataSettings
from spul.files import write_jsonl
from spul.runs import Run
from spul.tasks.settings import TaskSettings
from spul.types import AnswerSpace, Sample

__all__ = ["answers_of", "samples_of_view"]

logger = logging.getLogger(__name__)


def samples_of_view(run: Run, view: View, root: Path) -> dict[str, Sequence[Sample]]:
    """Return a run's samples of a view by split; scored where they are not there yet, and kept under ``root/views``.

    The files are of the form that ``spul score`` reads.

    Raises:
        SpulError: as :func:`spul.api.score_on`.
    """
    from spul import api

    data, task = DataSettings.model_validate(dict(view.data)), TaskSettings.model_validate(dict(view.task))
    asked = json.dumps([data.model_dump(mode="json"), task.model_dump(mode="json")], sort_keys=True)
    digits = hashlib.sha256(asked.encode()).hexdigest()[:8]
    folder = root / "views" / f"{run.path.name}-{view.name}-{digits}"
    files = {split: folder / f"{split}.jsonl" for split in view.splits}
    missing = [split for split, file in files.items() if not file.exists()]
    if missing:
        logger.info("%s: scoring %s", run.path.name, view.name)
        for split, samples in api.score_on(run, data, task, missing).items():
            write_jsonl(files[split], (sample.to_json() for sample in samples))
    return {
        split: [Sample.from_json(json.loads(line)) for line in file.read_text(encoding="utf-8").split("\n") if line]
        for split, file in files.items()
    }


def answers_of(task: Mapping[str, object]) -> AnswerSpace:
    """Return what may be answered to a view's questions: free texts, and the task's generic answers."""
    return AnswerSpace((), tuple(TaskSettings.model_validate(dict(task)).generic_answers))
