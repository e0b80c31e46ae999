"""Teacher's answers that later runs find again, by the digest of the base, the rows and how they were computed.

Files in ``$SPUL_CACHE/teacher`` (``~/.cache/spul/teacher``) are whole or not there, so processes may read and write at
the same time: two that begin together compute the same. A damaged file is computed anew, with a warning; a store that
cannot be written to is done without.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from spul.errors import RunError
from spul.files import cache_directory
from spul.models.prompted import PromptedModel
from spul.models.teacher import TeacherAnswers, rows_digest
from spul.types import Query

__all__ = ["stored_teacher"]

logger = logging.getLogger(__name__)

MOST_BYTES = 2**31
"""What the store may hold; the files that were not used for longest go first."""


def stored_teacher(
    path: Path,
    model: PromptedModel,
    queries: Sequence[Query],
    base_digest: str,
    *,
    batch_size: int,
    compute: Callable[[], TeacherAnswers],
) -> TeacherAnswers:
    """Return what an earlier run on the same base and rows computed, else ``compute()``, and write it to ``path``.

    Args:
        path: the run's own file, which a resumed run reads. It shares its bytes with the store's where the file system
            can do that.
        model: whose base is the teacher.
        queries: posed retain examples.
        base_digest: of the base model.
        batch_size: rows of one pass; other batches may round otherwise, so that it is part of the digest.
        compute: runs the model.
    """
    stored = cache_directory() / "teacher" / f"{_key(model, queries, base_digest, batch_size)}.safetensors"
    found = _read(stored, base_digest, queries)
    if found is not None:
        logger.info("the base model's answers on %d retain rows are known from an earlier run", len(queries))
        _share(stored, path, found)
        return found
    answers = compute()
    answers.save(path)
    try:
        stored.parent.mkdir(parents=True, exist_ok=True)
        _share(path, stored, answers)
        _keep_small(stored.parent)
    except OSError as error:
        logger.warning("the base model's answers are not kept for later runs: %s", error)
    return answers


def _read(stored: Path, base_digest: str, queries: Sequence[Query]) -> TeacherAnswers | None:
    if not stored.exists():
        return None
    try:
        found = TeacherAnswers.load(stored, base_digest, queries)
        os.utime(stored)
    except (RunError, OSError) as error:
        logger.warning("computing the base model's answers anew, since those of an earlier run are damaged: %s", error)
        return None
    return found


def _share(source: Path, target: Path, answers: TeacherAnswers) -> None:
    """Let ``target`` be what ``source`` is, atomically: the same file where that can be, else one more."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".teacher-") as directory:
        beside = Path(directory) / target.name
        try:
            os.link(source, beside)
        except OSError:
            answers.save(beside)
        shutil.move(beside, target)


def _keep_small(directory: Path) -> None:
    files = sorted(((file.stat(), file) for file in directory.glob("*.safetensors")), key=lambda pair: pair[0].st_mtime)
    total = sum(facts.st_size for facts, _ in files)
    # What was written last stays in any case.
    for facts, file in files[:-1]:
        if total <= MOST_BYTES:
            break
        file.unlink(missing_ok=True)
        total -= facts.st_size


def _key(model: PromptedModel, queries: Sequence[Query], base_digest: str, batch_size: int) -> str:
    how = [1, base_digest, model.device.type, torch.__version__, torch.get_num_threads(), batch_size]
    return hashlib.sha256(json.dumps([*how, rows_digest(queries)]).encode()).hexdigest()
