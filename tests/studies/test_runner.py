"""Jobs run after their needs, once, and one that fails stops only those that need it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from filelock import FileLock

from spul.errors import ConfigError, RunError
from spul.runs import Run
from spul.studies.jobs import Job
from spul.studies.progress import job_lines, summary
from spul.studies.runner import Event, run_jobs
from spul.studies.work import is_complete
from tests.studies.fake import FakeWork, config, job


def test_jobs_run_after_what_they_need(tmp_path: Path) -> None:
    work = FakeWork()
    outcomes = run_jobs([job("c", "b"), job("b", "a"), job("a")], tmp_path, do=work)
    assert work.done == ["a", "b", "c"]
    assert {name: outcome.status for name, outcome in outcomes.items()} == dict.fromkeys("abc", "complete")
    assert outcomes["c"].open().config.name == "c"


def test_what_is_complete_is_not_run_again_whatever_it_is_called(tmp_path: Path) -> None:
    run_jobs([job("a")], tmp_path, do=FakeWork())
    work, events = FakeWork(), list[Event]()
    outcomes = run_jobs([job("a"), job("b")], tmp_path, do=work, on_event=events.append)
    assert work.done == ["b"]
    assert Event("a", "skipped") in events
    other = run_jobs([Job("other", job("a").config)], tmp_path, do=work)["other"]
    assert other.skipped and other.directory == outcomes["a"].directory


def test_a_job_that_was_trained_and_not_evaluated_is_not_complete(tmp_path: Path) -> None:
    run_jobs([job("a")], tmp_path, do=FakeWork(), evaluate=False)
    assert is_complete(job("a"), tmp_path, evaluate=False)
    assert not is_complete(job("a"), tmp_path, evaluate=True)
    assert is_complete(Job("a", job("a").config, evaluate=False), tmp_path, evaluate=True)


def test_a_directory_with_a_changed_file_is_not_taken_for_a_complete_run(tmp_path: Path) -> None:
    outcome = run_jobs([job("a")], tmp_path, do=FakeWork())["a"]
    (outcome.directory / "metrics.json").write_text("{}")
    again = run_jobs([job("a"), job("b")], tmp_path, do=FakeWork())
    assert again["a"].status == "failed" and "corrupt" in str(again["a"].error)
    assert again["b"].status == "complete"


def test_a_run_that_is_not_the_one_asked_for_is_not_taken_for_it(tmp_path: Path) -> None:
    directory = job("a").directory(tmp_path)
    Run.create(config("retain.alpha=0.123"), "unlearn", path=directory)
    outcome = run_jobs([job("a")], tmp_path, do=FakeWork())["a"]
    assert outcome.status == "failed" and "another configuration" in str(outcome.error)


def test_one_that_fails_stops_only_those_that_need_it(tmp_path: Path) -> None:
    jobs = [job("bad"), job("after", "bad"), job("later", "after"), job("good")]
    outcomes = run_jobs(jobs, tmp_path, do=FakeWork({"bad": "the loss is not finite"}))
    status = {name: outcome.status for name, outcome in outcomes.items()}
    assert status == {"bad": "failed", "after": "blocked", "later": "blocked", "good": "complete"}
    assert outcomes["bad"].error == "the loss is not finite"
    text = summary(outcomes)
    assert text.splitlines() == ["4 jobs: 1 complete, 1 failed, 2 blocked", "bad: the loss is not finite"]
    healed = run_jobs(jobs, tmp_path, do=FakeWork())
    assert {outcome.status for outcome in healed.values()} == {"complete"}


def test_as_many_jobs_as_processes_run_at_a_time(tmp_path: Path) -> None:
    """Each waits until the other has begun: with one process this would never end, with two it does."""
    meeting, work = threading.Barrier(2, timeout=20), FakeWork()

    def do(*arguments: object) -> None:
        meeting.wait()
        work(*arguments)  # type: ignore[arg-type]

    outcomes = run_jobs([job("a"), job("b")], tmp_path, processes=2, do=do)
    assert {outcome.status for outcome in outcomes.values()} == {"complete"}


def test_two_runners_on_one_root_are_one_too_many(tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(RunError, match="another process is running jobs"):
        run_jobs([job("a")], tmp_path, do=FakeWork())
    run_jobs([job("a")], tmp_path, do=FakeWork())


def test_no_process_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one process"):
        run_jobs([job("a")], tmp_path, processes=0)


def test_an_interrupt_ends_it_and_the_same_call_goes_on(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs([job("a")], tmp_path, do=interrupt)
    assert run_jobs([job("a")], tmp_path, do=FakeWork())["a"].status == "complete"


def test_without_a_terminal_every_event_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with job_lines([job("a")]) as tell:
        tell(Event("a", "training"))
        tell(Event("a", "failed", "no [space] left"))
    assert capsys.readouterr().err == "a: training\na: failed: no [space] left\n"
