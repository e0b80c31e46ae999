"""``spul benchmark`` end to end on a tiny base: the page, every number, nothing run twice, clear refusals."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from spul.benchmarks import benchmark as benchmarks
from spul.benchmarks import running
from spul.benchmarks.benchmark import Request
from spul.benchmarks.catalogue import BENCHMARKS
from spul.benchmarks.maker import Row
from spul.benchmarks.page import _rates
from spul.errors import ConfigError, DataError
from spul.studies import runner
from spul.training.search import SEARCH_FACT
from tests.benchmarks.setting import tiny_profile, write_base, write_root
from tests.benchmarks.test_reproduce import done, in_this_process


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("benchmark")
    write_root(directory)
    write_base(directory)
    return directory


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    done.clear()
    monkeypatch.setattr(running, "run_jobs", partial(runner.run_jobs, do=in_this_process))


def asked(place: Path, name: str, **values: object) -> Request:
    request = Request(
        name,
        model=str(place / "base"),
        small=True,
        out=place / "out",
        runs=place / "runs",
        data_root=place / "data",
        cache=place / "cache",
    )
    return replace(request, **values)  # type: ignore[arg-type]


def test_one_command_trains_scores_and_tells(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BENCHMARKS.get("sst2"), "profiles", {"small": tiny_profile()})
    request = asked(place, "sst2", methods=("spul",))
    page, files = benchmarks.run_benchmark(request)
    assert done == [f"sst2_entity-base-s1-{arm}" for arm in ("base", "retrained", "spul")]
    assert [row.key for row in page.scores.rows][:4] == ["pretrained", "base", "retrained", "spul"]
    text = files[0].read_text(encoding="utf-8")
    for words in ("Always “negative”", "| SPUL, input level |", "--method spul", "Seed 1."):
        assert words in text
    alt = re.search(rf"!\[(.*)\]\({files[2].name}\)", text)
    assert alt is not None
    assert re.findall(r"[.;] ([^.;]*): forget", alt[1]) == ["fine-tuned base", "retrained", "SPUL, input"]
    assert files[2].read_bytes().startswith(b"\x89PNG")
    with files[1].open(encoding="utf-8", newline="") as file:
        rows = {(row["row"], row["split"], row["metric"]): row for row in csv.DictReader(file)}
    gap = rows["spul", "test_forget", "unlearning_gap:accuracy"]
    # Every model stands beside the one retrained model, though none of the runs scored both.
    values = [float(rows[row, "test_forget", "accuracy"]["value"]) for row in ("spul", "retrained")]
    assert float(gap["value"]) == pytest.approx(abs(values[0] - values[1]), abs=1e-5)
    assert float(rows["spul", "test_retain", "accuracy"]["low"]) <= 1
    done.clear()
    assert benchmarks.run_benchmark(request).files[0].read_text(encoding="utf-8") == text
    assert done == []


def test_what_does_not_fit_is_refused_before_anything_runs(place: Path) -> None:
    for values, message in (
        ({"name": "sst"}, r"unknown benchmark 'sst'. Did you mean 'sst2'"),
        ({"methods": ("spull",)}, r"unknown method 'spull'. Did you mean 'spul'"),
        ({"methods": ("retrain",)}, "is in every table"),
        ({"subset": "sst2_entitie"}, "--subset: unknown subset 'sst2_entitie'"),
        ({"name": "mmlu", "subset": "x"}, "mmlu has no subsets"),
        ({"seeds": (1, 1)}, "expected different seeds"),
        ({"data": "hf:someone/some"}, "is read from a directory"),
    ):
        with pytest.raises(ConfigError, match=message):
            benchmarks.run_benchmark(asked(place, **{"name": "sst2", **values}))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"expected the rows of tofu in .* hf:locuslab/TOFU"):
        benchmarks.run_benchmark(asked(place, "tofu"))
    assert done == []


def test_every_arm_of_sst2_has_the_same_rows_and_the_same_tries(place: Path) -> None:
    jobs = {job.name.rpartition("-")[2]: job.config for job in benchmarks.jobs_of(asked(place, "sst2"))}
    assert all(config.data.contrast.evaluate for config in jobs.values())
    assert {config.data.validation_share for config in jobs.values()} == {0.1}
    arms = {name: config for name, config in jobs.items() if name not in ("base", "retrained")}
    matched = arms["spul_deep_matched"]
    assert {(len(c.train.learning_rate_search), c.train.search_max_steps) for c in arms.values() if c != matched} == {
        (3, 20)
    }
    assert not matched.train.learning_rate_search
    gated = {name for name, config in arms.items() if config.scope.name == "gate"}
    assert gated == {"spul_names", "spul_deep_names", "spul_deep_gate", "spul_deep_matched"}
    assert all(arms[name].scope.retain and arms[name].data.contrast.retain_rows for name in gated)
    assert matched.data.unseen_retain
    assert {name for name, config in arms.items() if config.prompt.kind == "prefix"} == {
        "spul_deep",
        "spul_deep_names",
        "spul_deep_gate",
        "spul_deep_matched",
    }
    assert arms["rl_gd"].retain.alpha == 1.0


def test_a_search_that_found_nothing_is_told() -> None:
    """Two seeds: in one no rate changed an answer, in the other one rate did and one diverged."""

    def run(*scores: float | None) -> SimpleNamespace:
        tries = [{"learning_rate": 10.0**i, "score": score} for i, score in enumerate(scores)]
        fact = {"rule": "the best", "tries": tries, "chosen": tries[-1]["learning_rate"]}
        return SimpleNamespace(manifest=SimpleNamespace(facts={SEARCH_FACT: fact}))

    runs = {"x-s1-ga": run(0.0, 0.0), "x-s2-ga": run(None, 0.2)}
    scores = SimpleNamespace(rows=[Row("ga", "GA", "ga")], runs=runs)
    (line,) = _rates(SimpleNamespace(scores=scores))  # type: ignore[arg-type]
    assert line == "GA: 10, 10 (of 1, 10; rule: the best; every rate scored 0 in 1 of 2 searches)"
    del runs["x-s1-ga"]
    assert "scored 0" not in _rates(SimpleNamespace(scores=scores))[0]  # type: ignore[arg-type]
