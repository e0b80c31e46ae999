"""The models that tables start from: the project's own small ones, built where they are missing, or any by its name."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spul.benchmarks.datasets import Dataset
from spul.benchmarks.profiles import PAPER, SMALL, Profile, Sizes
from spul.benchmarks.small_lm.build import RECORD, build, use_one_core
from spul.benchmarks.small_lm.neutral import Settings
from spul.benchmarks.small_lm.neutral import build as build_neutral
from spul.benchmarks.small_lm.recipe import Recipe
from spul.data.sources import find_file, read_rows
from spul.errors import DataError
from spul.files import write_jsonl

__all__ = ["SMALL_BASES", "Base", "base_called", "generic_rows"]

Log = Callable[[str], None]

SMALL_BASES = {
    "small": Recipe(),
    "smaller": Recipe(hidden_size=128, intermediate_size=256, layers=3, heads=2),
}
"""Name on the command line → recipe; 4.2 and 1.3 million parameters."""


@dataclass(frozen=True)
class Base:
    """A model to start from.

    Attributes:
        name: as on the command line.
        path: directory or hub id.
        profile: the settings that suit it.
    """

    name: str
    path: str
    profile: Profile

    @property
    def slug(self) -> str:
        """The name as a part of file names."""
        return "".join(
            sign if sign.isalnum() or sign in "-._" else "-" for sign in self.name.rstrip("/").split("/")[-1]
        )


def base_called(
    name: str, *, data_root: Path, cache: Path, profile: Profile | None = None, make: bool = True, log: Log
) -> Base:
    """Return a base by its name: ``small``, ``smaller``, or what ``from_pretrained`` takes.

    Args:
        name: as on the command line.
        data_root: where the text is that a small base is made from.
        cache: where small bases are kept.
        profile: in place of the one that suits the base.
        make: build a small base that is not there; takes one core for ten minutes.
        log: told what is being built.

    Raises:
        DataError: the text is missing.
    """
    if name not in SMALL_BASES:
        # A relative directory must mean the same in every worker process.
        path = str(Path(name).absolute()) if Path(name).is_dir() else name
        return Base(name, path, profile or PAPER)
    folder = (cache / ("small-lm" if name == "small" else f"small-lm-{name}")).absolute()
    if make and not (folder / RECORD).exists():
        log(f"building the {name} base in {folder}, once: about ten minutes of one core")
        use_one_core()
        build(data_root, folder, SMALL_BASES[name], command=f"spul reproduce --base {name}", log=log)
    return Base(name, str(folder), profile or SMALL)


def generic_rows(data: Dataset, sizes: Sizes, *, data_root: Path, cache: Path, make: bool = True, log: Log) -> Path:
    """Return a file of rows whose truth is the generic answer, made where it is missing.

    A prompt cannot bring out an answer that the base never gives. For sentiment these are sentences without any; for
    multiple choice, retain questions among the options of other questions, none of which is right.

    Args:
        data: whose questions they are like.
        sizes: how many.
        data_root: where data sets are.
        cache: where the rows are kept.
        make: write them if they are not there.
        log: told of files.
    """
    if data.task == "classification":
        folder = cache.absolute() / "generic" / f"neutral-{sizes.generic_rows}"
        file = folder / "train_neutral.csv.gz"
        if make and not file.exists():
            build_neutral(data_root, folder, Settings(train_rows=sizes.generic_rows, test_rows=10), log=log)
        return file
    # Rows of another folder are other rows.
    place = "" if data.at is None else f"-{hashlib.sha256(data.at.encode()).hexdigest()[:8]}"
    file = cache.absolute() / "generic" / f"{data.name}{place}-{sizes.generic_rows}.jsonl"
    if make and not file.exists():
        write_jsonl(file, _questions_without_answer(data.folder(data_root), sizes.generic_rows))
        log(f"{file}: {sizes.generic_rows} rows")
    return file


def _questions_without_answer(folder: Path, count: int, seed: int = 0) -> list[dict[str, object]]:
    source = find_file(folder, "train_retain")
    rows = read_rows(str(source)) if source is not None else []
    if len(rows) < 2 * count:
        raise DataError(f"expected at least {2 * count} questions in train_retain of {folder}, found {len(rows)}")
    drawn = random.Random(seed).sample(rows, 2 * count)
    # Options come from a question that is not asked here, so none of them answers this one.
    return [
        {**asked, "choices": json.loads(str(other["choices"])), "answer": "unknown"}
        for asked, other in zip(drawn[:count], drawn[count:], strict=True)
    ]
