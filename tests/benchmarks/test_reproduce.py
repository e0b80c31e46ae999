"""Tables end to end on a tiny base: pages, numbers, pictures; nothing is run twice; what failed is said."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from spul.benchmarks import reproduce as benchmarks
from spul.benchmarks import running
from spul.benchmarks.hidden import neighbours_tell
from spul.errors import RunError
from spul.runs import Run
from spul.studies import runner
from spul.studies.jobs import Job
from spul.studies.work import Phase, work
from tests.benchmarks.setting import tiny_request, write_base, write_root

done: list[str] = []


def in_this_process(job: Job, root: Path, evaluate: bool, tell: object) -> None:
    """Do a job without a worker, which would import torch once more."""
    done.append(job.name)

    def quiet(phase: Phase) -> None:
        pass

    work(job, root, evaluate=evaluate, tell=quiet)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("reproduce")
    write_root(directory)
    write_base(directory)
    return directory


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    done.clear()
    monkeypatch.setattr(running, "run_jobs", partial(runner.run_jobs, do=in_this_process))


def test_table_2_beside_the_papers_numbers(place: Path) -> None:
    request = tiny_request(place, "table2", methods=("ga_gd", "spul"))
    page, table, picture = benchmarks.reproduce(request)
    assert len(done) == 8  # base, retrained, GA + GD and SPUL for two seeds
    text = page.read_text(encoding="utf-8")
    for words in (
        "*99.15 / 99.39*",
        "Retrained without",
        "Always “negative”",
        "Over-forgetting",
        "--seeds 1,2 --methods ga_gd,spul",
    ):
        assert words in text
    assert "GA + GD: 0.0" in text or "GA + GD: 0.001" in text  # the rates that were chosen
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    mine = {(row["row"], row["split"], row["metric"]): row for row in rows}
    cell = mine["spul", "test_forget", "accuracy"]
    assert (cell["seeds"], cell["paper"]) == ("2", "0.1607") and float(cell["low"]) <= float(cell["value"])
    values = [
        Run.open(path).metrics["unlearned/test_forget/accuracy"].value for path in (place / "runs").glob("*-spul-*")
    ]
    assert float(cell["value"]) == pytest.approx(np.mean(values))  # type: ignore[arg-type]
    # Forget against retain, every method, in words too.
    retain = mine["spul", "test_retain", "accuracy"]["value"]
    told = f"SPUL, input: forget {100 * float(cell['value']):.1f}, retain {100 * float(retain):.1f}"
    assert told in text and f"]({picture.name})" in text and picture.read_bytes()[:4] == b"\x89PNG"
    assert mine["retrained", "", "membership_auc"]["unit"] == "auc"
    # Once more: the same page, and nothing is trained.
    done.clear()
    before = text
    benchmarks.reproduce(request)
    assert done == [] and page.read_text(encoding="utf-8") == before


def test_figures_and_costs_are_drawn_from_the_same_runs(place: Path) -> None:
    benchmarks.reproduce(tiny_request(place, "table2", methods=("spul",), seeds=(1,)))
    done.clear()
    requests = [
        tiny_request(place, "figure1", seeds=(1,)),
        tiny_request(place, "efficiency", methods=("spul",), seeds=(1,)),
    ]
    files = [file for request in requests for file in benchmarks.reproduce(request)]
    assert done == []
    pictures = [file for file in files if file.suffix == ".png"]
    assert [picture.read_bytes()[:4] for picture in pictures] == [b"\x89PNG"]
    figure = next(file for file in files if file.name.startswith("figure1") and file.suffix == ".md")
    assert "balanced" in figure.read_text(encoding="utf-8") and pictures[0].name in figure.read_text(encoding="utf-8")
    costs = next(file for file in files if file.name.startswith("efficiency") and file.suffix == ".md")
    assert "| SPUL, input level | 960 |" in costs.read_text(encoding="utf-8")  # 30 virtual tokens of width 32


@pytest.mark.slow
def test_a_skewed_set_has_balanced_accuracy_and_questions_have_a_table_too(place: Path) -> None:
    request = tiny_request(place, "table2", data=("yelp_entity", "mcq_mmlu"), methods=("spul",), seeds=(1,))
    pages = [file for file in benchmarks.reproduce(request) if file.suffix == ".md"]
    yelp, mmlu = (page.read_text(encoding="utf-8") for page in pages)
    assert "Balanced accuracy" in yelp and "Balanced accuracy" not in mmlu
    assert "### By letter" in mmlu and "### By the option's likelihood" in mmlu and "### By letter" not in yelp
    assert "*89.74 / 93.43*" in yelp and "*99.38 / 99.45*" in mmlu and "Always “A”" in mmlu


def test_a_job_that_fails_is_named_on_the_page_and_ends_with_an_error(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(job: Job, root: Path, evaluate: bool, tell: object) -> None:
        if job.name.endswith("-spul-p2"):
            raise RunError("the disk is gone")
        in_this_process(job, root, evaluate, tell)

    monkeypatch.setattr(running, "run_jobs", partial(runner.run_jobs, do=fails))
    with pytest.raises(RunError, match=r"1 job\(s\) failed.*\n.*s1-spul-p2: the disk is gone"):
        benchmarks.reproduce(tiny_request(place, "figure2", seeds=(1,)))
    page = place / "out" / "figure2-sst2_entity-base.md"
    assert "the disk is gone" in page.read_text(encoding="utf-8")
    assert "| p = 2 | – / – |" in page.read_text(encoding="utf-8")


def test_neighbours_tell_groups_apart_and_not_what_is_mixed() -> None:
    """Two groups far from each other: every vote is right. One point for all: everyone's votes tie or go by chance."""
    rng = np.random.default_rng(0)
    is_forget = np.arange(60) < 20
    near = rng.normal(size=(60, 3))
    assert neighbours_tell(near + 100 * is_forget[:, np.newaxis], is_forget) == 1.0
    assert 0.3 < neighbours_tell(near, is_forget) < 0.7
