from __future__ import annotations

from collections.abc import Callable

import pytest
import typer.rich_utils
from typer.testing import CliRunner, Result

from spul.cli.main import app

Spul = Callable[..., Result]


@pytest.fixture
def spul(monkeypatch: pytest.MonkeyPatch) -> Spul:
    """Return a function that runs ``spul ARGUMENTS`` in this process, laid out for a terminal of 100 columns."""
    monkeypatch.setattr(typer.rich_utils, "MAX_WIDTH", 100)
    monkeypatch.setattr(typer.rich_utils, "FORCE_TERMINAL", None)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="spul")

    return run
