"""``spul version``: the versions that decide whether a run repeats."""

from __future__ import annotations

from spul.cli._output import Debug, Json, show, show_json

__all__ = ["show_version"]


def show_version(json_output: Json = False, debug: Debug = False) -> None:
    """Print the versions of spul, Python and the packages that a run depends on, none of them imported."""
    from spul.versions import environment

    found = environment()
    if json_output:
        show_json(found)
        return
    width = max(map(len, found))
    show("\n".join(f"{name:<{width}}  {value or 'none'}" for name, value in found.items()))
