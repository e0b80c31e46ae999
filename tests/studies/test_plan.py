"""Which points a study has, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from spul.errors import ConfigError
from spul.studies.plan import Plan, make_plan
from spul.studies.settings import StudyConfig
from tests.studies.fake import VALUES
from tests.studies.made import RUN, STAGES, study

GRID = {"retain.alpha": [0.1, 1], "prompt.num_virtual_tokens": [5, 10, 30]}
STAGE_OF_PROMPT = {"method": "spul", "model": {"path": "builtin:demo"}}


def points(plan: Plan) -> list[tuple[Any, ...]]:
    return [tuple(point.values.values()) for point in plan.points]


def test_a_grid_is_every_combination(tmp_path: Path) -> None:
    plan = make_plan(study(grid=GRID), tmp_path)
    assert points(plan) == [(0.1, 5), (0.1, 10), (0.1, 30), (1.0, 5), (1.0, 10), (1.0, 30)]
    assert plan.points[1].jobs[0].config.prompt.num_virtual_tokens == 10
    assert plan.jobs[1].name == "alpha-0.1_num_virtual_tokens-10_seed-0"


def test_every_point_has_every_seed(tmp_path: Path) -> None:
    plan = make_plan(study(grid=GRID, seeds=[3, 4]), tmp_path)
    assert len(plan.jobs) == 12
    assert {seed: job.config.seed for seed, job in plan.points[0].jobs.items()} == {3: 3, 4: 4}


def test_seeds_alone_are_a_study(tmp_path: Path) -> None:
    plan = make_plan(study(seeds=[0, 1]), tmp_path)
    assert [job.name for job in plan.jobs] == ["seed-0", "seed-1"]


def test_list_grid_and_draws_are_crossed(tmp_path: Path) -> None:
    plan = make_plan(
        study(
            list=[{"retain.alpha": 1, "retain.beta": 0}, {"retain.alpha": 0.5, "retain.beta": 0.5}],
            grid={"method": ["spul", "ga_kl"]},
            random={"train.learning_rate": "log:1e-3:1e-1"},
            samples=3,
        ),
        tmp_path,
    )
    assert len(plan.points) == 2 * 2 * 3
    assert plan.study.fields == ("method", "train.learning_rate", "retain.alpha", "retain.beta")
    assert {point.jobs[0].config.trainable for point in plan.points} == {"prompt", "all"}, "recipes set their defaults"


def test_draws_are_seeded_within_their_range_and_more_of_them_leave_the_first_as_they_are(tmp_path: Path) -> None:
    def drawn(samples: int, seed: int = 0) -> list[tuple[Any, ...]]:
        ranges = {"train.learning_rate": "log:1e-3:1e-1", "prompt.num_virtual_tokens": "int:1:50"}
        return points(make_plan(study(random=ranges, samples=samples, draw_seed=seed), tmp_path))

    assert drawn(20)[:5] == drawn(5) != drawn(5, seed=1)
    assert all(1e-3 <= rate <= 1e-1 and 1 <= count <= 50 for rate, count in drawn(20))
    low = sum(rate < 1e-2 for rate, _ in drawn(200))
    assert 70 < low < 130, "half of a logarithmic range from 0.001 to 0.1 lies below 0.01"


def test_stages_are_made_once_and_named_by_the_runs(tmp_path: Path) -> None:
    plan = make_plan(study(run=RUN, stages=STAGES, grid=GRID, seeds=[0, 1]), tmp_path)
    assert list(plan.stages) == ["base", "retrained"]
    job = plan.points[0].jobs[0]
    assert job.needs == ("base", "retrained")
    assert job.config.model.path == str(plan.stages["base"].model_dir(tmp_path))
    assert plan.stages["retrained"].kind == "finetune" and not plan.stages["base"].evaluate
    assert plan.stages["base"].config.data.builtin == job.config.data.builtin
    assert plan.stages["base"].config.data.validation_share == 0, "a recipe's defaults hold for a stage too"


def test_stages_follow_only_the_fields_that_are_said(tmp_path: Path) -> None:
    """A base model has memorised all there is to forget, however much of it a prompt is shown."""
    values: dict[str, Any] = {"run": RUN, "stages": STAGES, "grid": {"data.forget_share": [0.5, 1.0]}, "seeds": [0, 1]}
    assert list(make_plan(study(**values), tmp_path).stages) == ["base", "retrained"]
    assert make_plan(study(**values), tmp_path).stages["base"].config.data.forget_share == 1
    following = make_plan(study(**values, stages_follow=["seed"]), tmp_path)
    assert list(following.stages) == ["base_seed-0", "retrained_seed-0", "base_seed-1", "retrained_seed-1"]
    assert following.stages["base_seed-1"].config.seed == 1
    assert following.points[0].jobs[1].needs == ("base_seed-1", "retrained_seed-1")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"grid": {"retain.alhpa": [1]}}, "Did you mean 'alpha'"),
        ({"grid": {"objektive": [1]}}, "Did you mean 'objective'"),
        ({"grid": {"retain.alpha": [1, -1]}}, "point retain.alpha=-1: retain.alpha: .*greater than or equal to 0"),
        ({"grid": {"retain.alpha": [0.5, 0.50]}}, "one and the same run"),
        ({"grid": {"lora.r": [8, 16], "retain.alpha": [1, 1.0]}}, "one and the same run"),
        ({"list": [{"retain.alpha": 0.5}, {"retain.beta": 0.5}]}, "the same fields"),
        ({"random": {"retain.alpha": "uniform:-1:1"}, "samples": 3, "search": {"goal": "max:validation/score"}}, "-1"),
        ({"run": RUN, "seeds": [0, 1]}, "unknown stage 'base'"),
        ({"seeds": [0, 1], "metrics": ["test_forget/acuracy"]}, "Did you mean 'accuracy'"),
        ({"run": RUN, "seeds": [0, 1], "stages": {**STAGES, "base": STAGE_OF_PROMPT}}, "method finetune or retrain"),
    ],
)
def test_points_that_do_not_do_are_refused(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_plan(study(**values), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "something to vary"),
        ({"girds": {}}, "Did you mean 'grid'"),
        ({"grid": {"retain.alpha": []}}, "at least one value of retain.alpha"),
        ({"grid": {"seed": [0, 1]}}, "seed is varied by `seeds`"),
        ({"grid": {"output_dir": ["a"]}}, "cannot be varied"),
        ({"grid": {"retain.alpha": [1]}, "list": [{"retain.alpha": 2}]}, "varied in two ways"),
        ({"random": {"retain.alpha": "log:1:2"}}, "`random` and `samples` together"),
        ({"random": {"retain.alpha": "lgo:1:2"}, "samples": 2}, "Did you mean 'log'"),
        ({"random": {"retain.alpha": "log:0:2"}, "samples": 2}, "begins above 0"),
        ({"random": {"retain.alpha": "uniform:2:1"}, "samples": 2}, "lower end first"),
        ({"random": {"retain.alpha": "uniform:1"}, "samples": 2}, "LOW:HIGH"),
        ({"random": {"retain.alpha": "int:1:2.5"}, "samples": 2}, "whole numbers"),
        ({"seeds": [1, 1]}, "every seed once"),
        ({"seeds": [1, 2], "list": [{}]}, "sets none"),
        ({"grid": {"retain.alpha": [1]}, "search": {"goal": "max:validation/score"}}, "from `random` alone"),
        ({"random": {"retain.alpha": "log:1:2"}, "samples": 2, "search": {"goal": "validation"}}, "search.goal"),
        ({"seeds": [1, 2], "stages_follow": ["data.seed"]}, "names what is not varied"),
    ],
)
def test_studies_that_do_not_do_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        study(**values)


def test_a_study_reads_back_as_it_was_written(tmp_path: Path) -> None:
    given = study(grid=GRID, seeds=[0, 1], random={"retain.beta": "uniform:0:1"}, samples=2)
    (tmp_path / "study.yaml").write_text(given.to_yaml())
    assert StudyConfig.read(tmp_path / "study.yaml", {}) == given


def test_a_runs_file_becomes_a_study_and_a_study_may_name_a_runs_file(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(VALUES))
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({"run": "run.yaml", "seeds": [0, 1]}))
    first = StudyConfig.read(tmp_path / "run.yaml", {"seeds": [0, 1]}, ["retain.beta=0.25"])
    second = StudyConfig.read(tmp_path / "study.yaml", {}, ["retain.beta=0.25"])
    assert first == second
    assert first.run["retain"] == {"beta": 0.25}
