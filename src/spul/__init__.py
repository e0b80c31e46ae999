"""Soft prompting for unlearning: suppress what a language model learned from some of its data, and prove it.

Names are loaded when they are first used, so importing this package does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spul.api import add_gate, advise, evaluate, export, finetune, load_gated_model, load_model, report, unlearn
    from spul.config import RunConfig
    from spul.demonstration import demo
    from spul.errors import (
        AdapterError,
        ConfigError,
        DataError,
        ExportError,
        MissingDependencyError,
        ModelError,
        RunError,
        SpulError,
    )
    from spul.runs import Run
    from spul.types import Example, MetricResult, Sample, Splits

__version__ = "0.1.0"

__all__ = [
    "AdapterError",
    "ConfigError",
    "DataError",
    "Example",
    "ExportError",
    "MetricResult",
    "MissingDependencyError",
    "ModelError",
    "Run",
    "RunConfig",
    "RunError",
    "Sample",
    "Splits",
    "SpulError",
    "add_gate",
    "advise",
    "demo",
    "evaluate",
    "export",
    "finetune",
    "load_gated_model",
    "load_model",
    "report",
    "unlearn",
]

_HOME = {
    "AdapterError": "spul.errors",
    "ConfigError": "spul.errors",
    "DataError": "spul.errors",
    "Example": "spul.types",
    "ExportError": "spul.errors",
    "MetricResult": "spul.types",
    "MissingDependencyError": "spul.errors",
    "ModelError": "spul.errors",
    "Run": "spul.runs",
    "RunConfig": "spul.config",
    "RunError": "spul.errors",
    "Sample": "spul.types",
    "Splits": "spul.types",
    "SpulError": "spul.errors",
    "add_gate": "spul.api",
    "advise": "spul.api",
    "demo": "spul.demonstration",
    "evaluate": "spul.api",
    "export": "spul.api",
    "finetune": "spul.api",
    "load_gated_model": "spul.api",
    "load_model": "spul.api",
    "report": "spul.api",
    "unlearn": "spul.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'spul' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
