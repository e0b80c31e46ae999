"""Serving: several prompts and the plain base on one set of weights, behind an interface like OpenAI's."""

from __future__ import annotations
