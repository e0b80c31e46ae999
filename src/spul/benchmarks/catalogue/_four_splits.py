"""Benchmarks with labels: four splits in a folder, as tables of the paper have them."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from spul.benchmarks.bases import generic_rows
from spul.benchmarks.catalogue._base import Asked, Benchmark, Column, Section
from spul.benchmarks.datasets import Dataset, dataset
from spul.benchmarks.plan import DatasetMaker
from spul.benchmarks.render import sizes_in_words
from spul.data.hub import PREFIX
from spul.data.sources import locate
from spul.errors import ConfigError
from spul.types import SPLIT_NAMES

__all__ = ["FourSplits"]


def _of_splits(metric: str) -> tuple[Column, ...]:
    return tuple(Column(split.replace("_", " "), split, metric) for split in SPLIT_NAMES)


class FourSplits(Benchmark):
    """A data set of the paper's kinds; runs are shared with ``spul reproduce`` under the same ``--runs``.

    Attributes:
        datasets: names of the data sets, by which subsets go where there are several; the first is the default.
    """

    datasets: ClassVar[tuple[str, ...]]
    sections: ClassVar[tuple[Section, ...]] = (
        Section("Right answers, %", _of_splits("accuracy")),
        Section("Weighted F1, %", _of_splits("weighted_f1")),
        Section(
            "What accuracy hides",
            (
                Column("labels only, train forget", "train_forget", "restricted_accuracy"),
                Column("labels only, test forget", "test_forget", "restricted_accuracy"),
                Column("generic, test forget", "test_forget", "generic_rate"),
                Column("generic, test retain", "test_retain", "generic_rate"),
                Column("membership AUC, loss", "", "membership_auc"),
                Column("membership AUC, P(generic)", "", "membership_auc_generic"),
            ),
            "Labels only: right answers, %, when nothing but the task's labels may be answered. Membership AUC: how "
            "well train forget is told from test forget; 0.5 is not at all, and the retrained model's is the aim.",
        ),
        Section(
            "Distance to the retrained model",
            _of_splits("unlearning_gap:accuracy"),
            "Points of accuracy between the model and the retrained one; 0 is the aim.",
        ),
    )

    def maker(self, asked: Asked) -> DatasetMaker:
        """Return the maker of jobs on the data set's folder."""
        data = self._dataset(asked)
        sizes = asked.base.profile.sizes_of(data)
        data.folder(asked.data_root)
        generic = None
        if sizes.generic_rows:
            generic = generic_rows(
                data, sizes, data_root=asked.data_root, cache=asked.cache, make=asked.make, log=asked.log
            )
        return DatasetMaker(asked.base, asked.root, data, asked.data_root, generic)

    def about(self, asked: Asked) -> list[str]:
        """Return how the rows differ from the paper's, and how many there are."""
        data = self._dataset(asked)
        return [data.differs, sizes_in_words(asked.base.profile.sizes_of(data))]

    def _dataset(self, asked: Asked) -> Dataset:
        found = dataset(asked.subset or self.datasets[0])
        if asked.data is None:
            return found
        if asked.data.startswith(PREFIX):
            raise ConfigError(f"{self.name} is read from a directory with the four splits, got --data {asked.data}")
        return replace(found, at=str(locate(asked.data).absolute()))
