"""TOFU: questions about fictitious authors. Maini et al. 2024 (arXiv:2401.06121)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from spul.benchmarks.catalogue._base import BENCHMARKS, Asked, Benchmark, Column, Drawn, Section
from spul.benchmarks.catalogue._free_text import FREE_FULL, FREE_SMALL, HEALTH_NOTE, WRITTEN
from spul.benchmarks.catalogue._tofu_small import Cut, refusals_file, small_tofu
from spul.benchmarks.maker import DEEP, Maker
from spul.benchmarks.profiles import Profile, merged
from spul.data.tofu import RETAIN_OF, TofuFiles

__all__ = ["Tofu"]

FORGET = "train_forget"
CUT = Cut()
LARGEST = "forget10"
SMALL_ROWS = {"test_forget": 100, "test_retain": 100, "holdout": 100}


@dataclass(frozen=True)
class _Maker(Maker):
    """Jobs on one subset."""

    folder: str
    subset: str
    small: bool

    shares_base: ClassVar[bool] = True

    def prefix(self, seed: int) -> str:
        """Return subset, base and seed."""
        return f"tofu-{self.subset}-{self.base.slug}-s{seed}"

    def starting(self) -> Mapping[str, Any]:
        """Return nothing beside the profile."""
        return {}

    def common_of_base(self, seed: int, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the rows of any subset: together they are all of TOFU, so one base stands behind every forget set."""
        return replace(self, subset=LARGEST).common(seed, values)

    def common(self, seed: int, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the subset's rows; no validation part, since all of forget is to be learned and forgotten."""
        extra = [str(refusals_file(Path(self.folder)))] if self.small else []
        return {
            "data": {
                "folder": self.folder,
                "benchmark": "tofu",
                "subset": self.subset,
                "seed": seed,
                "validation_share": 0.0,
                "extra_retain": extra,
                "max_rows": SMALL_ROWS if self.small else {},
            },
            "task": {"name": "qa"},
            "seed": seed,
        }


@BENCHMARKS.register("tofu")
class Tofu(Benchmark):
    """Questions about fictitious authors, of whom one, five or ten per cent are forgotten (Maini et al. 2024)."""

    name: ClassVar[str] = "tofu"
    title: ClassVar[str] = "TOFU"
    folder: ClassVar[str] = "tofu"
    source: ClassVar[str] = "or take --data hf:locuslab/TOFU where the network allows"
    subsets: ClassVar[tuple[str, ...]] = ("forget05", "forget01", "forget10")
    methods: ClassVar[tuple[str, ...]] = ("ga", "ga_kl", "ga_gd", "spul", DEEP)
    profiles: ClassVar[Mapping[str, Profile]] = {
        "small": FREE_SMALL,
        # TOFU's own fine-tuning: five epochs at 1e-5, batches of 32, weight decay 0.01.
        "full": replace(
            FREE_FULL,
            finetune=merged(
                FREE_FULL.finetune,
                {"trainable": "all", "train": {"learning_rate": 1e-5, "num_epochs": 5, "weight_decay": 0.01}},
            ),
        ),
    }
    drawn: ClassVar[Drawn] = WRITTEN
    scores_pretrained: ClassVar[bool] = False
    sections: ClassVar[tuple[Section, ...]] = (
        Section(
            "Forget set, and what is left of everything else",
            (
                Column("forget quality (p)", FORGET, "forget_quality"),
                Column("model utility", "", "model_utility"),
                Column("ROUGE-L recall", FORGET, "rouge:l_recall"),
                Column("probability", FORGET, "probability"),
                Column("truth ratio", FORGET, "truth_ratio:geometric"),
                Column("exact memorisation", FORGET, "exact_memorization"),
                Column("extraction strength", FORGET, "extraction_strength"),
                Column("refusals", FORGET, "generic_rate"),
            ),
            "In per cent but for forget quality, the p-value of a test whether truth ratios differ from the retrained "
            "model's: TOFU calls a model forgotten above 0.05. On the forget set the aim is the retrained model's "
            "number, neither more nor less. Truth ratio: geometric, mean of min(R, 1/R). Refusals: arg-max at every "
            "token.",
        ),
        Section(
            "The nine numbers of model utility, %",
            tuple(
                Column(f"{split.replace('_', ' ')}: {short}", split, metric)
                for split, probability in (
                    ("retain_perturbed", "probability"),
                    ("real_authors", "normalised_probability"),
                    ("world_facts", "normalised_probability"),
                )
                for short, metric in (
                    ("P", probability),
                    ("ROUGE-L", "rouge:l_recall"),
                    ("truth ratio", "truth_ratio:geometric"),
                )
            ),
            "Utility is their harmonic mean. P is normalised over the false answers on real authors and world facts; "
            "truth ratio: mean of max(0, 1 − R).",
        ),
        Section(
            "The same questions in other words, which no model trained on, %",
            tuple(
                Column(f"{split.replace('test_', '')}: {short}", split, metric)
                for split in ("test_forget", "test_retain")
                for short, metric in (
                    ("ROUGE-L", "rouge:l_recall"),
                    ("probability", "probability"),
                    ("exact memorisation", "exact_memorization"),
                    ("refusals", "generic_rate"),
                )
            ),
        ),
        Section(
            "Other forms of the same measures, forget set",
            (
                Column("truth ratio, arithmetic", FORGET, "truth_ratio:arithmetic"),
                Column("normalised probability", FORGET, "normalised_probability"),
                Column("ROUGE-L F1", FORGET, "rouge:l_f1"),
                Column("ROUGE-1 recall", FORGET, "rouge:1_recall"),
                Column("KnowMem (ROUGE-L F1, not stemmed)", FORGET, "knowmem"),
                Column("perplexity", FORGET, "perplexity"),
            ),
            "In per cent but for perplexity.",
        ),
        Section(
            "Privacy",
            (
                Column("PrivLeak, members lower", "", "privleak:members_lower"),
                Column("PrivLeak, members higher", "", "privleak:members_higher"),
                Column("membership AUC, loss", "", "membership_auc"),
                Column("membership AUC, P(refusal)", "", "membership_auc_generic"),
            ),
            "PrivLeak: per cent by which the AUC of forget against holdout (Min-40 %) differs from the retrained "
            "model's; 0 is the aim; the two conventions differ in the AUC's sign. The other two tell train forget from "
            "the same questions in other words; the retrained model's number is the aim.",
        ),
        Section(
            "What is written, %",
            tuple(
                Column(f"{split.replace('_', ' ')}: {short}", split, metric)
                for split in (FORGET, "train_retain", "real_authors")
                for short, metric in (
                    ("repeated 4-grams", "repetition_rate"),
                    ("empty", "empty_answer_rate"),
                    ("refusals", "generic_rate"),
                )
            ),
            HEALTH_NOTE,
        ),
        Section(
            "Train retain, %",
            (
                Column("ROUGE-L recall", "train_retain", "rouge:l_recall"),
                Column("probability", "train_retain", "probability"),
                Column("exact memorisation", "train_retain", "exact_memorization"),
                Column("extraction strength", "train_retain", "extraction_strength"),
            ),
        ),
    )

    def maker(self, asked: Asked) -> Maker:
        """Return the maker of jobs on a subset of TOFU, cut down for a small base."""
        place = self.place(asked)
        assert asked.subset is not None
        TofuFiles(place).check(asked.subset)
        if asked.small:
            place = str(small_tofu(place, asked.cache, CUT, make=asked.make, log=asked.log))
        return _Maker(asked.base, asked.root, place, asked.subset, asked.small)

    def about(self, asked: Asked) -> list[str]:
        """Return which rows there are."""
        assert asked.subset is not None
        rows = f"`{asked.subset}` is forgotten, `{RETAIN_OF[asked.subset]}` kept."
        if not asked.small:
            return [f"{rows} All rows of TOFU."]
        splits = ", ".join(f"{count} rows of {split.replace('_', ' ')}" for split, count in SMALL_ROWS.items())
        return [f"{rows} {CUT.in_words} Drawn by the seed: {splits}. All of train forget is scored."]
