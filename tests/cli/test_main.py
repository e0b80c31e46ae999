from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer
from syrupy.assertion import SnapshotAssertion
from typer.core import TyperCommand, TyperGroup

from spul.cli.main import app
from tests.cli.conftest import Spul

HEAVY = {"torch", "transformers", "peft", "datasets", "sklearn", "matplotlib", "numpy", "pandas", "pyarrow", "pydantic"}


def leaves(command: TyperCommand | TyperGroup, *path: str) -> list[tuple[str, ...]]:
    """Every command that does something, as the words after ``spul``."""
    if not isinstance(command, TyperGroup):
        return [path]
    return [leaf for name, child in command.commands.items() for leaf in leaves(child, *path, name)]


COMMANDS = leaves(typer.main.get_command(app))


def test_verbs_are_those_that_are_promised() -> None:
    assert {path[0] for path in COMMANDS} == {
        *("demo", "unlearn", "finetune", "lr-range", "advise", "evaluate", "gate", "export", "serve", "probe", "score"),
        *("report", "sweep", "reproduce", "benchmark", "lm-eval", "data", "list", "version"),
    }


@pytest.mark.parametrize("path", [(), ("data",), *COMMANDS], ids=lambda path: " ".join(path) or "spul")
def test_help(spul: Spul, snapshot: SnapshotAssertion, path: tuple[str, ...]) -> None:
    result = spul(*path, "--help")
    assert result.exit_code == 0
    assert result.stdout == snapshot


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_takes_json_and_debug(spul: Spul, path: tuple[str, ...]) -> None:
    text = spul(*path, "--help").stdout
    assert "--json" in text
    assert "--debug" in text


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import json, sys\n"
        "from spul.cli.main import main\n"
        "sys.argv = ['spul', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
    assert HEAVY.isdisjoint(json.loads(done.stderr))


def test_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "spul", "--help"], capture_output=True, text=True, check=True)
    assert "unlearn" in done.stdout


def test_unknown_flag_is_exit_code_2(spul: Spul) -> None:
    result = spul("evaluate", "--no-such-flag")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "no-such-flag" in result.stderr
