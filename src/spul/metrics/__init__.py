"""Metrics over stored samples, one file each; none needs a model."""
