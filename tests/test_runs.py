"""A run directory is complete or says that it is not; what changed under it is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spul.config import RunConfig
from spul.errors import RunError
from spul.runs import Run
from spul.types import MetricResult, Sample

SAMPLE = Sample(
    id="1",
    answer="positive",
    prediction=None,
    prediction_text="of",
    restricted_prediction="positive",
    logprob=-0.5,
    num_tokens=1,
    candidate_logprobs={"positive": -0.5, "unknown": -3.0},
    input_tokens=9,
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    config = RunConfig.build(
        {"model": {"path": "m"}, "data": {"folder": "d"}, "output_dir": str(tmp_path), "name": "trial"}
    )
    return Run.create(config, "unlearn", base_digest="b", split_digests={"train_forget": "f"})


def test_a_started_run_says_so_and_how_to_go_on(run: Run) -> None:
    with pytest.raises(RunError, match=r"status is 'started'.*--resume"):
        Run.open(run.path)
    assert Run.open(run.path, incomplete=True).config == run.config


def test_a_complete_run_opens_with_all_it_had(run: Run) -> None:
    run.write_samples("unlearned/test_forget", [SAMPLE])
    run.write_metrics({"unlearned/test_forget/accuracy": MetricResult(0.5, 2, "share", True, 0.1, 0.9)})
    run.seal(status="complete", cost={"seconds": 1.5})
    opened = Run.open(run.path)
    assert opened.read_samples("unlearned/test_forget") == [SAMPLE]
    assert opened.sample_places() == ["unlearned/test_forget"]
    assert opened.metrics["test_forget/accuracy"] == MetricResult(0.5, 2, "share", True, 0.1, 0.9)
    assert opened.cost["seconds"] == 1.5
    assert opened.manifest.split_digests == {"train_forget": "f"}
    with pytest.raises(RunError, match="Did you mean 'unlearned/test_forget/accuracy'"):
        opened.metrics["test_forget/acuracy"]
    with pytest.raises(RunError, match="there are: unlearned/test_forget"):
        opened.read_samples("base/test_forget")


@pytest.mark.parametrize("damage", ["change", "remove"])
def test_a_changed_or_missing_file_is_noticed(run: Run, damage: str) -> None:
    run.seal(status="complete")
    file = run.path / "config.yaml"
    if damage == "change":
        file.write_text(file.read_text().replace("seed: 0", "seed: 1"))
    else:
        file.unlink()
    with pytest.raises(RunError, match=r"corrupt: config.yaml|configuration of run"):
        Run.open(run.path)


def test_files_being_rewritten_are_not_taken_for_corrupt(run: Run) -> None:
    run.write_metrics({})
    run.seal(status="complete")
    run.unseal("metrics.json")
    (run.path / "metrics.json").write_text('{"metrics": []}')
    Run.open(run.path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "does not read"),
        ("[]", "schema version None"),
        ('{"schema_version": 99}', "schema version 99"),
        ('{"schema_version": 1}', "does not validate"),
    ],
)
def test_a_damaged_manifest_is_a_clear_error(run: Run, text: str, message: str) -> None:
    (run.path / "manifest.json").write_text(text)
    with pytest.raises(RunError, match=message):
        Run.open(run.path)


def test_no_run_directory_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no manifest\.json"):
        Run.open(tmp_path)


def test_two_processes_do_not_write_to_one_run(run: Run) -> None:
    lock = run.lock()
    with pytest.raises(RunError, match="in use"):
        run.lock()
    lock.release()
    run.lock().release()


def test_a_line_cut_off_by_a_kill_is_left_out_of_the_log(run: Run) -> None:
    rows = [{"step": step, "loss": 1.0} for step in (1, 2, 3)]
    (run.path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 4, "lo')
    assert run.train_log() == rows
    run.truncate_train_log(2)
    assert run.train_log() == rows[:2]


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = RunConfig.build({"model": {"path": "m"}, "data": {"folder": "d"}, "output_dir": str(tmp_path / "file")})
    with pytest.raises(RunError, match="cannot make the run directory"):
        Run.create(config, "unlearn")


def test_a_score_that_is_no_number_is_an_error_and_not_a_metric(run: Run) -> None:
    run.write_samples("unlearned/test_forget", [SAMPLE])
    file = run.path / "eval" / "unlearned" / "test_forget" / "samples.jsonl"
    row = json.loads(file.read_text())
    file.write_text(json.dumps(row | {"logprob": float("nan")}) + "\n")
    with pytest.raises(RunError, match=r"NaN is no number of JSON\. Evaluate the run again"):
        run.read_samples("unlearned/test_forget")
