"""Which contrast rows a run trains on, and as what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import spul
from spul.api.setting import set_up
from spul.errors import ConfigError
from spul.models.prompted import PromptedModel
from spul.runs import Run
from spul.tasks import score_split
from spul.training.generic import with_answers_of
from spul.training.train import PosedRows, pose_rows
from spul.types import Splits
from tests.fakes import FakeModel, FakeTask
from tests.training.setting import config_of, write_setting

CONTRAST = ("data.contrast.retain_rows=2", "data.contrast.forget_rows=1")


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return write_setting(tmp_path_factory.mktemp("contrast"))


def posed(values: dict[str, Any], *overrides: str) -> tuple[PosedRows, Splits]:
    config = config_of(values, *CONTRAST, *overrides)
    setting = set_up(config)
    model = PromptedModel(setting.base.model, setting.base.tokenizer)
    return pose_rows(config, model, setting.task, setting.splits), setting.splits


def test_a_generic_answer_is_asked_of_contrast_rows_to_forget(values: dict[str, Any]) -> None:
    rows, splits = posed(values)
    assert len(splits.contrast_forget) == len(splits.train_forget)
    assert {q.id for q in rows.forget} == {e.id for e in (*splits.train_forget, *splits.contrast_forget)}
    assert {q.answer for q in rows.forget} <= {"neutral", "unknown"}
    assert {q.id for q in rows.retain} == {e.id for e in (*splits.train_retain, *splits.contrast_retain)}


@pytest.mark.parametrize("method", ["ga", "spul_matched"])
def test_other_aims_leave_them_out(values: dict[str, Any], method: str) -> None:
    rows, splits = posed(values, f"method={method}", "retain.alpha=1")
    assert {q.id for q in rows.forget} == {e.id for e in splits.train_forget}
    assert {q.id for q in rows.retain} >= {e.id for e in splits.contrast_retain}


def test_the_base_model_says_what_is_right_of_rows_that_it_never_saw(values: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "unseen.csv").write_text("text,label\nplain and long,positive\nshort and odd,negative\n")
    overrides = (f"data.unseen_retain=[{tmp_path / 'unseen.csv'}]", "method=spul_matched", "retain.alpha=1")
    rows, splits = posed(values, *overrides)
    said = {q.id: q.answer for q in rows.retain if q.id in {e.id for e in splits.unseen_retain}}
    setting = set_up(config_of(values, *overrides))
    model = PromptedModel(setting.base.model, setting.base.tokenizer)
    samples = score_split(model, setting.task, setting.task.pose_all(splits.unseen_retain))
    assert len(said) == 2
    assert said == {s.id: max(s.candidate_logprobs, key=lambda name, s=s: s.candidate_logprobs[name]) for s in samples}
    trained, _ = posed(values, *overrides[:1], "method=finetune")
    assert not {q.id for q in trained.retain} & set(said)


@pytest.mark.parametrize("method", ["finetune", "retrain"])
def test_no_base_or_retrained_model_sees_them(values: dict[str, Any], method: str) -> None:
    rows, splits = posed(values, f"method={method}")
    assert not {q.id for q in (*rows.forget, *rows.retain)} & {
        e.id for e in (*splits.contrast_forget, *splits.contrast_retain)
    }


def test_the_base_model_or_the_row_says_what_is_right(values: dict[str, Any]) -> None:
    own, splits = posed(values, "data.contrast.answers=own")
    said, _ = posed(values)
    right = {e.id: e.answer for e in splits.contrast_retain}
    assert {q.id: q.answer for q in own.retain if q.id in right} == right
    config = config_of(values, *CONTRAST)
    setting = set_up(config)
    model = PromptedModel(setting.base.model, setting.base.tokenizer)
    samples = score_split(model, setting.task, setting.task.pose_all(splits.contrast_retain))
    best = {s.id: max(s.candidate_logprobs, key=lambda name, s=s: s.candidate_logprobs[name]) for s in samples}
    assert {q.id: q.answer for q in said.retain if q.id in right} == best
    assert best != right, "otherwise this shows nothing"


def test_an_answer_in_free_text_is_no_choice() -> None:
    with pytest.raises(ConfigError, match="answers=own"):
        with_answers_of(FakeModel({}), FakeTask(), FakeTask().pose_all(_one()))  # type: ignore[arg-type]


def _one() -> list[Any]:
    from spul.types import Example

    return [Example("a", {"text": "x"}, "positive")]


def test_every_model_is_asked_about_other_names(values: dict[str, Any], tmp_path: Path) -> None:
    gate = ("scope=gate", "scope.epsilon=0.3")
    config = config_of(values, *CONTRAST, *gate, "train.max_steps=2", "evaluation.bootstrap=100")
    run: Run = spul.evaluate(spul.unlearn(config, directory=tmp_path / "run"))
    for model in ("unlearned", "base", "unlearned_gated"):
        found = run.metrics[f"{model}/test_forget_replaced/generic_rate"]
        assert found.n == 4
        assert found.value is not None
    assert run.metrics["unlearned_gated/test_forget_replaced/gate_rate"].n == 4
    assert "test_forget_replaced" in run.manifest.split_digests
    assert spul.report([run]).exists()
