"""A job's place is known beforehand, and is the same for what does the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from spul.config import RunConfig
from spul.errors import ConfigError, RunError
from spul.runs import Run
from spul.studies.jobs import Job, in_order
from spul.studies.work import found_run
from tests.studies.fake import config, job


def test_the_directory_says_what_the_job_does(tmp_path: Path) -> None:
    one = Job("one", config("retain.alpha=0.5"))
    assert one.directory(tmp_path).parent == tmp_path
    assert one.directory(tmp_path).name.startswith("one-")
    assert one.directory(tmp_path) == Job("one", config("retain.alpha=0.5")).directory(tmp_path)
    assert one.directory(tmp_path) != Job("one", config("retain.alpha=0.6")).directory(tmp_path)
    assert one.model_dir(tmp_path) == one.directory(tmp_path) / "model"


def test_name_and_output_directory_do_not_change_what_a_run_is(tmp_path: Path) -> None:
    assert Job("a", config(name="x", output_dir="here")).digest(tmp_path) == Job("b", config()).digest(tmp_path)


def test_a_study_is_called_the_same_wherever_it_lies(tmp_path: Path) -> None:
    def after_base(root: Path) -> str:
        base = job("base")
        return Job("next", config(model={"path": str(base.model_dir(root))})).directory(root).name

    assert after_base(tmp_path / "here") == after_base(tmp_path / "there")


def test_what_an_environment_variable_stands_for_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a run on one base model would be taken for one on another."""
    on = Job("on", config(model={"path": "${SPUL_TEST_BASE}"}))
    monkeypatch.setenv("SPUL_TEST_BASE", "first")
    first = on.digest(tmp_path)
    monkeypatch.setenv("SPUL_TEST_BASE", "second")
    assert on.digest(tmp_path) != first


def test_what_is_as_by_default_is_not_said_and_all_else_is(tmp_path: Path) -> None:
    """Later versions have settings that this one has not; as they are by default they change nothing."""
    plain = Job("a", config()).digest(tmp_path)
    weight = RunConfig.model_fields["retain"].default.alpha
    assert Job("a", config(f"retain.alpha={weight}")).digest(tmp_path) == plain
    others = ["retain.beta=0", "objective=gradient_ascent", "task.chat=true", "seed=7", "prompt.num_virtual_tokens=3"]
    assert len({plain, *(Job("a", config(other)).digest(tmp_path) for other in others)}) == 1 + len(others)


def test_a_run_from_before_a_default_changed_is_not_taken_for_one_of_now(tmp_path: Path) -> None:
    """Its file says what the default was then, so it is as if that had been asked for."""
    job = Job("a", config())
    run = Run.create(job.config, "unlearn", path=job.directory(tmp_path))
    assert found_run(job, tmp_path) is not None
    file = run.path / "config.yaml"
    file.write_text(file.read_text().replace("warmup_ratio: 0.1", "warmup_ratio: 0.2"))
    with pytest.raises(RunError, match="another configuration"):
        found_run(job, tmp_path)


def test_a_run_of_another_name_that_does_the_same_is_found(tmp_path: Path) -> None:
    first, second = Job("first", config()), Job("second", config())
    Run.create(first.config, "unlearn", path=first.directory(tmp_path))
    assert second.directory(tmp_path) == first.directory(tmp_path)


def test_kind_is_that_of_the_method() -> None:
    assert Job("a", config(method="retrain")).kind == "finetune"
    assert Job("a", config(method="ga")).kind == "unlearn"


def test_needs_come_first_and_else_the_order_stays(tmp_path: Path) -> None:
    jobs = [job("c", "b"), job("x"), job("b", "a"), job("a")]
    assert [one.name for one in in_order(jobs, tmp_path)] == ["x", "a", "b", "c"]


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        ([job("a"), job("a", seed=9)], "every job's name once, got a"),
        ([job("a", seed=1), job("b", seed=1)], "'a' and 'b' are one and the same run"),
        ([job("base"), job("b", "bse")], "Did you mean 'base'"),
        ([job("a", "b"), job("b", "a"), job("c")], "circle: a, b"),
    ],
)
def test_jobs_that_cannot_be_run_are_refused(tmp_path: Path, jobs: list[Job], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        in_order(jobs, tmp_path)


def test_a_name_is_part_of_a_path() -> None:
    with pytest.raises(ConfigError, match="a job's name"):
        Job("../away", config())
