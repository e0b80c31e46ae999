"""Every error that spul raises on purpose.

::

    SpulError                 anything a user can mend; the command line prints it and exits with code 2
    ├── ConfigError           a setting that is unknown, of the wrong type or out of range
    ├── DataError             data that cannot be read, split, posed or used as asked
    ├── ModelError            a base model or tokenizer that cannot be loaded or is not supported
    ├── AdapterError          an adapter that does not fit the base model it is put on
    ├── ExportError           an export that cannot be made, or that fails its own check
    ├── RunError              a run directory that is missing, incomplete, corrupt or in use
    │   └── DivergedError     training whose loss or logits are not finite any more
    └── MissingDependencyError  an optional package that the asked-for feature needs

A message says what was expected, what came and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "AdapterError",
    "ConfigError",
    "DataError",
    "DivergedError",
    "ExportError",
    "MissingDependencyError",
    "ModelError",
    "RunError",
    "SpulError",
    "unknown_name",
]


class SpulError(Exception):
    """Root of all errors that spul raises on purpose."""


class ConfigError(SpulError):
    """A setting is unknown, of the wrong type or out of range."""


class DataError(SpulError):
    """Data cannot be read, split, posed or used as asked."""


class ModelError(SpulError):
    """A base model or tokenizer cannot be loaded or is not supported."""


class AdapterError(SpulError):
    """An adapter does not fit the base model that it is put on."""


class ExportError(SpulError):
    """An export cannot be made as asked, or fails its own check."""


class RunError(SpulError):
    """A run directory is missing, incomplete, corrupt or in use."""


class DivergedError(RunError):
    """The loss or the logits of a model in training are not finite any more."""


class MissingDependencyError(SpulError):
    """An optional package is needed and not installed."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that is not among ``known``, with the closest one suggested."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown {kind} {name!r}.{hint} Known: {', '.join(names) or '(none)'}"
