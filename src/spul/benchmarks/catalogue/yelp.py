"""Yelp, sentiment."""

from __future__ import annotations

from typing import ClassVar

from spul.benchmarks.catalogue._base import BENCHMARKS
from spul.benchmarks.catalogue._four_splits import FourSplits

__all__ = ["Yelp"]


@BENCHMARKS.register("yelp")
class Yelp(FourSplits):
    """Sentiment of reviews of places (Zhang et al. 2015, and the Yelp Open Dataset)."""

    name: ClassVar[str] = "yelp"
    title: ClassVar[str] = "Yelp, sentiment"
    folder: ClassVar[str] = "yelp_entity"
    source: ClassVar[str] = "it is a directory with train_forget, train_retain, test_forget and test_retain"
    datasets: ClassVar[tuple[str, ...]] = ("yelp_entity", "yelp_polarity")
    subsets: ClassVar[tuple[str, ...]] = datasets
