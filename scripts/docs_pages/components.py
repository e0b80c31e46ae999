"""docs/components.md: everything that can be named in a configuration."""

from __future__ import annotations

from spul.cli.list import Kind, entries

__all__ = ["page"]

INTRODUCTION = """# What can be named

Made from the registries by `make docs`; `make check` fails where it is out of date. One file adds a thing: the file's
stem is the registered name, the value in a configuration and on the command line. `spul list KIND` prints the same.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([INTRODUCTION, *map(_section, Kind)])


def _section(kind: Kind) -> str:
    rows = [f"| `{entry['name']}` | {_cell(entry['summary'])} | `{entry['module']}` |" for entry in entries(kind)]
    return "\n".join(
        [f"## {kind.value.capitalize()}\n", "| name | what it is | where |", "| --- | --- | --- |", *rows, ""]
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
