"""The public names. A change here is a change for users: it belongs into the changelog."""

from __future__ import annotations

import subprocess
import sys

import pytest

import spul

PUBLIC = [
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


def test_public_names_are_these_and_sorted() -> None:
    assert spul.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_name_is_there_documented_and_stays_what_it_is(name: str) -> None:
    first = getattr(spul, name)
    # A module of the same name would take the place of a function as soon as it is imported.
    assert getattr(spul, name) is first
    assert callable(first)
    assert first.__doc__


def test_dir_names_what_is_public() -> None:
    assert set(PUBLIC) <= set(dir(spul))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'erase'"):
        spul.erase  # noqa: B018


@pytest.mark.parametrize("statement", ["import spul", "from spul import RunConfig, SpulError, Example"])
def test_importing_imports_no_torch(statement: str) -> None:
    program = f"{statement}\nimport sys\nprint('torch' in sys.modules, 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
