"""Ranges from which values of a setting are drawn, by chance or by a search."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, get_args

import yaml

from spul.errors import ConfigError, unknown_name

__all__ = ["Choice", "Range", "draw", "parse_range"]

Kind = Literal["log", "uniform", "int"]
FORM = "expected log:LOW:HIGH, uniform:LOW:HIGH, int:LOW:HIGH or choice:A,B,…"
DIGITS = 3
"""Significant digits of a drawn number: enough to tell apart, and short enough to read."""


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, ends included: evenly on a logarithmic or linear scale, or whole ones."""

    kind: Kind
    low: float
    high: float


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]


def parse_range(field: str, text: str) -> Range | Choice:
    """Return what ``log:1e-3:1e-1``, ``uniform:0:1``, ``int:5:50`` or ``choice:mlp,direct`` stands for.

    Raises:
        ConfigError: it is none of these, or its ends are not in order.
    """
    kind, _, rest = str(text).partition(":")
    if kind == "choice":
        return Choice(parse_values(field, rest))
    if kind not in get_args(Kind):
        raise ConfigError(f"{field}: {unknown_name('range', kind, (*get_args(Kind), 'choice'))}; {FORM}, got {text!r}")
    try:
        low, high = (float(end) for end in rest.split(":"))
    except ValueError as error:
        raise ConfigError(f"{field}: {FORM}, got {text!r}") from error
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(f"{field}: expected the lower end first, got {text!r}")
    if kind == "log" and low <= 0:
        raise ConfigError(f"{field}: a logarithmic range begins above 0, got {text!r}")
    if kind == "int" and not (low.is_integer() and high.is_integer()):
        raise ConfigError(f"{field}: expected whole numbers as the ends, got {text!r}")
    return Range(kind, low, high)  # type: ignore[arg-type]


def parse_values(field: str, text: str) -> tuple[Any, ...]:
    """Return the values in ``0.1,0.5,1``, read as YAML; one that holds commas stands in brackets or quotes.

    Raises:
        ConfigError: there is none, or it is no YAML.
    """
    try:
        values = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError as error:
        raise ConfigError(f"{field}: expected values separated by commas, got {text!r}") from error
    if not values:
        raise ConfigError(f"{field}: expected at least one value, got none")
    return tuple(values)


def draw(space: Range | Choice, rng: Random) -> Any:
    """Return one value, drawn with ``rng``; numbers have three significant digits."""
    if isinstance(space, Choice):
        return rng.choice(space.values)
    if space.kind == "int":
        return rng.randint(int(space.low), int(space.high))
    if space.kind == "log":
        value = math.exp(rng.uniform(math.log(space.low), math.log(space.high)))
    else:
        value = rng.uniform(space.low, space.high)
    return min(max(float(f"{value:.{DIGITS}g}"), space.low), space.high)
