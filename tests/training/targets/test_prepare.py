"""Targets of a tiny run: made once, from each source, bound to what they were made of; clear errors without one."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import spul
from spul.api.setting import set_up
from spul.config import RunConfig
from spul.data.loading import load_splits
from spul.errors import ConfigError
from spul.models.adapter import load_adapter
from spul.models.prompted import PromptedModel
from spul.runs import Run
from spul.tasks import score_split
from spul.training import train as train_module
from spul.training.targets import sources
from spul.training.targets.prepare import TARGET_FACT
from tests.tiny import tiny_model
from tests.training.setting import write_setting
from tests.training.test_invariants import Killed, log_and_kill


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp("targets")
    values = write_setting(directory)
    other, tokenizer = tiny_model(seed=5)
    other.save_pretrained(directory / "other")
    tokenizer.save_pretrained(directory / "other")
    pairs = itertools.product(("she", "he", "it", "they", "we", "you"), ("train", "ship", "garden", "house"))
    rows = [{"text": f"{who} was in the {what}", "label": "negative"} for who, what in pairs]
    (directory / "holdout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    values["data"] = {**values["data"], "holdout": str(directory / "holdout.jsonl")}
    values["model"] = {**values["model"], "retrained": str(directory / "other"), "pretrained": str(directory / "other")}
    return {**values, "method": "spul_matched", "objective": {"name": "matched", "source": "retrained"}}


def made(
    values: dict[str, Any], source: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[Run, dict[str, dict[str, float]]]:
    monkeypatch.setattr(sources, "FEWEST", 4)
    config = RunConfig.build(values, [f"objective.source={source}", "train.max_steps=1"])
    run = spul.unlearn(config)
    rows = [json.loads(line) for line in (run.path / "targets.jsonl").read_text().splitlines()]
    return run, {row["id"]: row["target"] for row in rows}


@pytest.mark.parametrize("source", ["retrained", "pretrained", "heldout", "tfidf"])
def test_every_source_gives_every_forget_row_probabilities(
    values: dict[str, Any], source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, targets = made(values, source, monkeypatch)
    splits = load_splits(run.config.data, fields=run.config.task.fields)
    assert set(targets) == {row.id for row in (*splits.train_forget, *splits.validation_forget)}
    for row in targets.values():
        assert set(row) == {"negative", "positive", "neutral", "unknown"}
        assert all(value >= 0 for value in row.values()) and 0 < sum(row.values()) <= 1 + 1e-9
    fact = run.manifest.facts[TARGET_FACT]
    assert (fact["source"], fact["n"]) == (source, len(targets))
    assert run.manifest.files["targets.jsonl"].sha256 == fact["sha256"]
    assert [row for row in run.train_log() if "validation_forget_overlap" in row]


def test_the_retrained_models_answers_are_the_target(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    run, targets = made(values, "retrained", monkeypatch)
    for sample in spul.evaluate(run).read_samples("retrained/train_forget"):
        for name, logprob in sample.candidate_logprobs.items():
            assert targets[sample.id][name] == pytest.approx(np.exp(logprob), rel=1e-3)


def test_held_out_confidence_takes_the_place_of_the_bases_own(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the base finds hard stays hard: the truths' new probabilities are in the order of the old ones."""
    run, targets = made(values, "heldout", monkeypatch)
    assert run.manifest.facts[TARGET_FACT]["held_out"] == 24
    samples = spul.evaluate(run).read_samples("base/train_forget")
    hardest_first = sorted(samples, key=lambda sample: sample.logprob)
    wanted = np.array([targets[sample.id][sample.answer] for sample in hardest_first])
    assert (np.diff(wanted) >= 0).all() and wanted[0] < wanted[-1]
    assert not np.allclose(wanted, [np.exp(sample.logprob) for sample in hardest_first], rtol=0.1)


def test_training_rows_are_as_unsure_as_held_out_ones_whatever_validation_holds(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, targets = made(values, "heldout", monkeypatch)
    setting = set_up(run.config)
    model = PromptedModel(setting.base.model, setting.base.tokenizer)
    held_out = [
        sample.logprob for sample in score_split(model, setting.task, setting.task.pose_all(setting.splits.holdout))
    ]
    assert setting.splits.validation_forget
    for rows in (setting.splits.train_forget, setting.splits.validation_forget):
        wanted = sorted(targets[row.id][row.answer] for row in rows)
        ranks = (np.arange(len(rows)) + 0.5) / len(rows)
        assert wanted == pytest.approx(np.exp(np.quantile(held_out, ranks, method="hazen")), rel=1e-3)


def test_a_target_is_trained_towards(values: dict[str, Any]) -> None:
    alone = ["train.max_steps=25", "train.keep=last", "retain.alpha=0", "retain.beta=0"]
    steps = [row["loss_forget"] for row in spul.unlearn(RunConfig.build(values, alone)).train_log() if "loss" in row]
    assert np.mean(steps[-5:]) < 0.5 * np.mean(steps[:5])
    assert min(steps) >= -1e-5


def test_killed_and_resumed_reads_the_same_targets_and_ends_with_the_same_prompt(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = RunConfig.build(values, ["train.max_steps=8"])
    whole = spul.unlearn(config)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(train_module, "TrainLog", log_and_kill(train_module.TrainLog, 6))
        spul.unlearn(config)
    stopped = max(Path(config.output_dir).iterdir(), key=lambda path: path.stat().st_mtime)
    before = (stopped / "targets.jsonl").stat().st_mtime_ns
    resumed = spul.unlearn(config, resume=stopped)
    assert (stopped / "targets.jsonl").stat().st_mtime_ns == before
    assert torch.equal(load_adapter(whole.adapter_dir).values, load_adapter(resumed.adapter_dir).values)


@pytest.mark.parametrize(
    ("source", "overrides", "words"),
    [
        ("pretrained", ["model.pretrained=null"], "needs model.pretrained"),
        ("retrained", ["model.retrained=null"], "needs model.retrained"),
        ("heldout", ["data.holdout=null"], "data.holdout, rows that no model saw.*got 0"),
        ("tfidf", ["data.validation_share=0", "train.keep=last"], "calibrated on validation_retain.*got 0"),
        ("tfidff", [], "Did you mean 'tfidf'.*nothing at that path"),
    ],
)
def test_a_source_that_is_missing_is_named(
    values: dict[str, Any], source: str, overrides: list[str], words: str, tmp_path: Path
) -> None:
    config = RunConfig.build(values, [f"objective.source={source}", *overrides, f"output_dir={tmp_path}"])
    with pytest.raises(ConfigError, match=words):
        spul.unlearn(config)


def test_a_run_that_saw_the_forget_set_is_no_source(values: dict[str, Any], tmp_path: Path) -> None:
    settings = {name: value for name, value in values.items() if name != "objective"} | {"trainable": "all"}
    common = ["train.max_steps=1", f"output_dir={tmp_path}"]
    seen, clean = (
        spul.finetune(RunConfig.build({**settings, "method": method}, common)) for method in ("finetune", "retrain")
    )
    with pytest.raises(ConfigError, match="was trained on the forget set"):
        spul.unlearn(RunConfig.build(values, [f"objective.source={seen.path}", *common]))
    run = spul.unlearn(RunConfig.build(values, [f"objective.source={clean.path}", *common]))
    assert run.manifest.facts[TARGET_FACT]["path"] == str(clean.path)
