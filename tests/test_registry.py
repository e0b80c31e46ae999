"""One file adds a thing; a wrong name is answered with the right one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from spul.errors import ConfigError
from spul.registry import Registry


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Make a package ``planted`` of three modules, one of which is private and cannot be imported."""
    name = "planted"
    root = tmp_path / name
    root.mkdir()
    (root / "__init__.py").write_text("from spul.registry import Registry\nTHINGS = Registry('thing', 'planted')\n")
    for stem in ("apple", "pear"):
        (root / f"{stem}.py").write_text(
            f"from planted import THINGS\n@THINGS.register({stem!r})\nclass Thing:\n    pass\n"
        )
    (root / "_base.py").write_text("raise RuntimeError('private modules are not discovered')\n")
    (root / "settings.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


def things(package: str) -> Registry[type]:
    registry: Registry[type] = import_module(package).THINGS
    return registry


def test_importing_the_package_imports_no_thing(package: str) -> None:
    things(package)
    assert f"{package}.apple" not in sys.modules


def test_every_public_module_is_found(package: str) -> None:
    assert things(package).names() == ["apple", "pear"]
    assert things(package).get("pear").__module__ == "planted.pear"


def test_a_file_more_is_a_thing_more(package: str, tmp_path: Path) -> None:
    (tmp_path / package / "plum.py").write_text("from planted import THINGS\nTHINGS.register('plum')(int)\n")
    assert things(package).get("plum") is int


def test_a_wrong_name_is_answered_with_the_closest(package: str) -> None:
    with pytest.raises(ConfigError) as caught:
        things(package).get("aple")
    assert str(caught.value) == "unknown thing 'aple'. Did you mean 'apple'? Known: apple, pear"


def test_a_name_is_registered_once(package: str) -> None:
    registry = things(package)
    registry.register("plum")(int)
    with pytest.raises(ValueError, match="thing 'plum' is registered twice"):
        registry.register("plum")(float)
    assert registry.get("plum") is int


def test_a_decorated_thing_is_returned_as_it_is(package: str) -> None:
    assert things(package).register("plum")(int) is int
