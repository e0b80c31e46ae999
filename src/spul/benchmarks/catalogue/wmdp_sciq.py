"""WMDP + SciQ."""

from __future__ import annotations

from typing import ClassVar

from spul.benchmarks.catalogue._base import BENCHMARKS
from spul.benchmarks.catalogue._four_splits import FourSplits

__all__ = ["WmdpSciq"]


@BENCHMARKS.register("wmdp_sciq")
class WmdpSciq(FourSplits):
    """Multiple choice: WMDP is forgotten (Li et al. 2024), SciQ kept (Welbl et al. 2017). Bhaila et al. 2025."""

    name: ClassVar[str] = "wmdp_sciq"
    title: ClassVar[str] = "WMDP + SciQ"
    folder: ClassVar[str] = "wmdp_sciq"
    source: ClassVar[str] = "it is a directory with train_forget, train_retain, test_forget and test_retain"
    datasets: ClassVar[tuple[str, ...]] = ("wmdp_sciq",)
