from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from spul.benchmarks.bases import Base
from spul.benchmarks.maker import DEEP, Arm, Maker
from spul.benchmarks.profiles import PAPER, SMALL, Profile
from spul.data.hub import PREFIX
from spul.data.sources import locate
from spul.errors import ConfigError, DataError, unknown_name
from spul.methods import METHODS
from spul.registry import Registry

__all__ = ["BENCHMARKS", "Asked", "Benchmark", "Column", "Drawn", "Section", "View"]


class Column(NamedTuple):
    """A number of every model.

    Attributes:
        heading: what it is called in the table.
        place: the split; empty for a number of the whole model; behind a view's name and a colon where it is a view's.
        metric: its key in ``metrics.json``.
    """

    heading: str
    place: str
    metric: str


class Section(NamedTuple):
    """One table of a page: models down, columns across; ``note`` says how it is read."""

    heading: str
    columns: tuple[Column, ...]
    note: str = ""


class Drawn(NamedTuple):
    """What a page draws of forget against retain: the key of a share, ``train`` or ``test``, the share in words."""

    metric: str = "accuracy"
    side: str = "test"
    what: str = "right answers"


@dataclass(frozen=True)
class View:
    """Other rows, or another way of posing them, that every model of a benchmark is scored on once it is trained.

    Attributes:
        name: what stands before a colon in the places of its numbers.
        data, task: settings of the two, complete.
        splits: the splits that are scored.
    """

    name: str
    data: Mapping[str, Any]
    task: Mapping[str, Any]
    splits: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """What a benchmark is asked to run on.

    Attributes:
        base: what everything starts from; its profile says how everything is trained.
        data: directory, or ``hf:NAME``; the benchmark's own folder under ``data_root`` if missing.
        subset: of a benchmark that has several.
        small: whether rows are cut to what a small model learns on a CPU.
        data_root, cache: where data sets are, and where derived files are kept.
        root: where the runs lie.
        make: write derived files that are not there; else plans name where they would be.
        log: told of files that are written.
    """

    base: Base
    data: str | None
    subset: str | None
    small: bool
    data_root: Path
    cache: Path
    root: Path
    make: bool
    log: Callable[[str], None]


class Benchmark(ABC):
    """Data, task, methods, settings and table, by the name it is registered under.

    A file in this package, or in one that the entry point group ``spul.benchmarks`` names, adds one: it says where the
    rows are and how they are posed (:meth:`maker`), what stands on the base (:attr:`methods`, :attr:`arms`), how it is
    trained (:attr:`profiles`) and which numbers are told (:attr:`sections`). Training, scoring, resuming and writing
    are the same for all.

    Attributes:
        name: the registered name.
        title: how it is called in tables.
        folder: its folder under the data root.
        source: where its rows come from, for an error when they are missing.
        subsets: names of parts that can be forgotten, the first of which is taken if none is named.
        methods: arms of the table if none are named.
        arms: arms that are more than a registered method, by name.
        profiles: settings for the small bases and for all others.
        sections: the tables, the most telling first: that one is printed.
        drawn: what the picture shows.
        scores_pretrained: whether the model before any fine-tuning has a row.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    folder: ClassVar[str]
    source: ClassVar[str]
    subsets: ClassVar[tuple[str, ...]] = ()
    methods: ClassVar[tuple[str, ...]] = ("ga", "rl", "ga_kl", "ga_gd", "spul", DEEP)
    arms: ClassVar[Mapping[str, Arm]] = {}
    profiles: ClassVar[Mapping[str, Profile]] = {"small": SMALL, "full": PAPER}
    sections: ClassVar[tuple[Section, ...]]
    drawn: ClassVar[Drawn] = Drawn()
    scores_pretrained: ClassVar[bool] = True

    @abstractmethod
    def maker(self, asked: Asked) -> Maker:
        """Return what makes the jobs of a seed; derived files are written where ``asked.make`` says so.

        Raises:
            DataError: the rows are not there, or are not this benchmark's.
        """

    @abstractmethod
    def about(self, asked: Asked) -> list[str]:
        """Return what the page says of rows and settings, a paragraph each."""

    def views(self, asked: Asked) -> tuple[View, ...]:
        """Return what models are scored on in place of their own splits; nothing unless said."""
        return ()

    def arm(self, name: str) -> Arm:
        """Return an arm by its name: one of the benchmark's own, or a registered method.

        Raises:
            ConfigError: there is none, or it makes a model to compare with.
        """
        if name in self.arms:
            return self.arms[name]
        known = {*METHODS.names(), *self.arms, DEEP}
        if name not in known:
            raise ConfigError(unknown_name("method", name, known))
        method = "spul" if name == DEEP else name
        if METHODS.get(method).stage == "base":
            raise ConfigError(f"{name!r} makes a model to compare with and is in every table; leave it out of --method")
        return Arm(name, method)

    def subset(self, name: str | None) -> str | None:
        """Return the subset that is meant.

        Raises:
            ConfigError: there is none of that name, or the benchmark has no subsets.
        """
        if name is None:
            return self.subsets[0] if self.subsets else None
        if not self.subsets:
            raise ConfigError(f"{self.name} has no subsets; leave out --subset")
        if name not in self.subsets:
            raise ConfigError(f"--subset: {unknown_name('subset', name, self.subsets)}")
        return name

    def place(self, asked: Asked) -> str:
        """Return the directory with the rows, absolute, or the data set on the hub.

        Raises:
            DataError: there is no such directory.
        """
        if asked.data is not None and asked.data.startswith(PREFIX):
            return asked.data
        folder = locate(asked.data) if asked.data is not None else asked.data_root / self.folder
        if not folder.is_dir():
            raise DataError(
                f"expected the rows of {self.name} in {folder}, but there is no such directory. Set --data (or "
                f"SPUL_DATA, where the folder {self.folder!r} is looked for); {self.source}."
            )
        return str(folder.absolute())


BENCHMARKS: Registry[type[Benchmark]] = Registry("benchmark", "spul.benchmarks.catalogue", group="spul.benchmarks")
