"""``spul list``: what is registered, by kind."""

from __future__ import annotations

import importlib
import inspect
from enum import StrEnum
from typing import Annotated, Any

import typer

from spul.cli._output import Debug, Json, show, show_json

__all__ = ["Kind", "entries", "list_registered"]


class Kind(StrEnum):
    """What can be listed; each is a package with a registry of the same name in capitals."""

    methods = "methods"
    objectives = "objectives"
    tasks = "tasks"
    metrics = "metrics"
    prompts = "prompts"
    exports = "exports"
    scopes = "scopes"
    benchmarks = "benchmarks"

    @property
    def package(self) -> str:
        """The package with the registry; that of benchmarks has a place below what they share."""
        return "spul.benchmarks.catalogue" if self is Kind.benchmarks else f"spul.{self.value}"


def list_registered(
    kind: Annotated[Kind, typer.Argument(help="Which things.", show_default=False)],
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """List what can be named: methods, objectives, tasks, metrics, prompts, exports, scope detectors or benchmarks."""
    found = entries(kind)
    if json_output:
        show_json(found)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    table.add_column("what it is")
    for entry in found:
        table.add_row(entry["name"], entry["summary"])
    show(table)


def entries(kind: Kind) -> list[dict[str, str]]:
    """Return name, summary and module of everything registered of one kind, sorted by name."""
    registry = getattr(importlib.import_module(kind.package), kind.value.upper())
    return [_entry(name, registry.get(name)) for name in registry.names()]


def _entry(name: str, item: Any) -> dict[str, str]:
    from spul.methods import Recipe

    # A recipe is a value and says itself what it is; all else is a class or function with a docstring.
    if isinstance(item, Recipe):
        return {"name": name, "summary": item.summary, "module": f"spul.methods.{name}"}
    summary = (inspect.getdoc(item) or "").partition("\n\n")[0].replace("\n", " ")
    return {"name": name, "summary": summary, "module": item.__module__}
