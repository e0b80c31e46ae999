"""Probing an endpoint: whether the prompt is in front of everything that it answers."""

from __future__ import annotations

from spul.probing.probe import Check, ProbeResult, probe

__all__ = ["Check", "ProbeResult", "probe"]
