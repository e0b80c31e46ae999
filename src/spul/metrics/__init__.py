"""Metrics over stored samples, one file each; none needs a model."""

from spul.metrics._base import METRICS, Bootstrap, Metric, Scored
from spul.metrics._confusion import OTHER, Confusion, confusion
from spul.metrics._free_text import FreeTextMetric, WrittenMetric
from spul.metrics._split import SplitMetric

__all__ = [
    "METRICS",
    "OTHER",
    "Bootstrap",
    "Confusion",
    "FreeTextMetric",
    "Metric",
    "Scored",
    "SplitMetric",
    "WrittenMetric",
    "confusion",
]
