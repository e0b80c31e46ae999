"""Scoring models on the splits, and the numbers that follow from the stored samples."""

from spul.evaluation.evaluate import compute_metrics, evaluate_run, recompute_metrics

__all__ = ["compute_metrics", "evaluate_run", "recompute_metrics"]
