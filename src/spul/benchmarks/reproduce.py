"""Making a table: find or build what it stands on, run what is not there yet, write the pages."""

from __future__ import annotations

import logging
import shlex
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from spul.benchmarks.bases import base_called, generic_rows
from spul.benchmarks.datasets import Dataset, dataset
from spul.benchmarks.hidden import embed
from spul.benchmarks.pictures import lengths_picture, states_picture, trade_off_picture, write_page
from spul.benchmarks.plan import TABLES, Plan, make_plan
from spul.benchmarks.profiles import PAPER, Profile
from spul.benchmarks.render import Provenance, as_csv, efficiency_page, states_page, table_page
from spul.benchmarks.running import environment_of, run_plan, times_of
from spul.benchmarks.small_lm.corpus import default_data_root
from spul.benchmarks.summary import Results, collect
from spul.errors import ConfigError, RunError, unknown_name
from spul.files import cache_directory, write_bytes, write_text
from spul.reports.pictures import Picture

__all__ = ["SMALL_DATA", "Request", "plans_of", "reproduce"]

logger = logging.getLogger(__name__)

SMALL_DATA = ("sst2_entity", "sst2_spul", "yelp_entity", "mcq_mmlu")
ALL = "all"


@dataclass(frozen=True)
class Request:
    """What is to be reproduced.

    Attributes:
        table: ``table2`` to ``table5``, ``figure1``, ``figure2`` or ``efficiency``; ``all`` for each of them.
        data: data sets; if empty, the four of ``SMALL_DATA`` for table 2 and efficiency, else the first of them.
        bases: names of bases; if empty the small one (for table 5 both small ones).
        methods: of tables 2 and 5; all of the paper's and ours if missing.
        seeds: at least one; intervals over seeds need two, and three are the least that say much.
        full: the paper's own settings and all rows on a small base too.
        out: where pages go.
        runs: where run directories lie.
        data_root, cache: where data sets and small bases are; ``SPUL_DATA`` and ``SPUL_CACHE`` if missing.
        processes: worker processes, of one thread each.
        profile: settings in place of those that suit a base.
    """

    table: str
    data: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    methods: tuple[str, ...] | None = None
    seeds: tuple[int, ...] = (1, 2, 3)
    full: bool = False
    out: Path = Path("reproduction")
    runs: Path = Path("runs/reproduce")
    data_root: Path | None = None
    cache: Path | None = None
    processes: int = 1
    profile: Profile | None = None


def plans_of(request: Request, *, make: bool = False) -> list[Plan]:
    """Return a plan for every table, base and data set.

    Args:
        request: what is wanted.
        make: build a small base and generic rows that are not there; else plans name where they would be.

    Raises:
        ConfigError: an unknown table, data set or method, or data that the table does not fit.
        DataError: a data set is not there.
    """
    if request.table not in (*TABLES, ALL):
        raise ConfigError(unknown_name("table", request.table, (*TABLES, ALL)))
    if not request.seeds or len(set(request.seeds)) < len(request.seeds):
        raise ConfigError(f"expected different seeds, at least one, got {list(request.seeds)}")
    tables = tuple(TABLES) if request.table == ALL else (request.table,)
    return [plan for table in tables for plan in _plans(replace(request, table=table), make=make)]


def _plans(request: Request, *, make: bool) -> list[Plan]:
    bases = request.bases or (("small", "smaller") if request.table == "table5" else ("small",))
    names = request.data or (SMALL_DATA if request.table in ("table2", "efficiency") else SMALL_DATA[:1])
    return [_plan(request, base, dataset(name), make=make) for base in bases for name in names]


def reproduce(request: Request) -> list[Path]:
    """Run what is missing and write a page (Markdown), its numbers (CSV) and pictures (PNG) for every plan.

    A run that is there is not run again; one that was cut off goes on.

    Args:
        request: what is wanted.

    Returns:
        The files that were written, pages first.

    Raises:
        SpulError: as :func:`plans_of`; RunError, after all pages are written, if a job failed.
    """
    # What is wrong with any part of the request is found before anything is built or run.
    plans_of(request)
    written: list[Path] = []
    failed: dict[str, str] = {}
    for plan in plans_of(request, make=True):
        errors = run_plan(plan.name, plan.jobs, plan.root, request.processes)
        results = collect(plan, errors)
        provenance = Provenance(
            _command(request, plan), environment_of(results.runs.values()), **times_of(plan.name, plan.root)
        )
        written += _write(results, request.out, provenance)
        failed |= errors
    if failed:
        told = "\n".join(f"{name}: {why}" for name, why in failed.items())
        raise RunError(f"{len(failed)} job(s) failed; the pages in {request.out} say what is missing.\n{told}")
    return sorted(written, key=lambda path: path.suffix != ".md")


def _plan(request: Request, base_name: str, data: Dataset, *, make: bool) -> Plan:
    data_root = request.data_root or default_data_root()
    cache = request.cache or cache_directory()
    profile = request.profile or (PAPER if request.full else None)
    base = base_called(base_name, data_root=data_root, cache=cache, profile=profile, make=make, log=logger.info)
    sizes = base.profile.sizes_of(data)
    generic = None
    if sizes.generic_rows:
        data.folder(data_root)
        generic = generic_rows(data, sizes, data_root=data_root, cache=cache, make=make, log=logger.info)
    return make_plan(
        request.table,
        data,
        base,
        request.seeds,
        data_root=data_root,
        root=request.runs.absolute(),
        generic=generic,
        methods=request.methods,
    )


def _command(request: Request, plan: Plan) -> str:
    """Return what makes the plan's page again, wherever its files lie."""
    seeds = ",".join(map(str, plan.seeds))
    parts = ["spul", "reproduce", plan.table, "--data", plan.data.name, "--base", plan.base.name, "--seeds", seeds]
    if request.methods is not None:
        parts += ["--methods", ",".join(request.methods)]
    return shlex.join([*parts, *(["--full"] if request.full else [])])


def _write(results: Results, out: Path, provenance: Provenance) -> list[Path]:
    plan = results.plan
    page, table, picture = (out / f"{plan.name}{suffix}" for suffix in (".md", ".csv", ".png"))
    if plan.table == "figure1":
        found = embed(results.runs_of("spul")[0], seed=plan.seeds[0])
        write_bytes(picture, states_picture(found, f"Last hidden states at the answer position, {plan.data.title}"))
        write_text(page, states_page(results, found, picture.name, provenance))
        return [page, picture]
    if plan.table == "efficiency":
        write_text(table, as_csv(results))
        write_text(page, efficiency_page(results, provenance))
        return [page, table]
    return write_page(out, plan.name, as_csv(results), _picture(results), partial(table_page, results, provenance))


def _picture(results: Results) -> Picture | None:
    return lengths_picture(results) if results.plan.table == "figure2" else trade_off_picture(results)
