from __future__ import annotations

import pytest

from spul.reports._numbers import bare, number, signed, size, whole
from spul.types import MetricResult


def result(
    value: float | None, low: float | None = None, high: float | None = None, unit: str = "share"
) -> MetricResult:
    return MetricResult(value, 48, unit, None, low, high, None if value is not None else "the split is empty")


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (result(0.985, 0.961, 0.996), "98.5 (96.1–99.6)"),
        (result(0.0, 0.0, 0.0741), "0.0 (0.0–7.4)"),
        (result(1.0), "100.0"),
        (result(0.7721, 0.7414, 0.803, "auc"), "0.772 (0.741–0.803)"),
        (result(1.5, 1.0, 2.0, "nats"), "1.500 (1.000–2.000)"),
        (result(-0.02, -0.05, 0.01), "−2.0 (−5.0 to 1.0)"),
        (result(-0.0001), "0.0"),
        (result(None), "–"),
        (None, "–"),
    ],
)
def test_numbers_are_written_with_their_interval(given: MetricResult | None, written: str) -> None:
    assert number(given) == written


def test_bare_and_signed() -> None:
    assert bare(result(0.985, 0.961, 0.996)) == "98.5"
    assert signed(result(0.012, -0.003, 0.029)) == "+1.2 (−0.3 to 2.9)"
    assert signed(result(-0.012)) == "−1.2"
    assert signed(result(0.0)) == "0.0"


def test_counts_and_sizes() -> None:
    assert (whole(1192192), whole(None), whole("cpu")) == ("1,192,192", "–", "cpu")
    assert [size(n) for n in (999, 15464, 1.5e6, 13e9, None)] == ["999 B", "15.5 kB", "1.5 MB", "13.0 GB", "–"]
