"""Name → class, for everything that one file adds.

A registry belongs to a package (``spul.metrics``, say). Every module of the package whose name has no leading
underscore is imported the first time a name is looked up; the module's stem, the registered name, the value on the
command line and the docs page are the same word.

Other distributions add things of their own: an entry point in the group that is called like the package, whose name is
the registered one and whose value is the module that registers it (docs/extending.md).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from spul.errors import ConfigError, unknown_name

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """The things of one kind, by name.

    Args:
        kind: what a thing is called in messages, singular (``"metric"``).
        package: the dotted package whose modules register the things.
        group: the entry points by which other distributions add things; the package's name if missing.
    """

    def __init__(self, kind: str, package: str, group: str | None = None) -> None:
        self.kind = kind
        self.package = package
        self.group = group or package
        self._items: dict[str, T] = {}
        self._discovered = False

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers its argument as ``name``.

        Raises:
            ValueError: the name is taken (a programming error, not a user's).
        """

        def decorate(item: T) -> T:
            if name in self._items:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._items[name] = item
            return item

        return decorate

    def get(self, name: str) -> T:
        """Return the thing called ``name``.

        Raises:
            ConfigError: there is none; the closest name is suggested. Or what another distribution adds does not load.
        """
        self._discover()
        if name not in self._items:
            raise ConfigError(unknown_name(self.kind, name, self._items))
        return self._items[name]

    def names(self) -> list[str]:
        """Return every registered name, sorted."""
        self._discover()
        return sorted(self._items)

    def _discover(self) -> None:
        if self._discovered:
            return
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):
                importlib.import_module(f"{self.package}.{module.name}")
        for point in sorted(entry_points(group=self.group), key=lambda point: point.name):
            self._load(point)
        self._discovered = True

    def _load(self, point: EntryPoint) -> None:
        """Load what another distribution adds.

        Raises:
            ConfigError: it does not load (a name that is taken is an error there), or registers something else.
        """
        origin = point.dist.name if point.dist is not None else point.value
        said = f"the entry point {point.name} = {point.value} of {origin} (group {self.group})"
        try:
            point.load()
        except Exception as error:
            raise ConfigError(
                f"{said} does not load: {type(error).__name__}: {error}. Mend or uninstall {origin}."
            ) from error
        if point.name not in self._items:
            raise ConfigError(
                f"expected {said} to register a {self.kind} called {point.name!r}; it registers none. Use "
                f"@register({point.name!r}) there."
            )
