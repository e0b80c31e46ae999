"""Benchmarks by name: data, task, methods, settings and the table of each, one file each."""

from spul.benchmarks.catalogue._base import BENCHMARKS, Asked, Benchmark, Column, Drawn, Section, View

__all__ = ["BENCHMARKS", "Asked", "Benchmark", "Column", "Drawn", "Section", "View"]
