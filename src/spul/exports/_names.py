from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spul.files import expand_path

if TYPE_CHECKING:
    from spul.exports._base import Source

__all__ = ["hub_id_of_base", "public_base_name"]


def hub_id_of_base(source: Source) -> str | None:
    """Return the base model's hub id; ``None`` where it is a directory of this machine."""
    if source.settings.base_name is not None:
        return source.settings.base_name
    path = source.run.config.model.path
    return None if Path(expand_path(path)).exists() else path


def public_base_name(source: Source) -> str:
    """Return what the export may call the base model: a hub id, or a directory's name without where it lies."""
    return hub_id_of_base(source) or Path(expand_path(source.run.config.model.path)).name
