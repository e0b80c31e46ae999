"""SST-2, sentiment: what is hidden about named persons, and whether it is the name that is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from spul.benchmarks.catalogue._base import BENCHMARKS, Asked, Column, Section
from spul.benchmarks.catalogue._four_splits import FourSplits
from spul.benchmarks.maker import DEEP, Arm
from spul.benchmarks.plan import DatasetMaker
from spul.benchmarks.profiles import PAPER, SMALL, Profile, Sizes, merged
from spul.data.sources import find_file

__all__ = ["SST2"]

TRIED_STEPS = 20
"""Every method but match mode tries three learning rates for as many steps, judged on the validation parts of train."""
UNSEEN = 8000

NAMES: Mapping[str, Any] = {"data": {"contrast": {"retain_rows": 2.0, "forget_rows": 1.0}}}
BEHIND_A_GATE: Mapping[str, Any] = {
    # The gate learns from them; the prompt need not tell names, since what it is asked has one.
    "data": {"contrast": {"retain_rows": 1.0}},
    "retain": {"alpha": 0.1, "beta": 0.1},
    "train": {"max_steps": 150},
}
GATE: Mapping[str, Any] = {"scope": {"name": "gate", "epsilon": 0.005}}
MATCHED: Mapping[str, Any] = {
    "data": {"contrast": {"retain_rows": 1.0}},
    "objective": {"source": "tfidf"},
    "prompt": {"num_virtual_tokens": 128},
    # What the base has learned by heart comes undone slowly, and only where little pulls the other way; the gate keeps
    # the rest. One rate, since tries of so few steps say nothing of so many.
    "retain": {"alpha": 0.0, "beta": 0.1},
    "train": {
        "max_steps": 1200,
        "batch_size": 40,
        "forget_ratio": 0.8,
        "learning_rate": 0.1,
        "learning_rate_search": [],
    },
}
TRIED: Mapping[str, Any] = {"data": {"validation_share": 0.1}, "train": {"search_max_steps": TRIED_STEPS}}

SMALL_SST2: Profile = replace(
    SMALL,
    sizes={
        "sst2": Sizes(
            {"train_retain": 2000, "test_retain": 1000},
            generic_rows=300,
            max_length=128,
            epochs=4,
            steps=250,
            scored=300,
        )
    },
    # The same rows for all, and validation rows that no model has learned by heart.
    finetune=merged(SMALL.finetune, {"data": {"validation_share": 0.1}, "train": {"keep": "last"}}),
    prompt=merged(
        SMALL.prompt,
        TRIED,
        {
            "prompt": {"num_virtual_tokens": 64},
            "retain": {"alpha": 1.0, "beta": 1.0},
            "train": {"batch_size": 32, "forget_ratio": 0.4, "average_last": 30},
        },
    ),
    input_prompt=merged(SMALL.input_prompt, {"train": {"learning_rate_search": [0.01, 0.03, 0.1]}}),
    deep_prompt=merged(SMALL.deep_prompt, {"train": {"learning_rate_search": [0.02, 0.05, 0.1]}}),
    weights=merged(SMALL.weights, TRIED),
    rates={
        "*": (3e-5, 1e-4, 3e-4),
        "ga_kl": (3e-4, 1e-3, 3e-3),
        "ga_gd": (3e-4, 1e-3, 3e-3),
    },
)


@dataclass(frozen=True)
class NamesMaker(DatasetMaker):
    """Jobs that are all asked about other names too, and gates that know every retain row there is."""

    def common(self, seed: int, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the data set's own maker does, and what of the same folder the arm needs beside."""
        found = merged(super().common(seed, values), {"data": {"contrast": {"evaluate": True}}})
        file = find_file(self.data.folder(self.data_root), "train_retain")
        if file is None:
            return found
        if "scope" in values:
            found = merged(found, {"scope": {"retain": [str(file.absolute())]}})
        if "objective" in values:
            # The rows that this run and its base have anyway are left out of them.
            data = {"unseen_retain": [str(file.absolute())], "max_rows": {"unseen_retain": UNSEEN}}
            found = merged(found, {"data": data})
        return found


@BENCHMARKS.register("sst2")
class SST2(FourSplits):
    """Sentiment of film reviews (Socher et al. 2013); named persons are forgotten. Bhaila et al. 2025."""

    name: ClassVar[str] = "sst2"
    title: ClassVar[str] = "SST-2, sentiment"
    folder: ClassVar[str] = "sst2_entity"
    source: ClassVar[str] = "it is a directory with train_forget, train_retain, test_forget and test_retain"
    datasets: ClassVar[tuple[str, ...]] = ("sst2_entity", "sst2_spul")
    subsets: ClassVar[tuple[str, ...]] = datasets
    methods: ClassVar[tuple[str, ...]] = (
        *("ga", "rl", "ga_kl", "ga_gd", "rl_gd"),
        *("spul", DEEP, "spul_suffix", "spul_names", "spul_deep_names", "spul_deep_gate", "spul_deep_matched"),
    )
    arms: ClassVar[Mapping[str, Arm]] = {
        arm.name: arm
        for arm in (
            Arm("rl_gd", "rl", {"retain": {"alpha": 1.0}}, "RL + GD"),
            Arm(
                "spul_suffix",
                "spul",
                {"prompt": {"placement": "suffix"}},
                "SPUL, input level, behind the text",
                short="suffix",
            ),
            Arm(
                "spul_names",
                "spul",
                merged(NAMES, GATE),
                "SPUL, input level, contrast rows",
                short="input, contrast",
            ),
            Arm(
                "spul_deep_names",
                "spul",
                merged(NAMES, GATE),
                "SPUL, deep, contrast rows",
                deep=True,
                short="deep, contrast",
            ),
            Arm(
                "spul_deep_gate",
                "spul",
                merged(BEHIND_A_GATE, GATE),
                "SPUL, deep, made for a gate (α = β = 0.1)",
                deep=True,
                short="deep, α = 0.1",
            ),
            Arm(
                "spul_deep_matched",
                "spul_matched",
                merged(MATCHED, GATE),
                "SPUL, deep, match mode",
                deep=True,
                short="deep, match mode",
            ),
        )
    }
    profiles: ClassVar[Mapping[str, Profile]] = {"small": SMALL_SST2, "full": PAPER}
    sections: ClassVar[tuple[Section, ...]] = (
        *FourSplits.sections,
        Section(
            "Whose name, or what kind of text? Generic answers, %",
            (
                Column("test forget", "test_forget", "generic_rate"),
                Column("the same with other names", "test_forget_replaced", "generic_rate"),
                Column("test retain as long as test forget", "test_retain", "generic_rate_length_matched"),
                Column("test retain", "test_retain", "generic_rate"),
            ),
            "A prompt that hides persons leaves the last three where the base has them.",
        ),
        Section(
            "What the gate lets the prompt answer, %",
            (
                *(
                    Column(split.replace("_", " "), split, "gate_rate")
                    for split in ("train_forget", "test_forget", "train_retain", "test_retain")
                ),
                Column("test forget with other names", "test_forget_replaced", "gate_rate"),
            ),
            "Removing the prompt gives the base, to the last bit: its row is what removal restores.",
        ),
    )

    def maker(self, asked: Asked) -> NamesMaker:
        """Return the maker of jobs on the data set's folder."""
        made = super().maker(asked)
        return NamesMaker(made.base, made.root, made.data, made.data_root, made.generic)
