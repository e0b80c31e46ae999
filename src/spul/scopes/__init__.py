"""Scope gates: detectors of the queries that a prompt is meant for, one file each, and the threshold they are held to.

Attributes are imported when they are asked for, so that reading a configuration imports neither torch nor scikit-learn.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spul.scopes._base import SCOPES, Detector, Encode, State
    from spul.scopes._gated import GatedModel
    from spul.scopes.calibration import Calibration, calibrate
    from spul.scopes.gate import Gate, load_gate, save_gate
    from spul.scopes.learn import learn_gate

_HOME = {
    "SCOPES": "_base",
    "Calibration": "calibration",
    "Detector": "_base",
    "Encode": "_base",
    "Gate": "gate",
    "GatedModel": "_gated",
    "State": "_base",
    "calibrate": "calibration",
    "learn_gate": "learn",
    "load_gate": "gate",
    "save_gate": "gate",
}

__all__ = [
    "SCOPES",
    "Calibration",
    "Detector",
    "Encode",
    "Gate",
    "GatedModel",
    "State",
    "calibrate",
    "learn_gate",
    "load_gate",
    "save_gate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
