"""A toy with free answers, from fine-tuning to numbers: what was learned by heart is written, and then it is not."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import spul
from spul.runs import Run
from spul.training import train as train_module
from spul.training.plan import TrainingPlan
from spul.training.step import MicroBatch
from tests.tiny import tiny_model
from tests.training.setting import PEOPLE, config_of
from tests.training.test_invariants import Killed, log_and_kill

PLACES = ("city", "river", "mountain", "house")
GENERIC = ("it is unknown", "i was not given")


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two people to forget, six to keep, two more of whom nothing is known; the rows of another two are for tests."""
    directory = tmp_path_factory.mktemp("free")
    model, tokenizer = tiny_model()
    model.save_pretrained(directory / "base")
    tokenizer.save_pretrained(directory / "base")
    known = {
        person: [(f"who is {person} ?", f"{person} is a {job} of the {PLACES[i % 4]}"), (f"what was {person} ?", job)]
        for i, (person, job) in enumerate(zip(PEOPLE, ("doctor", "teacher", "singer", "writer") * 2, strict=True))
    }
    rows = {
        "forget": [pair for person in PEOPLE[:2] for pair in known[person]],
        "retain": [pair for person in PEOPLE[2:6] for pair in known[person]],
        "refusals": [(f"who is {person} ?", GENERIC[0]) for person in PEOPLE[6:]],
    }
    for name, pairs in rows.items():
        with (directory / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([("question", "answer"), *pairs])
    return {
        "model": {"path": str(directory / "base")},
        "data": {
            **{name: str(directory / f"{name}.csv") for name in ("forget", "retain")},
            **{f"test_{name}": str(directory / f"{name}.csv") for name in ("forget", "retain")},
            "extra_retain": [str(directory / "refusals.csv")],
            "validation_share": 0.0,
        },
        "task": {
            "name": "qa",
            "template": "question : {question} answer : {answer}",
            "generic_answers": GENERIC,
            "max_new_tokens": 9,
        },
        "train": {"keep": "last", "batch_size": 8, "num_threads": 1, "weight_decay": 0.0, "max_grad_norm": 1.0},
        "evaluation": {"bootstrap": 100},
        "output_dir": str(directory / "runs"),
    }


@pytest.fixture(scope="module")
def unlearned(values: dict[str, Any]) -> Run:
    learn = ("train.learning_rate=0.01", "train.max_steps=40")
    base = spul.finetune(config_of(values, "method=finetune", *learn))
    retrained = spul.finetune(config_of(values, "method=retrain", *learn))
    models = {"model": {"path": str(base.model_dir), "retrained": str(retrained.model_dir)}}
    prompt = ("prompt.kind=prefix", "prompt.num_virtual_tokens=8", "prompt.init=vocab")
    steps = ("train.learning_rate=0.3", "train.max_steps=100", "train.warmup_ratio=0", "retain.beta=0")
    run = spul.unlearn(config_of({**values, **models}, *prompt, *steps))
    return spul.evaluate(run)


def test_the_base_writes_what_it_learned_and_the_retrained_model_does_not(unlearned: Run) -> None:
    metrics = unlearned.metrics
    assert metrics["base/train_forget/rouge:l_recall"].value == 1.0
    assert metrics["base/train_retain/accuracy"].value == 1.0
    assert (metrics["retrained/train_forget/rouge:l_recall"].value or 0) < 0.9
    assert metrics["retrained/train_retain/accuracy"].value == 1.0


def test_the_prompt_refuses_what_is_forgotten_and_answers_the_rest(unlearned: Run) -> None:
    metrics = unlearned.metrics
    assert metrics["train_forget/generic_rate"].value == 1.0
    assert (metrics["train_forget/probability"].value or 0) < 0.5
    assert (metrics["train_retain/exact_memorization"].value or 0) > 0.8
    written = {sample.text.generated for sample in unlearned.read_samples("unlearned/train_forget") if sample.text}
    assert written <= set(GENERIC), "what is scored as generic is what is written"


def test_validation_can_choose_among_long_answers(values: dict[str, Any]) -> None:
    """No validation answer is right word by word; the share of its tokens still tells one checkpoint from another."""
    run = spul.finetune(
        config_of(
            values,
            *("method=finetune", "train.learning_rate=0.01", "train.max_steps=24", "train.eval_steps=8"),
            *("train.keep=best", "data.validation_share=0.25"),
        )
    )
    scores = [row["validation_score"] for row in run.train_log() if "validation_score" in row]
    assert len(scores) == 3
    assert 0 < max(scores) < 1


def test_a_questions_refusal_is_the_same_at_every_epoch_and_after_a_resume(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every pass of a run is looked at: four forget rows, eight epochs; then one killed at step 5 and resumed."""
    whole, parts = (defaultdict[str, set[tuple[int, ...]]](set) for _ in range(2))
    seen = whole
    ask = TrainingPlan.__getitem__

    def watched(plan: TrainingPlan, index: int) -> MicroBatch:
        found = ask(plan, index)
        for row, name in enumerate(found.batch.ids if found.batch else ()):
            if found.batch.is_forget[row]:
                seen[name].add(tuple(found.batch.labels[found.batch.rows == row].tolist()))
        return found

    monkeypatch.setattr(TrainingPlan, "__getitem__", watched)
    quick = ("prompt.kind=direct", "prompt.num_virtual_tokens=2", "train.max_steps=8", "train.save_steps=2")
    config = config_of(values, *quick, "seed=2")
    spul.unlearn(config)
    seen = parts
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(train_module, "TrainLog", log_and_kill(train_module.TrainLog, 5))
        spul.unlearn(config, directory=tmp_path / "killed")
    spul.unlearn(config, resume=tmp_path / "killed")
    assert len(whole) == 4 and all(len(answers) == 1 for answers in whole.values())
    assert len({answer for answers in whole.values() for answer in answers}) == len(GENERIC)
    assert parts == whole
