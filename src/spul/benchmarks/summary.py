"""From the runs of a plan to its numbers: one a row, a split and a metric, over the seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scipy.special import stdtrit

from spul.benchmarks.maker import Row
from spul.benchmarks.plan import Plan
from spul.errors import RunError
from spul.runs import Run
from spul.types import SPLIT_NAMES, MetricResult

__all__ = ["OF_MODEL", "OF_SPLIT", "Results", "SeedMean", "collect", "over_seeds"]

OF_SPLIT = (
    "accuracy",
    "weighted_f1",
    "balanced_accuracy",
    "restricted_accuracy",
    "generic_rate",
    "generic_rate_length_matched",
    "most_common_answer_rate",
    "choice_accuracy:letter",
    "choice_accuracy:likelihood",
    "choice_accuracy:likelihood_per_token",
)
OF_MODEL = ("membership_auc", "membership_auc_generic")
PLACES = (
    *((split, metric) for split in SPLIT_NAMES for metric in OF_SPLIT),
    *(("", metric) for metric in OF_MODEL),
)


@dataclass(frozen=True)
class SeedMean:
    """A number over seeds.

    Attributes:
        result: the mean; its interval is Student's t over the seeds (with one seed, the run's own bootstrap), and its
            ``n`` the examples of one seed.
        seeds: how many seeds have the number.
    """

    result: MetricResult
    seeds: int


def over_seeds(results: Sequence[MetricResult]) -> SeedMean:
    """Return the mean over seeds with its 95 % interval by Student's t: mean ± t·s/√k with k − 1 degrees of freedom.

    The interval is about another seed's number, so rows, training and chance all count in it; it is cut at the ends of
    what a share or an AUC can be. Seeds whose number is undefined are left out and counted as missing.

    Raises:
        ValueError: there are no results.
    """
    if not results:
        raise ValueError("expected at least one result")
    defined = [result for result in results if result.value is not None]
    if not defined:
        return SeedMean(results[0], 0)
    if len(defined) == 1:
        return SeedMean(defined[0], 1)
    values = [result.value for result in defined if result.value is not None]
    count, mean = len(values), sum(values) / len(values)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    half = float(stdtrit(count - 1, 0.975)) * spread / math.sqrt(count)
    low, high = mean - half, mean + half
    if defined[0].unit in ("share", "auc"):
        low, high = max(0.0, low), min(1.0, high)
    return SeedMean(replace(defined[0], value=mean, low=low, high=high), count)


@dataclass(frozen=True)
class Results:
    """The numbers of a plan.

    Attributes:
        plan: what was run.
        rows: the plan's, the constant predictors one a label.
        numbers: by row key, place (a split, or ``""``) and metric.
        runs: the runs that are complete, by job name.
        missing: why jobs have no numbers, by job name.
    """

    plan: Plan
    rows: tuple[Row, ...]
    numbers: Mapping[tuple[str, str, str], SeedMean]
    runs: Mapping[str, Run]
    missing: Mapping[str, str] = field(default_factory=dict)

    def get(self, row: str, place: str, metric: str) -> SeedMean | None:
        """Return a number, ``None`` where no run has it."""
        return self.numbers.get((row, place, metric))

    def runs_of(self, arm: str) -> list[Run]:
        """Return an arm's complete runs, in the order of the seeds."""
        names = [self.plan.job_name(arm, seed) for seed in self.plan.seeds]
        return [self.runs[name] for name in names if name in self.runs]


def collect(plan: Plan, failed: Mapping[str, str]) -> Results:
    """Read the plan's runs and return its numbers.

    Args:
        plan: what was run.
        failed: errors of jobs that are not complete, by name.

    Raises:
        RunError: not one run is complete.
    """
    runs = {job.name: Run.open(job.directory(plan.root)) for job in plan.jobs if job.name not in failed}
    if not runs:
        raise RunError(f"no run of {plan.name} is complete: " + "; ".join(f"{k}: {v}" for k, v in failed.items()))
    tables = {name: dict(run.metrics) for name, run in runs.items()}
    rows = tuple(named for row in plan.rows for named in _named(row, plan, tables))
    numbers = {}
    for row in rows:
        metrics = [tables[name] for seed in plan.seeds if (name := plan.job_name(row.arm, seed)) in tables]
        for place, metric in PLACES:
            key = "/".join(part for part in (row.model, place, metric) if part)
            found = [table[key] for table in metrics if key in table]
            if found:
                numbers[row.key, place, metric] = over_seeds(found)
    return Results(plan, rows, numbers, runs, dict(failed))


def _named(row: Row, plan: Plan, tables: Mapping[str, Mapping[str, MetricResult]]) -> list[Row]:
    """Return the row; that of the constant predictors once for every label."""
    if row.model != "constant":
        return [row]
    names = [plan.job_name(row.arm, seed) for seed in plan.seeds]
    found = dict.fromkeys(
        key.split("/")[0] for name in names for key in tables.get(name, {}) if key.startswith("constant:")
    )
    return [
        replace(row, key=model, title=row.title.format(answer=f"“{model.partition(':')[2]}”"), model=model)
        for model in found
    ]
