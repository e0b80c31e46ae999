"""MUSE: texts that were learned word by word. Shi et al. 2024 (arXiv:2407.06460)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from spul.benchmarks.catalogue._base import BENCHMARKS, Asked, Benchmark, Column, Section, View
from spul.benchmarks.catalogue._free_text import FREE_FULL, FREE_SMALL, HEALTH_NOTE
from spul.benchmarks.catalogue._muse_files import muse_files
from spul.benchmarks.maker import DEEP, Maker
from spul.benchmarks.profiles import Profile, merged
from spul.data.sources import read_rows
from spul.data.templates import escaped

__all__ = ["Muse"]

WORKED = 5
"""Worked examples in front of a question, where there are any."""
STOP = ("\n\n", "\nQuestion", "Question:")


@dataclass(frozen=True)
class Lengths:
    """Sizes in words and tokens.

    Attributes:
        words: of a piece of text.
        tokens: of a piece at most, as far as it is trained on.
        prefix: tokens that are shown for VerbMem.
        verbatim: tokens that are to follow.
        answer: tokens of an answer that is written for KnowMem.
    """

    words: int
    tokens: int
    prefix: int
    verbatim: int
    answer: int = 32


SMALL = Lengths(words=60, tokens=128, prefix=24, verbatim=48)
FULL = Lengths(words=700, tokens=2048, prefix=200, verbatim=128)


@dataclass(frozen=True)
class _Maker(Maker):
    """Jobs on one corpus: whole pieces are learned, from their first token on."""

    name: str
    folder: str
    lengths: Lengths

    evaluated: ClassVar[bool] = False

    def prefix(self, seed: int) -> str:
        """Return corpus, base and seed."""
        return f"{self.name}-{self.base.slug}-s{seed}"

    def starting(self) -> Mapping[str, Any]:
        """Return nothing beside the profile."""
        return {}

    def common(self, seed: int, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the texts; the same rows serve as test sides, since MUSE has none."""
        return {"data": {**texts(self.folder), "seed": seed}, "task": pieces(self.lengths), "seed": seed}


def texts(folder: str) -> dict[str, Any]:
    """Return the settings of a folder's texts."""
    forget, retain, holdout = (str(Path(folder) / f"{stem}.jsonl") for stem in ("forget", "retain", "holdout"))
    return {
        **{"forget": forget, "retain": retain, "test_forget": forget, "test_retain": retain, "holdout": holdout},
        "validation_share": 0.0,
        "overlap": "drop_retain",
    }


def pieces(lengths: Lengths) -> dict[str, Any]:
    """Return how a piece is posed whole: one token is shown."""
    return {"name": "completion", "prefix_tokens": 1, "suffix_tokens": lengths.tokens, "max_new_tokens": 1}


