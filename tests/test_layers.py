"""The layers hold, and a violation planted in a copy of the package is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    """Check the package ``spul`` in ``directory`` against this project's contracts."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", ROOT / "pyproject.toml", "--no-cache"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a directory with a copy of the package."""
    shutil.copytree(ROOT / "src" / "spul", tmp_path / "spul", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_layers_hold() -> None:
    done = lint_imports(ROOT / "src")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "message"),
    [
        ("errors.py", "import spul.config", "spul.errors is not allowed to import spul.config"),
        ("prompts/direct.py", "import spul.data.batches", "spul.prompts is not allowed to import spul.data"),
        ("losses/nll.py", "import transformers", "spul.losses is not allowed to import transformers"),
        ("unplaced.py", "", "spul.unplaced"),
    ],
    ids=["upwards", "sideways", "outwards", "unplaced"],
)
def test_planted_violation_is_found(copied: Path, module: str, line: str, message: str) -> None:
    with (copied / "spul" / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(copied)
    assert done.returncode != 0
    assert message in " ".join(done.stdout.split()), done.stdout
