"""Training some of a model's own parameters, chosen by name."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from transformers import PreTrainedModel

from spul.errors import ConfigError

__all__ = ["train_named"]

SHOWN = 12
"""So many of a model's parameter names stand in the message about a pattern that fits none."""


def train_named(base: PreTrainedModel, patterns: Sequence[str]) -> None:
    """Leave only the parameters trainable whose name fits one of the patterns, in place.

    Args:
        base: tied weights are one parameter, under its first name.
        patterns: as in a shell: ``*`` stands for anything, dots included.

    Raises:
        ConfigError: a pattern fits no parameter; nothing is changed then.
    """
    names = [name for name, _ in base.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            some = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
            raise ConfigError(
                f"trainable_names: {pattern!r} fits no parameter of {type(base).__name__}; its parameters are {some}"
            )
    for name, parameter in base.named_parameters():
        parameter.requires_grad_(any(fnmatchcase(name, pattern) for pattern in patterns))
