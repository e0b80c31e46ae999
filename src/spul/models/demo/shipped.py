"""Where the shipped demo model lies, and whether it is what was built."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from spul.errors import ModelError

WEIGHTS = Path(__file__).parent / "weights"
DIGEST_NAME = "DIGEST.json"


def demo_model_path(directory: Path = WEIGHTS) -> Path:
    """Return the directory of the demo model, for `from_pretrained`, after checking every file's SHA-256.

    Raises:
        ModelError: a file is missing or differs from the recorded digest.
    """
    record = directory / DIGEST_NAME
    if not record.is_file():
        raise ModelError(f"expected the demo model's {DIGEST_NAME} in {directory}, found none; reinstall the package")
    for name, expected in json.loads(record.read_text(encoding="utf-8"))["sha256"].items():
        file = directory / name
        if not file.is_file():
            raise ModelError(f"expected the demo model's file {file}, found none; reinstall the package")
        if (found := file_digest(file)) != expected:
            raise ModelError(
                f"expected SHA-256 {expected} for the demo model's file {file}, got {found}; "
                "reinstall the package or build the model anew (python -m spul.models.demo.build)"
            )
    return directory


def file_digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    return sha256(path.read_bytes()).hexdigest()
