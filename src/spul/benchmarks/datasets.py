"""The data sets that tables are run on: where their rows are, how they are read, which of the paper's they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from spul.errors import ConfigError, DataError, unknown_name

__all__ = ["DATASETS", "Dataset", "dataset"]

SENTIMENT: Mapping[str, Any] = {
    "columns": {"answer": "label"},
    "label_names": {"0": "negative", "1": "positive", "neutral": "neutral"},
}


@dataclass(frozen=True)
class Dataset:
    """One data set in a folder of its own with the four splits.

    Attributes:
        name: the folder's name under the data root.
        title: how it is called in tables.
        task: registered task.
        paper: the data set of the paper that it stands for; ``None`` where there is none of its kind.
        differs: how it differs from the paper's, in a sentence.
        data: values of the ``data`` settings beside the folder.
        template: named template where it is not the task's own.
        skewed: whether one label is so common that accuracy says little; balanced accuracy stands beside it then.
        source: where the splits come from, for an error when they are missing.
        at: the folder, where it is not the one of its name under the data root.
    """

    name: str
    title: str
    task: Literal["classification", "multiple_choice"]
    paper: str | None
    differs: str
    data: Mapping[str, Any] = field(default_factory=dict)
    template: str | None = None
    skewed: bool = False
    source: str = "`spul data build` makes the four splits from raw rows"
    at: str | None = None

    def folder(self, root: Path) -> Path:
        """Return the folder with the splits.

        Raises:
            DataError: there is none.
        """
        folder = Path(self.at) if self.at is not None else root / self.name
        if not folder.is_dir():
            raise DataError(
                f"expected the splits of {self.name} in {folder}, but there is no such folder. Set --data-root (or "
                f"SPUL_DATA); {self.source}."
            )
        return folder


DATASETS: Mapping[str, Dataset] = {
    entry.name: entry
    for entry in (
        Dataset(
            "sst2_spul",
            "SST-2, the authors' split",
            "classification",
            "sst2",
            "The authors' own split. Forget was picked by substrings of names, and most test phrases are part of a "
            "training phrase; retain rows whose text is in forget are dropped.",
            {**SENTIMENT, "overlap": "drop_retain"},
        ),
        Dataset(
            "sst2_entity",
            "SST-2, whole names",
            "classification",
            "sst2",
            "The same sentences as in the paper, but forget is picked by whole words, and train and test are split by "
            "sentence, so that no test phrase is part of a training phrase.",
            SENTIMENT,
        ),
        Dataset(
            "yelp_entity",
            "Yelp, two cities",
            "classification",
            "yelp",
            "Not the paper's file: 9,000 reviews of the Yelp Open Dataset; forget is the reviews that name New Orleans "
            "or Nashville, where the paper forgets clusters of texts.",
            SENTIMENT,
            skewed=True,
        ),
        Dataset(
            "mcq_mmlu",
            "MMLU, two subjects",
            "multiple_choice",
            "wmdp_sciq",
            "Not the paper's data: forget is computer security and virology, retain 23 other subjects of MMLU, where "
            "the paper forgets WMDP and keeps SciQ.",
        ),
        Dataset(
            "mcq_dream",
            "DREAM, eight places",
            "multiple_choice",
            "wmdp_sciq",
            "Not the paper's data: forget is questions about dialogues that name one of eight places.",
            template="multiple_choice_context",
        ),
        Dataset(
            "wmdp_sciq",
            "WMDP + SciQ",
            "multiple_choice",
            "wmdp_sciq",
            "Sources as in the paper.",
            source="it does not come with spul: put WMDP's biosecurity questions there as forget and SciQ as retain "
            "(train_forget.jsonl, …, with question, choices, answer)",
        ),
        Dataset(
            "yelp_polarity",
            "Yelp polarity",
            "classification",
            "yelp",
            "The paper's source; whether the rows are the authors' depends on who made the folder.",
            SENTIMENT,
            skewed=True,
        ),
    )
}


def dataset(name: str) -> Dataset:
    """Return the data set called ``name``.

    Raises:
        ConfigError: there is none.
    """
    if name not in DATASETS:
        raise ConfigError(unknown_name("data set", name, DATASETS))
    return DATASETS[name]
