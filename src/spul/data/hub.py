"""Hugging Face data sets: saved directories, and the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from spul.data.formats import Row, as_row
from spul.errors import DataError, unknown_name

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

__all__ = ["PREFIX", "is_saved", "is_saved_dict", "read_hub", "read_saved", "saved_splits"]

PREFIX = "hf:"


class _Address(NamedTuple):
    name: str
    config: str | None
    split: str | None


def is_saved(path: Path) -> bool:
    """Return whether ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk`` wrote this directory."""
    return (path / "state.json").is_file() or is_saved_dict(path)


def is_saved_dict(path: Path) -> bool:
    """Return whether ``DatasetDict.save_to_disk`` wrote this directory."""
    return (path / "dataset_dict.json").is_file()


def saved_splits(path: Path) -> list[str]:
    """Return the names of the splits in a saved ``DatasetDict``.

    Raises:
        DataError: its list of splits cannot be read.
    """
    try:
        names: list[str] = json.loads((path / "dataset_dict.json").read_text(encoding="utf-8"))["splits"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"the saved data set in {path} cannot be read: {error!r}") from error
    return names


def read_saved(path: Path, split: str | None = None) -> list[Row]:
    """Return the rows of a saved data set; ``split`` names the one to take where there are several.

    Raises:
        DataError: the directory cannot be read, or the split is missing.
    """
    from datasets import load_from_disk

    try:
        found = load_from_disk(str(path))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"the saved data set in {path} cannot be read: {error}") from error
    return _rows(found, split, str(path))


def read_hub(source: str) -> list[Row]:
    """Return the rows of ``hf:NAME``, ``hf:NAME:SPLIT`` or ``hf:NAME:CONFIG:SPLIT``.

    NAME is a data set of the hub, a directory of data files, or a saved data set. Code that a data set brings along is
    not run.

    Raises:
        DataError: the address does not parse, or there is no such data set, configuration or split.
    """
    address = _parse(source)
    local = Path(address.name).expanduser()
    if is_saved(local):
        if address.config:
            raise DataError(f"{source}: a saved data set has splits only; write hf:{address.name}:SPLIT")
        return read_saved(local, address.split)
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    try:
        found = load_dataset(address.name, address.config, split=address.split)
    except (DatasetsError, HfHubHTTPError, OSError, ValueError) as error:
        raise DataError(f"{source} cannot be loaded: {error}") from error
    return _rows(found, None, source)


def _parse(source: str) -> _Address:
    # A split may be a slice with colons of its own: train[:10%].
    parts = re.findall(r"(?:[^:\[]|\[[^\]]*\])+", source.removeprefix(PREFIX))
    if not 1 <= len(parts) <= 3 or PREFIX + ":".join(parts) != source:
        raise DataError(f"expected hf:NAME, hf:NAME:SPLIT or hf:NAME:CONFIG:SPLIT, got {source!r}")
    name, *rest = parts
    return _Address(name, rest[0] if len(rest) == 2 else None, rest[-1] if rest else None)


def _rows(found: Dataset | DatasetDict, split: str | None, where: str) -> list[Row]:
    from datasets import ClassLabel, DatasetDict

    if isinstance(found, DatasetDict):
        if split is None and len(found) == 1:
            split = next(iter(found))
        if split is None:
            raise DataError(f"{where} holds several splits, {sorted(found)}; name one: hf:NAME:SPLIT")
        if split not in found:
            raise DataError(f"{where}: {unknown_name('split', split, found)}")
        found = found[split]
    elif split is not None:
        raise DataError(f"{where} holds one data set without splits; leave {split!r} out")
    classes = {name: feature.names for name, feature in found.features.items() if isinstance(feature, ClassLabel)}
    return [as_row({**row, **{k: _class_name(names, row[k]) for k, names in classes.items()}}) for row in found]


def _class_name(names: Sequence[str], number: int | None) -> str | None:
    """Return a class's name; where a label is hidden the number is -1 by custom, or missing."""
    return None if number is None or number < 0 else names[number]
