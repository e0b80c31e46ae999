"""Files that are complete or not there: written beside their place, flushed, and moved."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from spul.errors import ConfigError

__all__ = ["cache_directory", "expand_path", "file_digest", "write_bytes", "write_json", "write_jsonl", "write_text"]


def cache_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Return ``$SPUL_CACHE``, or ``~/.cache/spul`` where it is not set; what this machine may make again goes there."""
    return Path(environment.get("SPUL_CACHE", Path.home() / ".cache" / "spul")).expanduser()


def expand_path(path: str) -> str:
    """Return a path or hub id with ``~`` and environment variables expanded.

    Raises:
        ConfigError: a variable is not set.
    """
    expanded = str(Path(os.path.expandvars(path)).expanduser())
    if "$" in expanded:
        raise ConfigError(f"{path!r} names an environment variable that is not set; set it, or write the path out")
    # `Path` drops the dot that tells a directory from a hub id.
    return f"./{expanded}" if path.startswith("./") and expanded != "." else expanded


def write_bytes(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` atomically; what was there stays whole if anything fails.

    Raises:
        OSError: the disk is full or the directory cannot be written; no partial file is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only the owner reads; a run directory is an ordinary one.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Replace ``path`` by UTF-8 text atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` by JSON atomically; NaN and infinity are refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace ``path`` by one JSON object a line, atomically."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
