"""Scoring models on the splits, and the numbers that follow from the stored samples."""

from spul.evaluation.evaluate import GATED, compute_metrics, evaluate_run, recompute_metrics, write_gated_samples

__all__ = ["GATED", "compute_metrics", "evaluate_run", "recompute_metrics", "write_gated_samples"]
