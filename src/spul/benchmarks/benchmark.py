"""Running a benchmark: train base, retrained and unlearned models, score all of them, write one page."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from spul.benchmarks.bases import SMALL_BASES, base_called
from spul.benchmarks.catalogue import BENCHMARKS, Asked, Benchmark
from spul.benchmarks.maker import Arm, Maker
from spul.benchmarks.page import Page, as_csv, as_markdown
from spul.benchmarks.pictures import trade_off_picture, write_page
from spul.benchmarks.render import Provenance
from spul.benchmarks.running import environment_of, run_plan, times_of
from spul.benchmarks.scores import score_runs
from spul.benchmarks.small_lm.corpus import default_data_root
from spul.errors import ConfigError, RunError
from spul.files import cache_directory
from spul.studies.jobs import Job

__all__ = ["Done", "Request", "jobs_of", "run_benchmark"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What is to be run.

    Attributes:
        name: registered benchmark.
        model: what everything starts from: ``small``, ``smaller``, a directory or a hub id.
        methods: names of methods or of the benchmark's own arms; its own choice if missing.
        seeds: at least one.
        subset: of a benchmark that has several.
        small: cut to what a small model learns on a CPU; so for the small bases if missing, and not for others.
        data: directory or ``hf:NAME`` with the rows; the benchmark's folder under ``data_root`` if missing.
        out: where the page goes.
        runs: where run directories lie; what is there is not run again.
        data_root, cache: ``SPUL_DATA`` and ``SPUL_CACHE`` if missing.
        processes: worker processes, of one thread each.
        kind: a benchmark in place of the registered one of that name: the same with other settings, say.
    """

    name: str
    model: str = "small"
    methods: tuple[str, ...] | None = None
    seeds: tuple[int, ...] = (1,)
    subset: str | None = None
    small: bool | None = None
    data: str | None = None
    out: Path = Path("benchmark")
    runs: Path = Path("runs/benchmark")
    data_root: Path | None = None
    cache: Path | None = None
    processes: int = 1
    kind: type[Benchmark] | None = None


class Done(NamedTuple):
    """The page, and the files that it was written to."""

    page: Page
    files: list[Path]


class _Plan(NamedTuple):
    benchmark: Benchmark
    asked: Asked
    arms: tuple[Arm, ...]
    maker: Maker
    jobs: list[Job]

    @property
    def name(self) -> str:
        parts = [self.benchmark.name, *([self.asked.subset] if self.asked.subset else []), self.asked.base.slug]
        return "-".join(parts)


def jobs_of(request: Request) -> list[Job]:
    """Return the jobs behind a benchmark, in an order in which needs come first; nothing is built or run.

    Raises:
        ConfigError: an unknown benchmark, method or subset.
        DataError: the rows are not there.
    """
    return _plan(request, make=False).jobs


def run_benchmark(request: Request) -> Done:
    """Run what is missing, compute the numbers, write page (Markdown), every number (CSV) and trade-off (PNG).

    There is a picture where the share that the benchmark draws is told of forget and retain.

    A run that is there is not run again; one that was cut off goes on.

    Raises:
        SpulError: as :func:`jobs_of`; RunError, after the page is written, if a job failed.
    """
    # What is wrong with any part of the request is found before anything is built or run.
    jobs_of(request)
    plan = _plan(request, make=True)
    errors = run_plan(plan.name, plan.jobs, plan.asked.root, request.processes)
    logger.info("computing metrics from the stored samples of %d runs", len(plan.jobs) - len(errors))
    scores = score_runs(plan.maker, plan.arms, request.seeds, plan.jobs, errors, plan.benchmark.views(plan.asked))
    subset = f", {plan.asked.subset}" if plan.asked.subset else ""
    page = Page(
        plan.name,
        f"{plan.benchmark.title}{subset}, model `{plan.asked.base.slug}`",
        plan.benchmark.about(plan.asked),
        plan.benchmark.sections,
        request.seeds,
        scores,
        Provenance(_command(request), environment_of(scores.runs.values()), **times_of(plan.name, plan.asked.root)),
    )
    drawn = trade_off_picture(scores, *plan.benchmark.drawn)
    files = write_page(request.out, page.name, as_csv(page), drawn, partial(as_markdown, page))
    if errors:
        told = "\n".join(f"{name}: {why}" for name, why in errors.items())
        raise RunError(f"{len(errors)} job(s) failed; {files[0]} says what is missing.\n{told}")
    return Done(page, files)


def _plan(request: Request, *, make: bool) -> _Plan:
    if not request.seeds or len(set(request.seeds)) < len(request.seeds):
        raise ConfigError(f"expected different seeds, at least one, got {list(request.seeds)}")
    benchmark = (request.kind or BENCHMARKS.get(request.name))()
    arms = tuple(benchmark.arm(name) for name in _distinct(request.methods or benchmark.methods))
    asked = _asked(request, benchmark, make=make)
    maker = benchmark.maker(asked)
    labels_only = benchmark.scores_pretrained
    jobs = [
        job
        for seed in request.seeds
        for job in maker.jobs(seed, arms, beside=labels_only, pretrained=benchmark.scores_pretrained)
    ]
    return _Plan(benchmark, asked, arms, maker, jobs)


def _asked(request: Request, benchmark: Benchmark, *, make: bool) -> Asked:
    data_root = request.data_root or default_data_root()
    cache = request.cache or cache_directory()
    small = request.model in SMALL_BASES if request.small is None else request.small
    base = base_called(
        request.model,
        data_root=data_root,
        cache=cache,
        profile=benchmark.profiles["small" if small else "full"],
        make=make,
        log=logger.info,
    )
    return Asked(
        base=base,
        data=request.data,
        subset=benchmark.subset(request.subset),
        small=small,
        data_root=data_root,
        cache=cache,
        root=request.runs.absolute(),
        make=make,
        log=logger.info,
    )


def _distinct(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _command(request: Request) -> str:
    """Return what makes the page again, wherever its files lie."""
    parts = ["spul", "benchmark", request.name, "--model", request.model]
    for name in _distinct(request.methods or ()):
        parts += ["--method", name]
    parts += ["--subset", request.subset] if request.subset else []
    parts += ["--seeds", ",".join(map(str, request.seeds))]
    if request.small is not None:
        parts.append("--small" if request.small else "--full")
    return shlex.join([*parts, *(["--data", request.data] if request.data else [])])
