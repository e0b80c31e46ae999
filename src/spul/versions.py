"""What a run ran on: versions of the packages that decide its numbers, and the commit of the working tree."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

__all__ = ["environment"]

PACKAGES = ("spul", "torch", "transformers", "peft", "accelerate", "tokenizers", "datasets", "numpy", "scikit-learn")


def environment() -> dict[str, str | None]:
    """Return versions by package name, Python, platform, and the git commit; ``None`` for what is not there."""
    versions: dict[str, str | None] = {name: _version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "platform": platform.platform(), "git": _commit(), **versions}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit of the checkout this package is in, with ``-dirty`` if it has changes; ``None`` elsewhere."""
    here = Path(__file__).parent
    try:
        tracked = subprocess.run(
            ["git", "ls-files", "--error-unmatch", Path(__file__).name], cwd=here, capture_output=True, check=False
        )
        if tracked.returncode != 0:
            return None
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
