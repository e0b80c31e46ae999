"""What is run for a table: its rows, and the jobs behind them, each a configuration in a place known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spul.benchmarks.bases import Base
from spul.benchmarks.datasets import Dataset
from spul.benchmarks.maker import DEEP, TITLES, Arm, Maker, Row
from spul.data.sources import find_file, read_rows
from spul.errors import ConfigError, DataError, unknown_name
from spul.methods import METHODS
from spul.studies.jobs import Job

__all__ = ["TABLES", "DatasetMaker", "Plan", "make_plan"]

PAPER_METHODS = ("ga", "rl", "ga_kl", "ga_gd", "spul")
OURS = (DEEP,)
SENTIMENT_ONLY = ("table3", "table4", "table5", "figure2")
"""The paper has these for SST-2 alone."""


@dataclass(frozen=True)
class Plan:
    """A table on one data set and one base.

    Attributes:
        table: ``table2``, …, ``figure1``, ``efficiency``.
        data, base, seeds: what it is on.
        root: where the runs lie.
        rows: in the table's order.
        jobs: in an order in which needs come first.
    """

    table: str
    data: Dataset
    base: Base
    seeds: tuple[int, ...]
    root: Path
    rows: tuple[Row, ...]
    jobs: tuple[Job, ...]

    @property
    def name(self) -> str:
        """What its files are called."""
        return "-".join([self.table, self.data.name, self.base.slug])

    def job_name(self, arm: str, seed: int) -> str:
        """Return the name of the job that an arm is for a seed."""
        return f"{self.data.name}-{self.base.slug}-s{seed}-{arm}"


def make_plan(
    table: str,
    data: Dataset,
    base: Base,
    seeds: Sequence[int],
    *,
    data_root: Path,
    root: Path,
    generic: Path | None,
    methods: Sequence[str] | None = None,
) -> Plan:
    """Return what is to be run for a table.

    Args:
        table: one of ``TABLES``.
        data: the data set.
        base: the model that everything starts from.
        seeds: each decides the rows that are drawn, the training and the intervals.
        data_root: where data sets are.
        root: where the runs will lie.
        generic: rows whose truth is the generic answer, for base and retrained alike.
        methods: the methods of the table; the paper's and ours if missing.

    Raises:
        ConfigError: an unknown table or method, or data of another kind than the table's.
        DataError: the data set is not there.
    """
    if table not in TABLES:
        raise ConfigError(unknown_name("table", table, TABLES))
    if table in SENTIMENT_ONLY and data.task != "classification":
        raise ConfigError(
            f"{table} of the paper is about sentiment (SST-2), but {data.name} is {data.task.replace('_', ' ')}. Take "
            "table2 or figure1, or a sentiment set: --data sst2_entity, sst2_spul or yelp_entity."
        )
    if methods is not None and table not in ("table2", "table5", "efficiency"):
        raise ConfigError(f"{table} is about SPUL alone; leave --methods out, or take table2, table5 or efficiency")
    maker = DatasetMaker(base, root, data, data_root, generic)
    extra, rows = TABLES[table](maker, methods)
    with_retrained = table != "figure1"
    # The base's own run scores the base and what it was made from; once a seed is enough.
    jobs = [job for seed in seeds for job in maker.jobs(seed, extra, with_retrained=with_retrained, beside=False)]
    return Plan(table, data, base, tuple(seeds), root, rows, tuple(jobs))


@dataclass(frozen=True)
class DatasetMaker(Maker):
    """Turns arms into jobs on one data set of the paper's kinds."""

    data: Dataset
    data_root: Path
    generic: Path | None

    def prefix(self, seed: int) -> str:
        """Return data, base and seed."""
        return f"{self.data.name}-{self.base.slug}-s{seed}"

    def starting(self) -> Mapping[str, Any]:
        """Return the epochs of the data set."""
        return {"train": {"num_epochs": self.profile.sizes_of(self.data).epochs}}

    def prompting(self) -> Mapping[str, Any]:
        """Return the steps of a prompt on the data set."""
        return {"train": {"max_steps": self.profile.sizes_of(self.data).steps}}

    def rows_to_forget(self) -> int:
        """Return how many rows there are in train_forget as it is used."""
        most = self.profile.sizes_of(self.data).max_rows.get("train_forget")
        folder = self.data.folder(self.data_root)
        file = find_file(folder, "train_forget")
        if file is None:
            raise DataError(f"expected train_forget in {folder}, but it is not there")
        count = len(read_rows(str(file)))
        return count if most is None else min(count, most)

    def common(self, seed: int, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return which rows there are and how they are posed; the same text fits in with a prompt and without."""
        profile, sizes = self.profile, self.profile.sizes_of(self.data)
        room = values.get("prompt", {}).get("num_virtual_tokens", 0)
        return {
            "data": {
                **self.data.data,
                "folder": str(self.data.folder(self.data_root).absolute()),
                "seed": seed,
                "max_rows": dict(sizes.max_rows),
                "extra_retain": [str(self.generic)] if self.generic is not None else [],
            },
            "task": {
                "name": self.data.task,
                "generic_answers": list(profile.generic_answers[self.data.task]),
                "max_length": None if sizes.max_length is None else sizes.max_length + room,
                **({} if self.data.template is None else {"template": self.data.template}),
            },
            "evaluation": {} if sizes.scored is None else {"max_rows": sizes.scored},
            "seed": seed,
        }


Made = tuple[list[Arm], tuple[Row, ...]]


def _first_rows(maker: DatasetMaker, paper: tuple[str, ...]) -> tuple[Row, ...]:
    """Return the rows without unlearning that every table has."""
    return (
        Row("pretrained", TITLES["pretrained"], "base", "pretrained", (*paper, "pretrained") if paper else ()),
        Row("base", TITLES["base"], "base", "base", (*paper, "base") if paper else ()),
        Row("retrained", TITLES["retrained"], "retrained", "retrained"),
        Row("constant", "Always {answer}", "base", "constant"),
    )


def _methods(maker: DatasetMaker, methods: Sequence[str] | None, paper: tuple[str, ...]) -> Made:
    chosen = (*PAPER_METHODS, *OURS) if methods is None else tuple(dict.fromkeys(methods))
    arms = []
    for name in chosen:
        method = "spul" if name == "spul_deep" else name
        if name not in (*PAPER_METHODS, *OURS) and name in METHODS.names() and METHODS.get(name).stage == "base":
            raise ConfigError(
                f"{name!r} makes a model to compare with and is in every table; leave it out of --methods"
            )
        METHODS.get(method)
        arms.append(Arm(name, method))
    rows = [
        Row(arm.name, TITLES.get(arm.name, f"{arm.name} (ours)"), arm.name, paper=_if_paper(paper, arm.name))
        for arm in arms
    ]
    return arms, (*_first_rows(maker, paper), *rows)


def _if_paper(paper: tuple[str, ...], name: str) -> tuple[str, ...]:
    return (*paper, name) if paper and name in PAPER_METHODS else ()


def _table2(maker: DatasetMaker, methods: Sequence[str] | None) -> Made:
    return _methods(maker, methods, () if maker.data.paper is None else (maker.data.paper,))


def _table3(maker: DatasetMaker, methods: Sequence[str] | None) -> Made:
    arms, rows = [], []
    for alpha, beta in maker.base.profile.grid:
        name = f"spul-a{alpha:g}-b{beta:g}"
        arms.append(Arm(name, "spul", {"retain": {"alpha": alpha, "beta": beta}}))
        paper = (f"{alpha:.1f},{beta:.1f}",) if maker.data.paper == "sst2" else ()
        rows.append(Row(name, f"α = {alpha:g}, β = {beta:g}", name, paper=paper))
    return arms, (*_first_rows(maker, ()), *rows)


def _table4(maker: DatasetMaker, methods: Sequence[str] | None) -> Made:
    arms, rows = [], []
    for share in maker.base.profile.shares:
        name = f"spul-tau{share}"
        count = max(1, round(share / 100 * maker.rows_to_forget()))
        # The whole set goes unnamed, so that figure 2 and table 3 have the same run.
        part = {} if share == 100 else {"data": {"max_rows": {"train_forget": count}}}
        arms.append(Arm(name, "spul", {**_BOTH_ONE, **part}))
        paper = (str(share),) if maker.data.paper == "sst2" else ()
        rows.append(Row(name, f"{share} % of the forget set ({count:,} rows)", name, paper=paper))
    return arms, (*_first_rows(maker, ()), *rows)


def _table5(maker: DatasetMaker, methods: Sequence[str] | None) -> Made:
    arms, rows = _methods(maker, methods, ("OPT-1.3B",) if maker.data.paper == "sst2" else ())
    return [replace(arm, values=_BOTH_ONE if arm.method == "spul" else {}) for arm in arms], rows


def _figure1(maker: DatasetMaker, methods: Sequence[str] | None) -> Made:
    return [Arm("spul", "spul")], (Row("spul", TITLES["spul"], "spul"),)


def _figure2(maker: DatasetMaker, methods: Sequence[str] | None) -> Made:
    arms, rows = [], []
    for length in maker.base.profile.lengths:
        name = f"spul-p{length}"
        arms.append(Arm(name, "spul", {**_BOTH_ONE, "prompt": {"num_virtual_tokens": length}}))
        rows.append(Row(name, f"p = {length}", name))
    return arms, (*_first_rows(maker, ()), *rows)


_BOTH_ONE: Mapping[str, Any] = {"retain": {"alpha": 1.0, "beta": 1.0}}
"""Tables 4 and 5 and figure 2 are at α = β = 1."""

TABLES: Mapping[str, Callable[[DatasetMaker, Sequence[str] | None], Made]] = {
    "table2": _table2,
    "table3": _table3,
    "table4": _table4,
    "table5": _table5,
    "figure1": _figure1,
    "figure2": _figure2,
    "efficiency": _table2,
}
"""What can be reproduced."""
