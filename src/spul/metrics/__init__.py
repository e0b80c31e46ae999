"""Metrics over stored samples, one file each; none needs a model."""

from spul.metrics._base import METRICS, Bootstrap, Metric, Scored
from spul.metrics._confusion import OTHER, Confusion, confusion

__all__ = ["METRICS", "OTHER", "Bootstrap", "Confusion", "Metric", "Scored", "confusion"]
