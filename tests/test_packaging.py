"""The wheel works by itself and carries what the package needs at run time."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "spul"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as ``pip install .`` does."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(directory), str(ROOT)]
    subprocess.run(command, check=True)
    (built,) = directory.glob("*.whl")
    return built


def test_everything_of_the_package_is_inside(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith("spul/")}
    shipped = {f"spul/{file.relative_to(SOURCE).as_posix()}" for file in SOURCE.rglob("*") if file.is_file()}
    assert {name for name in shipped if "__pycache__" not in name} == inside
    assert any(name.endswith(".safetensors") for name in inside), "the demo's model is missing"
    assert "spul/py.typed" in inside


def test_installed_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """The wheel alone goes into a new environment; what it depends on is borrowed from the one that runs the tests."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)],
        check=True,
    )
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text("\n".join(borrowed), encoding="utf-8")
    done = subprocess.run(
        [tmp_path / "env" / "bin" / "spul", "list", "methods"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "spul" in done.stdout
    where = subprocess.run(
        [python, "-c", "import spul; print(spul.__file__)"], capture_output=True, text=True, check=True
    )
    assert Path(where.stdout.strip()).is_relative_to(site)
