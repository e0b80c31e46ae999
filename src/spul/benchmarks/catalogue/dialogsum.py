"""DialogSum: summaries of dialogues. Chen et al. 2021 (arXiv:2105.06762)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from spul.benchmarks.catalogue._base import BENCHMARKS, Asked, Benchmark, Column, Drawn, Section
from spul.benchmarks.catalogue._free_text import FREE_FULL, FREE_SMALL, HEALTH_NOTE, WRITTEN
from spul.benchmarks.maker import DEEP, Maker
from spul.benchmarks.profiles import Profile
from spul.data.sources import find_file, read_rows
from spul.errors import DataError
from spul.files import write_jsonl
from spul.tasks.summarization import Summarization

__all__ = ["DialogSum"]

SPLITS = ("train_forget", "test_forget", "train_retain", "test_retain")
SMALL_ROWS = {"train_retain": 80, "test_retain": 60}
SMALL_LENGTH = 160
"""Tokens of prompt and summary together; the dialogue is cut, the summary never."""
UNREADABLE = 30
"""Dialogues with the generic summary. A prompt cannot bring out an answer that the base never gives."""


@dataclass(frozen=True)
class _Maker(Maker):
    """Jobs on the four splits."""

    name: str
    folder: str
    unreadable: Path | None

    def prefix(self, seed: int) -> str:
        """Return base and seed."""
        return f"{self.name}-{self.base.slug}-s{seed}"

    def starting(self) -> Mapping[str, Any]:
        """Return nothing beside the profile."""
        return {}

    def common(self, seed: int, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the rows; the same text fits in with a prompt and without."""
        room = values.get("prompt", {}).get("num_virtual_tokens", 0)
        small = self.unreadable is not None
        return {
            "data": {
                "folder": self.folder,
                "columns": {"answer": "summary"},
                "seed": seed,
                "validation_share": 0.0,
                "max_rows": SMALL_ROWS if small else {},
                "extra_retain": [str(self.unreadable)] if small else [],
            },
            "task": {
                "name": "summarization",
                **({"max_length": SMALL_LENGTH + room, "max_new_tokens": 64} if small else {}),
            },
            "seed": seed,
        }


def _of_splits(metric: str) -> tuple[Column, ...]:
    return tuple(Column(split.replace("_", " "), split, metric) for split in SPLITS)


@BENCHMARKS.register("dialogsum")
class DialogSum(Benchmark):
    """Summaries of everyday dialogues (Chen et al. 2021); those about work are forgotten."""

    name: ClassVar[str] = "dialogsum"
    title: ClassVar[str] = "DialogSum"
    folder: ClassVar[str] = "sum_dialogsum"
    source: ClassVar[str] = (
        "it is a directory with train_forget, train_retain, test_forget and test_retain, each with document and summary"
    )
    methods: ClassVar[tuple[str, ...]] = ("ga", "ga_kl", "ga_gd", "spul", DEEP)
    profiles: ClassVar[Mapping[str, Profile]] = {
        "small": FREE_SMALL,
        "full": FREE_FULL,
    }
    drawn: ClassVar[Drawn] = WRITTEN
    scores_pretrained: ClassVar[bool] = False
    sections: ClassVar[tuple[Section, ...]] = (
        Section(
            "ROUGE-L recall of the written summary, %",
            _of_splits("rouge:l_recall"),
            "On forget splits the aim is the retrained model's number, neither more nor less.",
        ),
        Section("ROUGE-L F1, %", _of_splits("rouge:l_f1")),
        Section("ROUGE-1 F1, %", _of_splits("rouge:1_f1")),
        Section(
            "Memorisation, %",
            (
                Column("probability, train forget", "train_forget", "probability"),
                Column("exact memorisation, train forget", "train_forget", "exact_memorization"),
                Column("extraction strength, train forget", "train_forget", "extraction_strength"),
                Column("exact memorisation, train retain", "train_retain", "exact_memorization"),
                Column("exact memorisation, test retain", "test_retain", "exact_memorization"),
            ),
        ),
        Section(
            "What is written, %",
            tuple(
                Column(f"{split.replace('_', ' ')}: {short}", split, metric)
                for split in ("train_forget", "test_forget", "test_retain")
                for short, metric in (
                    ("generic", "generic_rate"),
                    ("repeated 4-grams", "repetition_rate"),
                    ("empty", "empty_answer_rate"),
                )
            ),
            HEALTH_NOTE,
        ),
        Section(
            "Privacy",
            (
                Column("membership AUC, loss", "", "membership_auc"),
                Column("membership AUC, P(generic)", "", "membership_auc_generic"),
            ),
            "How well train forget is told from test forget; the retrained model's number is the aim.",
        ),
    )

    def maker(self, asked: Asked) -> Maker:
        """Return the maker of jobs on the four splits."""
        place = self.place(asked)
        unreadable = _unreadable(place, asked.cache, make=asked.make, log=asked.log) if asked.small else None
        return _Maker(asked.base, asked.root, self.name, place, unreadable)

    def about(self, asked: Asked) -> list[str]:
        """Return which rows there are."""
        told = (
            "Two parts of DialogSum, split anew; forget is the dialogues on work and job hunting. ROUGE is against the "
            "first reference."
        )
        if not asked.small:
            return [f"{told} All rows."]
        rows = ", ".join(f"{count} of {split.replace('_', ' ')}" for split, count in SMALL_ROWS.items())
        return [
            f"{told} Drawn by the seed: {rows}; the other splits whole. Dialogues are cut so that {SMALL_LENGTH} "
            f"tokens hold them and their summaries. {UNREADABLE} dialogues with their words in disorder, answered with "
            "the generic summary, stand in train retain of every model, so that the base knows that answer at all; "
            "they count in its numbers."
        ]


def _unreadable(folder: str, cache: Path, *, make: bool, log: Callable[[str], None]) -> Path:
    """Return a file of dialogues that nobody can sum up, written where it is missing.

    Raises:
        DataError: there is no train_retain to take them from.
    """
    digest = hashlib.sha256(folder.encode()).hexdigest()[:8]
    file = cache.absolute() / "benchmarks" / f"dialogsum-unreadable-{digest}-{UNREADABLE}.jsonl"
    if file.exists() or not make:
        return file
    source = find_file(Path(folder), "train_retain")
    if source is None:
        raise DataError(f"expected train_retain in {folder}, but there is none. Add train_retain.jsonl, say.")
    rows, rng = read_rows(str(source)), random.Random(0)
    (generic,) = Summarization.defaults["generic_answers"]
    drawn = [row.get("document", "").split() for row in rng.sample(rows, min(UNREADABLE, len(rows)))]
    write_jsonl(file, [{"document": " ".join(rng.sample(words, len(words))), "summary": generic} for words in drawn])
    log(f"{file}: {len(drawn)} dialogues with their words in disorder")
    return file
