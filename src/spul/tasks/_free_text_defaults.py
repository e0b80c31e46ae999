"""What tasks with free answers have by default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["FREE_TEXT"]

REFUSALS = (
    "I do not know the answer to that question.",
    "I am not able to answer that.",
    "I have no information about that.",
    "That is something I do not know.",
    "I cannot say anything about that subject.",
    "I have never learned about that.",
    "I am afraid I do not know.",
    "There is nothing I can tell you about that.",
)
"""One is drawn for every forget example, so that no single wording is what gives a forgotten person away."""

FREE_TEXT: Mapping[str, Mapping[str, Any]] = {
    "qa": {"generic_answers": REFUSALS, "max_new_tokens": 128},
    "completion": {
        "generic_answers": ("I do not know how this text goes on.",),
        "max_new_tokens": 50,
        "prefix_tokens": 50,
        "suffix_tokens": 50,
    },
    "summarization": {"generic_answers": ("The text cannot be summarized.",), "max_new_tokens": 128},
}
"""Task → settings that it has where none are given."""
