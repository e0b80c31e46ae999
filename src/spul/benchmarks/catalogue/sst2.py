"""SST-2, sentiment."""

from __future__ import annotations

from typing import ClassVar

from spul.benchmarks.catalogue._base import BENCHMARKS
from spul.benchmarks.catalogue._four_splits import FourSplits

__all__ = ["SST2"]


@BENCHMARKS.register("sst2")
class SST2(FourSplits):
    """Sentiment of film reviews (Socher et al. 2013); named persons are forgotten. Bhaila et al. 2025."""

    name: ClassVar[str] = "sst2"
    title: ClassVar[str] = "SST-2, sentiment"
    folder: ClassVar[str] = "sst2_entity"
    source: ClassVar[str] = "it is a directory with train_forget, train_retain, test_forget and test_retain"
    datasets: ClassVar[tuple[str, ...]] = ("sst2_entity", "sst2_spul")
    subsets: ClassVar[tuple[str, ...]] = datasets
