"""docs/cli.md: what every command's ``--help`` says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from spul.cli.main import app

__all__ = ["command_paths", "help_of", "page"]

INTRODUCTION = """# Command line

Made from `--help` by `make docs`; `make check` fails where it is out of date.

Results go to stdout, the log and progress to stderr; `--json` prints one JSON document and nothing else on stdout.
Exit codes: 0 done; 1 `data check --strict` found something, or a bug in spul; 2 something you can mend (one message,
no traceback; `--debug` shows it); 130 interrupted (the message names the command that goes on).
"""


def command_paths() -> list[tuple[str, ...]]:
    """Return every command as the words after ``spul``, groups included, in the order of the help."""
    return list(_walk(typer.main.get_command(app), ()))


def help_of(path: tuple[str, ...]) -> str:
    """Return what ``spul PATH --help`` prints."""
    result = CliRunner().invoke(app, [*path, "--help"], prog_name="spul")
    if result.exit_code:
        raise RuntimeError(f"spul {' '.join(path)} --help failed: {result.output}")
    return "\n".join(line.rstrip() for line in result.stdout.strip("\n").splitlines())


def page() -> str:
    """Return the page."""
    return "\n".join([INTRODUCTION, *map(_section, [(), *command_paths()])])


def _section(path: tuple[str, ...]) -> str:
    return f"## {' '.join(('spul', *path))}\n\n```text\n{help_of(path)}\n```\n"


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield (*path, name)
            yield from _walk(child, (*path, name))
