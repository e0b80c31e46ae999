"""Soft prompts: the modules that yield what stands in front of the input. One file each.

Attributes are imported when they are asked for, so that reading a configuration does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spul.prompts._base import (
        PROMPTS,
        FixedPrompt,
        Level,
        Placement,
        PromptEncoder,
        PromptInit,
        TrainablePrompt,
        build_prompt,
    )

__all__ = [
    "PROMPTS",
    "FixedPrompt",
    "Level",
    "Placement",
    "PromptEncoder",
    "PromptInit",
    "TrainablePrompt",
    "build_prompt",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("spul.prompts._base"), name)
