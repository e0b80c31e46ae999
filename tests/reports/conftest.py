from __future__ import annotations

from pathlib import Path

import pytest

from spul.runs import Run
from tests.reports.made import make_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A complete, evaluated run; tests do not change it."""
    return make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run without retrained and pre-trained model, with a name that is markup."""
    directory: Path = tmp_path_factory.mktemp("alone")
    return make_run(directory, models=("base", "unlearned"), name="<img src=x onerror=alert(1)> & co")


@pytest.fixture(scope="session")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose prompt stands behind a scope gate too."""
    return make_run(tmp_path_factory.mktemp("gated"), gated=True)