@BENCHMARKS.register("muse")
class Muse(Benchmark):
    """News or books learned word by word: verbatim memory, knowledge and privacy (Shi et al. 2024)."""

    name: ClassVar[str] = "muse"
    title: ClassVar[str] = "MUSE"
    folder: ClassVar[str] = "muse"
    source: ClassVar[str] = "or take --data hf:muse-bench/MUSE-News (or MUSE-Books) where the network allows"
    methods: ClassVar[tuple[str, ...]] = ("ga", "ga_kl", "ga_gd", "spul", DEEP)
    profiles: ClassVar[Mapping[str, Profile]] = {
        "small": FREE_SMALL,
        # MUSE's own fine-tuning of the news target: five epochs at 1e-5, batches of 32.
        "full": replace(FREE_FULL, finetune=merged(FREE_FULL.finetune, {"train": {"learning_rate": 1e-5}})),
    }
    scores_pretrained: ClassVar[bool] = False
    sections: ClassVar[tuple[Section, ...]] = (
        Section(
            "Verbatim memory, knowledge and privacy",
            (
                Column("VerbMem on forget", "verbatim:train_forget", "verbmem"),
                Column("KnowMem on forget", "knowledge:train_forget", "knowmem"),
                Column("PrivLeak", "privacy:", "privleak:members_lower"),
                Column("KnowMem on retain", "knowledge:train_retain", "knowmem"),
            ),
            "VerbMem and KnowMem in per cent. The aim is the retrained model's number, and for PrivLeak 0 (the sign is "
            "MUSE's: below 0 members are still told apart, above it the other way round).",
        ),
        Section(
            "Verbatim memory, %",
            (
                Column("exact memorisation, forget", "verbatim:train_forget", "exact_memorization"),
                Column("extraction strength, forget", "verbatim:train_forget", "extraction_strength"),
                Column("memorisation accuracy, forget", "verbatim:train_forget", "memorization_accuracy"),
                Column("VerbMem, retain", "verbatim:train_retain", "verbmem"),
                Column("VerbMem, holdout", "verbatim:holdout", "verbmem"),
            ),
        ),
        Section(
            "What is written, %",
            (
                Column("repeated 4-grams, forget", "verbatim:train_forget", "repetition_rate"),
                Column("repeated 4-grams, retain", "verbatim:train_retain", "repetition_rate"),
                Column("empty, forget", "verbatim:train_forget", "empty_answer_rate"),
                Column("empty, retain", "verbatim:train_retain", "empty_answer_rate"),
            ),
            HEALTH_NOTE,
        ),
        Section("PrivLeak, the other sign", (Column("members higher", "privacy:", "privleak:members_higher"),)),
    )

    def maker(self, asked: Asked) -> Maker:
        """Return the maker of jobs on the texts."""
        return _Maker(asked.base, asked.root, self.name, str(self._files(asked)), self._lengths(asked))

    def views(self, asked: Asked) -> tuple[View, ...]:
        """Return MUSE's three ways of asking."""
        folder, lengths = str(self._files(asked)), self._lengths(asked)
        verbatim = {
            "name": "completion",
            "prefix_tokens": lengths.prefix,
            "suffix_tokens": lengths.verbatim,
            "max_new_tokens": lengths.verbatim,
        }
        questions = [str(Path(folder) / f"knowmem_{side}.jsonl") for side in ("forget", "retain")]
        knowledge = {
            **dict(zip(("forget", "retain"), questions, strict=True)),
            **dict(zip(("test_forget", "test_retain"), questions, strict=True)),
            "validation_share": 0.0,
            "overlap": "keep",
        }
        asking = {
            "name": "qa",
            "template": f"{_worked(Path(folder))}Question: {{question}}\nAnswer: {{answer}}",
            "max_new_tokens": lengths.answer,
            "stop": STOP,
        }
        return (
            View("verbatim", texts(folder), verbatim, ("train_forget", "train_retain", "holdout")),
            View("knowledge", knowledge, asking, ("train_forget", "train_retain")),
            View("privacy", texts(folder), pieces(lengths), ("train_forget", "holdout")),
        )

    def about(self, asked: Asked) -> list[str]:
        """Return how texts are cut and asked for."""
        lengths = self._lengths(asked)
        return [
            f"Texts are cut into pieces of {lengths.words} words. VerbMem shows {lengths.prefix} tokens of a piece and "
            f"compares up to {lengths.verbatim} tokens that follow; KnowMem asks with up to {WORKED} worked examples "
            f"in front and takes {lengths.answer} tokens. PrivLeak is over whole pieces. Base and retrained model are "
            "trained on pieces alone, so questions are a form that they never saw."
        ]

    def _lengths(self, asked: Asked) -> Lengths:
        return SMALL if asked.small else FULL

    def _files(self, asked: Asked) -> Path:
        return muse_files(self.place(asked), asked.cache, self._lengths(asked).words, make=asked.make, log=asked.log)


def _worked(folder: Path) -> str:
    """Return worked examples as the beginning of a template; nothing where there are none."""
    file = folder / "knowmem_forget_icl.jsonl"
    rows = read_rows(str(file))[:WORKED] if file.exists() else []
    return "".join(f"Question: {escaped(row['question'])}\nAnswer: {escaped(row['answer'])}\n\n" for row in rows)
