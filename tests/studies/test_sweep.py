"""A sweep runs every point and writes what was found; what is cut off says so and goes on."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from spul.errors import ConfigError, RunError
from spul.runs import Run
from spul.stats import mean_interval
from spul.studies.jobs import Job
from spul.studies.results import over_seeds
from spul.studies.settings import StudyConfig
from spul.studies.sweep import open_study, run_sweep, status_of
from spul.types import MetricResult
from tests.studies.made import RUN, STAGES, names_in, share, study, work

METRICS = ["test_forget/accuracy", "test_retain/accuracy"]
TWO_BY_TWO: dict[str, Any] = {
    "run": RUN,
    "stages": STAGES,
    "grid": {"retain.alpha": [0.2, 1.0], "retain.beta": [0.0, 1.0]},
    "seeds": [0, 2],
    "metrics": METRICS,
}


def rows_of(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / "table.csv").read_text().splitlines()))


def test_every_point_is_run_and_found_in_the_table(tmp_path: Path) -> None:
    """Forget accuracy is α/2 + seed/100: of α = 0.2 it is 0.10 and 0.12, so 0.11."""
    document = run_sweep(study(**TWO_BY_TWO), tmp_path, do=work())
    assert document["status"] == "complete"
    assert len(names_in(tmp_path / "runs")) == 2 + 8
    rows = rows_of(tmp_path)
    assert [(row["retain.alpha"], row["retain.beta"], row["seeds_complete"]) for row in rows] == [
        ("0.2", "0.0", "2"),
        ("0.2", "1.0", "2"),
        ("1.0", "0.0", "2"),
        ("1.0", "1.0", "2"),
    ]
    assert float(rows[0]["test_forget/accuracy value"]) == pytest.approx(0.11)
    assert float(rows[1]["test_retain/accuracy value"]) == pytest.approx(0.8)
    text = (tmp_path / "table.md").read_text()
    assert "| retain.alpha | retain.beta | seeds | test_forget/accuracy | test_retain/accuracy |" in text
    assert "| base |  |  | 98.0 (93.0–100.0) | 95.0 (90.0–100.0) |" in text
    assert "Student's t over seeds" in text
    for name in ("picture", "pareto"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "study.json").read_text()) == document


@pytest.mark.usefixtures("undrawn")
def test_nothing_is_run_twice(tmp_path: Path) -> None:
    run_sweep(study(**TWO_BY_TWO), tmp_path, do=work())
    again = work()
    assert run_sweep(study(**TWO_BY_TWO), tmp_path, do=again)["status"] == "complete"
    assert again.done == []


@pytest.mark.usefixtures("undrawn")
def test_two_studies_share_the_runs_that_are_the_same(tmp_path: Path) -> None:
    runs = str(tmp_path / "runs")
    run_sweep(study(**TWO_BY_TWO, runs=runs), tmp_path / "a", do=work())
    wider = study(**{**TWO_BY_TWO, "runs": runs, "grid": {"retain.beta": [0.0, 1.0, 2.0], "retain.alpha": [0.2]}})
    more = work()
    assert run_sweep(wider, tmp_path / "b", do=more)["status"] == "complete"
    assert sorted(more.done) == ["beta-2_alpha-0.2_seed-0", "beta-2_alpha-0.2_seed-2"]


@pytest.mark.usefixtures("undrawn")
def test_what_is_cut_off_says_so_and_goes_on(tmp_path: Path) -> None:
    done = work()

    def interrupted(*arguments: Any) -> None:
        if len(done.done) == 5:
            raise KeyboardInterrupt
        done(*arguments)

    with pytest.raises(KeyboardInterrupt):
        run_sweep(study(**TWO_BY_TWO), tmp_path, do=interrupted)
    document = status_of(open_study(tmp_path, None), tmp_path)
    assert document["status"] == "incomplete"
    assert [row["seeds_complete"] for row in rows_of(tmp_path)] == ["2", "1", "0", "0"]
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert lines[3].startswith("| 0.2 | 1 | 1 of 2 | 10.0 (5.0–15.0) |")
    assert lines[4] == "| 1 | 0 | 0 of 2 | missing | missing |"
    rest = work()
    assert run_sweep(open_study(tmp_path, None), tmp_path, do=rest)["status"] == "complete"
    assert len(rest.done) == 5


@pytest.mark.usefixtures("undrawn")
def test_a_point_that_fails_is_told_and_the_others_are_run(tmp_path: Path) -> None:
    bad = {"alpha-0.2_beta-1_seed-0": "the loss is not finite"}
    document = run_sweep(study(**TWO_BY_TWO), tmp_path, do=work(failing=bad))
    assert document["status"] == "incomplete"
    assert [point["runs"][0]["status"] for point in document["points"]] == ["complete", "failed", *["complete"] * 2]
    assert document["points"][1]["runs"][0]["reason"] == "the loss is not finite"


@pytest.mark.usefixtures("undrawn")
def test_a_run_that_failed_is_told_with_its_reason(tmp_path: Path) -> None:
    plain = study(grid={"retain.alpha": [0.2]}, metrics=METRICS)

    def diverge(job: Job, root: Path, *_: object) -> None:
        run = Run.create(job.config, job.kind, path=job.directory(root))
        run.record(status="failed", reason="the loss is not finite")
        raise RunError("the loss is not finite")

    (point,) = run_sweep(plain, tmp_path, do=diverge)["points"]
    assert (point["runs"][0]["status"], point["runs"][0]["reason"]) == ("failed", "the loss is not finite")


@pytest.mark.usefixtures("undrawn")
def test_another_study_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    run_sweep(study(seeds=[0, 1], metrics=METRICS), tmp_path, do=work())
    with pytest.raises(ConfigError, match="holds another study"):
        run_sweep(study(seeds=[0, 1, 2], metrics=METRICS), tmp_path, do=work())


def test_two_processes_on_one_study_are_one_too_many(tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(RunError, match="another process"):
        run_sweep(study(seeds=[0, 1], metrics=METRICS), tmp_path, do=work())


def test_a_study_that_was_never_begun_has_no_status(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="never begun"):
        status_of(study(seeds=[0, 1]), tmp_path)


@pytest.mark.usefixtures("undrawn")
def test_a_metric_that_no_run_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'test_forget/accuracy'"):
        run_sweep(study(seeds=[0, 1], metrics=["tset_forget/accuracy"]), tmp_path, do=work())


def test_the_interval_over_seeds_by_hand() -> None:
    """0.1, 0.2, 0.3: mean 0.2, s = 0.1, t(2) = 4.3027, so ± 4.3027·0.1/√3 = 0.2484."""
    mean = over_seeds([share(0.1), share(0.2), share(0.3)])
    assert mean.value == pytest.approx(0.2)
    assert (mean.low, mean.high, mean.n) == (pytest.approx(-0.0484, abs=1e-4), pytest.approx(0.4484, abs=1e-4), 3)
    assert mean_interval([0.1]) is None
    assert over_seeds([share(0.3)]) == share(0.3)


def test_one_seed_without_a_number_leaves_the_mean_undefined() -> None:
    undefined = MetricResult(None, 5, "auc", None, reason="no member")
    mean = over_seeds([share(0.1), undefined])
    assert mean.value is None and mean.reason == "of one seed: no member"


@pytest.mark.usefixtures("undrawn")
def test_the_directory_alone_is_enough_to_go_on(tmp_path: Path) -> None:
    given = study(**TWO_BY_TWO)
    run_sweep(given, tmp_path, do=work())
    assert open_study(tmp_path, None) == given == StudyConfig.read(tmp_path / "study.yaml", {})
    with pytest.raises(ConfigError, match="expected a study"):
        open_study(tmp_path / "elsewhere", None)
