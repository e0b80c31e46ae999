"""MMLU, two subjects."""

from __future__ import annotations

from typing import ClassVar

from spul.benchmarks.catalogue._base import BENCHMARKS
from spul.benchmarks.catalogue._four_splits import FourSplits

__all__ = ["MMLU"]


@BENCHMARKS.register("mmlu")
class MMLU(FourSplits):
    """Multiple choice over the subjects of MMLU (Hendrycks et al. 2021); two of them are forgotten."""

    name: ClassVar[str] = "mmlu"
    title: ClassVar[str] = "MMLU, two subjects"
    folder: ClassVar[str] = "mcq_mmlu"
    source: ClassVar[str] = "it is a directory with train_forget, train_retain, test_forget and test_retain"
    datasets: ClassVar[tuple[str, ...]] = ("mcq_mmlu",)
