"""How numbers are written: shares as per cent with one decimal, the interval in brackets, ``–`` for undefined."""

from __future__ import annotations

from spul.types import MetricResult

__all__ = ["MINUS", "UNDEFINED", "bare", "interval", "number", "scientific", "signed", "size", "whole"]

MINUS = "\N{MINUS SIGN}"
UNDEFINED = "–"

_SCALE = {"share": 100.0}
_DECIMALS = {"share": 1, "auc": 3, "nats": 3}


def number(result: MetricResult | None) -> str:
    """Return ``98.5 (96.1–99.6)``; without brackets where there is no interval."""
    if result is None or result.value is None:
        return UNDEFINED
    return " ".join(part for part in (bare(result), interval(result)) if part)


def bare(result: MetricResult | None) -> str:
    """Return the number without its interval."""
    if result is None or result.value is None:
        return UNDEFINED
    return _written(result.value, result.unit)


def signed(result: MetricResult | None) -> str:
    """Return a difference with its sign: ``+1.2 (−0.3 to 2.9)``."""
    if result is None or result.value is None:
        return UNDEFINED
    plus = "+" if result.value > 0 else ""
    return plus + number(result)


def interval(result: MetricResult) -> str:
    """Return ``(96.1–99.6)``, or nothing where there is no interval."""
    if result.low is None or result.high is None:
        return ""
    low, high = _written(result.low, result.unit), _written(result.high, result.unit)
    # A dash between numbers of which one has a minus sign does not read.
    between = " to " if MINUS in low + high else "–"
    return f"({low}{between}{high})"


def whole(value: float | int | str | None) -> str:
    """Return a count with thousands separated."""
    return UNDEFINED if value is None else f"{value:,.0f}" if isinstance(value, int | float) else value


def scientific(value: float | int | str | None) -> str:
    """Return a large count as ``1.23e+15``."""
    return f"{value:.2e}" if isinstance(value, int | float) else UNDEFINED


def size(num_bytes: float | int | str | None) -> str:
    """Return a number of bytes in the unit that fits, in powers of 1,000."""
    if not isinstance(num_bytes, int | float):
        return UNDEFINED
    value = float(num_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _written(value: float, unit: str) -> str:
    decimals = _DECIMALS.get(unit, 3)
    text = f"{value * _SCALE.get(unit, 1.0):.{decimals}f}"
    # What rounds to zero has no sign.
    return f"{0:.{decimals}f}" if float(text) == 0 else text.replace("-", MINUS)
