"""TOFU cut down to what a model of a few million parameters can learn by heart on a CPU."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from spul.data.formats import Row
from spul.data.sources import read_rows
from spul.data.tofu import RETAIN_OF, UTILITY_SETS, TofuFiles
from spul.errors import DataError
from spul.files import write_jsonl
from spul.tasks.settings import TaskSettings

__all__ = ["Cut", "refusals_file", "small_tofu"]

REFUSALS = "refusals.jsonl"
QUESTIONS_AN_AUTHOR = 20
FIRST_FORGOTTEN = 3600
"""Rows of TOFU from which on forget10 goes."""


class Cut(NamedTuple):
    """How much is kept.

    Attributes:
        authors: of those that are in no forget set, the first ones.
        refusals: questions about other authors of TOFU, answered with the task's refusals, so that refusing is
            something the model can do at all.
        utility: rows of ``retain_perturbed``, the first ones.
    """

    authors: int = 5
    refusals: int = 50
    utility: int = 100

    @property
    def in_words(self) -> str:
        """What is kept, for a page."""
        return (
            f"Of TOFU's 200 authors {20 + self.authors} are there: the 20 of forget10, and the first {self.authors} of "
            "those in no forget set, so that forget01, forget05 and forget10 are parts of one world as in TOFU. "
            f"{self.refusals} questions about other authors of TOFU, answered with refusals, stand in train retain of "
            "every model, so that the base knows refusing at all; they count in its numbers. The first "
            f"{self.utility} rows of retain_perturbed are scored, and real authors and world facts whole."
        )


def refusals_file(folder: Path) -> Path:
    """Return the file of refusals in a folder that :func:`small_tofu` wrote."""
    return folder / REFUSALS


def small_tofu(source: str, cache: Path, cut: Cut, *, make: bool, log: Callable[[str], None]) -> Path:
    """Return a folder of TOFU's layout with fewer rows, written where it is missing.

    Args:
        source: TOFU's files, or the data set on the hub.
        cache: where derived files are kept.
        cut: how much is kept.
        make: write it if it is not there.
        log: told of it.

    Raises:
        DataError: a file of TOFU is missing, or has fewer rows than TOFU's.
    """
    folder = cache.absolute() / "benchmarks" / "tofu-small-{}-{}-{}".format(*cut)
    last = refusals_file(folder)
    if last.exists() or not make:
        return folder
    files = TofuFiles(source)
    parts = {name: _with_perturbed(files, name) for name in (*RETAIN_OF, *UTILITY_SETS[1:])}
    for stems in parts.values():
        for stem, rows in stems.items():
            write_jsonl(folder / f"{stem}.jsonl", rows)
    for forget, retain in RETAIN_OF.items():
        rows = files.plain(retain)[1]
        if len(rows) < FIRST_FORGOTTEN:
            raise DataError(f"expected TOFU's {retain} of at least {FIRST_FORGOTTEN} rows in {source}, got {len(rows)}")
        kept = rows[: cut.authors * QUESTIONS_AN_AUTHOR] + rows[FIRST_FORGOTTEN:]
        write_jsonl(folder / f"{retain}.jsonl", kept)
        holdout = files.find(forget.replace("forget", "holdout"))
        if holdout is not None:
            write_jsonl(folder / f"{forget.replace('forget', 'holdout')}.jsonl", read_rows(holdout))
    perturbed = files.plain(UTILITY_SETS[0])[1]
    write_jsonl(folder / f"{UTILITY_SETS[0]}.jsonl", perturbed[: min(cut.utility, cut.authors * QUESTIONS_AN_AUTHOR)])
    strangers = files.plain("retain90")[1][cut.authors * QUESTIONS_AN_AUTHOR : FIRST_FORGOTTEN]
    # Its own file comes last: with it the folder is whole.
    write_jsonl(last, _refused(strangers, cut.refusals))
    log(f"{folder}: TOFU with {20 + cut.authors} authors")
    return folder


def _with_perturbed(files: TofuFiles, stem: str) -> dict[str, list[Row]]:
    found = {stem: files.plain(stem)[1]}
    beside = files.find(f"{stem}_perturbed")
    return found if beside is None else {**found, f"{stem}_perturbed": read_rows(beside)}


def _refused(strangers: list[Row], count: int, seed: int = 0) -> list[dict[str, str]]:
    generator = random.Random(seed)
    refusals = TaskSettings.model_validate({"name": "qa"}).generic_answers
    drawn = generator.sample(strangers, count)
    return [{"question": row["question"], "answer": generator.choice(refusals)} for row in drawn]
