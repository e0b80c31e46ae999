from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from spul.config import RunConfig
from spul.errors import DataError, RunError
from spul.evaluation import GATED, compute_metrics, evaluate_run, recompute_metrics
from spul.runs import Run
from spul.scopes import Gate, calibrate
from spul.types import SPLIT_NAMES, Example, Splits, Wording
from tests.fakes import ANSWERS, FakeModel, FakeTask, make_sample, make_samples
from tests.metrics.free_text import ANSWERS as FREE
from tests.metrics.free_text import free_sample

LABELS = ("negative", "positive")


def make_splits(rows: int = 12) -> Splits:
    return Splits(
        **{
            split: tuple(
                Example(f"{split}-{i}", {"text": "x" * (5 + i % 4)}, LABELS[i % 2])
                for i in range(rows if split.endswith("retain") else rows // 2)
            )
            for split in SPLIT_NAMES
        }
    )


def make_models(splits: Splits) -> dict[str, FakeModel]:
    """A base that knows everything, an unlearned model that is silent on forget, a retrained one that guesses there."""
    everything = [(split, example) for split in SPLIT_NAMES for example in splits[split]]
    base = {example.id: example.answer for _, example in everything}
    unlearned = {e.id: "unknown" if split.endswith("forget") else e.answer for split, e in everything}
    retrained = {e.id: "positive" if split.endswith("forget") else e.answer for split, e in everything}
    return {"unlearned": FakeModel(unlearned), "base": FakeModel(base), "retrained": FakeModel(retrained)}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    config = RunConfig.build(
        {
            "model": {"path": "base"},
            "data": {"builtin": "fictitious"},
            "evaluation": {"bootstrap": 100},
            "output_dir": str(tmp_path),
        }
    )
    return Run.create(config, "unlearn")


def test_numbers_of_models_that_are_known_by_heart(run: Run) -> None:
    splits = make_splits()
    metrics = evaluate_run(run, make_models(splits), FakeTask(), splits)
    assert {key: metrics[f"{key}/accuracy"].value for key in ("unlearned/test_forget", "unlearned/test_retain")} == {
        "unlearned/test_forget": 0.0,
        "unlearned/test_retain": 1.0,
    }
    assert metrics["unlearned/test_forget/generic_rate"].value == 1.0
    assert metrics["base/test_forget/accuracy"].value == 1.0
    assert metrics["retrained/test_forget/accuracy"].value == 0.5
    assert metrics["unlearned/test_forget/unlearning_gap:accuracy"].value == 0.5
    assert metrics["unlearned/test_retain/retain_cost"].value == 0.0
    assert metrics["constant:positive/test_forget/accuracy"].value == 0.5
    assert metrics["unlearned/membership_auc"].value == 0.5


def test_run_says_the_same_and_the_short_key_is_the_unlearned_models(run: Run) -> None:
    splits = make_splits()
    metrics = evaluate_run(run, make_models(splits), FakeTask(), splits)
    assert dict(run.metrics) == metrics
    assert run.metrics["test_forget/accuracy"] == metrics["unlearned/test_forget/accuracy"]
    assert run.metrics["membership_auc"] == metrics["unlearned/membership_auc"]


def test_metrics_recompute_from_the_samples_alone(run: Run) -> None:
    splits = make_splits()
    before = evaluate_run(run, make_models(splits), FakeTask(), splits)
    (run.path / "metrics.json").unlink()
    assert recompute_metrics(Run.open(run.path, incomplete=True)) == before


def test_same_models_give_the_same_file_twice(run: Run) -> None:
    splits = make_splits()
    evaluate_run(run, make_models(splits), FakeTask(), splits)
    first = (run.path / "metrics.json").read_bytes()
    evaluate_run(run, make_models(splits), FakeTask(), splits)
    assert (run.path / "metrics.json").read_bytes() == first


def test_run_that_was_not_evaluated_has_nothing_to_recompute(run: Run) -> None:
    with pytest.raises(RunError, match="no samples to compute metrics from; evaluate it"):
        recompute_metrics(run)


def test_max_rows_draws_the_same_rows_for_every_model(run: Run) -> None:
    splits = make_splits(rows=40)
    run.config = run.config.model_copy(update={"evaluation": run.config.evaluation.model_copy(update={"max_rows": 10})})
    evaluate_run(run, make_models(splits), FakeTask(), splits)
    ids = {place: [sample.id for sample in run.read_samples(place)] for place in run.sample_places()}
    assert {len(found) for found in ids.values()} == {10}
    assert ids["base/test_retain"] == ids["unlearned/test_retain"] == ids["retrained/test_retain"]
    # Drawn from all of the split, not the head of it, and in the split's order.
    order = [example.id for example in splits.test_retain]
    assert ids["base/test_retain"] != order[:10]
    assert ids["base/test_retain"] == sorted(ids["base/test_retain"], key=order.index)


def test_progress_names_the_place(run: Run) -> None:
    splits, told = make_splits(), []
    evaluate_run(run, make_models(splits), FakeTask(), splits, lambda *news: told.append(news))
    assert ("base/test_retain", 12, 12) in told
    assert {where for where, _, _ in told} == set(run.sample_places())


def test_without_a_retrained_model_the_gap_is_null_with_a_reason(run: Run) -> None:
    splits = make_splits()
    models = make_models(splits)
    del models["retrained"]
    metrics = evaluate_run(run, models, FakeTask(), splits)
    gap = metrics["unlearned/test_forget/unlearning_gap:accuracy"]
    assert (gap.value, gap.low, gap.high) == (None, None, None)
    assert gap.reason is not None and "model.retrained" in gap.reason
    assert dict(run.metrics) == metrics


def test_forget_split_has_no_direction_and_retain_has() -> None:
    samples = make_samples([("positive", "positive")])
    metrics = compute_metrics({f"base/{split}": samples for split in SPLIT_NAMES}, ANSWERS, bootstrap=100)
    assert metrics["base/test_forget/accuracy"].higher_is_better is None
    assert metrics["base/test_retain/accuracy"].higher_is_better is True
    assert metrics["base/test_retain/generic_rate"].higher_is_better is False


def test_every_number_is_defined_or_says_why_not() -> None:
    places = {f"{model}/{split}": [] for model in ("unlearned", "base", "retrained") for split in SPLIT_NAMES}
    metrics = compute_metrics(places, ANSWERS, bootstrap=100)
    assert metrics
    for key, result in metrics.items():
        assert result.value is None, key
        assert result.reason, key


@pytest.mark.parametrize("score", [float("nan"), float("-inf")])
def test_scores_that_are_no_numbers_are_refused(score: float) -> None:
    """Wherever they stand; a mean of them would be none, and the exponential of the second 0, silently."""
    label, text = make_sample(), free_sample(perturbed=[0.2], paraphrase=0.5, token_logprobs=[-1.0, -1.0])
    assert text.text is not None
    for sample, answers in (
        (replace(label, logprob=score), ANSWERS),
        (replace(label, candidate_logprobs={"positive": -1.0, "unknown": score}), ANSWERS),
        (replace(label, scope_score=score), ANSWERS),
        (replace(text, text=replace(text.text, token_logprobs=(-1.0, score))), FREE),
        (replace(text, text=replace(text.text, paraphrase=Wording(score, 2))), FREE),
        (replace(text, text=replace(text.text, perturbed=(Wording(score, 2),))), FREE),
        (replace(text, text=replace(text.text, similarity=score)), FREE),
    ):
        with pytest.raises(DataError, match=r"base/test_retain, example x: expected finite numbers as scores, got"):
            compute_metrics({"base/test_retain": [sample]}, answers, bootstrap=100)


class _ByLength:
    """A detector that takes texts of eight characters for in scope."""

    name = "by_length"

    def score(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([float(len(text) == 8) for text in texts])


def test_gated_model_stands_beside_the_ungated_one(run: Run) -> None:
    """Of every split a quarter (5, 6, 7, 8 characters in turn) is in scope."""
    splits, detector = make_splits(), cast(Any, _ByLength())
    gate = Gate(detector, calibrate([0.0] * 9, 0.5), ("text",))
    metrics = evaluate_run(run, make_models(splits), FakeTask(), splits, gate=gate)
    plain, prompted, gated = (
        {s.id: s for s in run.read_samples(f"{model}/test_forget")} for model in ("base", "unlearned", GATED)
    )
    assert metrics["unlearned/test_forget/generic_rate"].value == 1.0
    assert metrics["unlearned_gated/test_forget/generic_rate"].value == 1 / 6
    assert metrics["unlearned_gated/test_forget/gate_rate"].value == 1 / 6
    assert metrics["unlearned_gated/test_retain/gate_auc"].value == pytest.approx(0.5, abs=0.05)
    assert metrics["unlearned_gated/test_forget/unlearning_gap:accuracy"].value is not None
    for id, sample in gated.items():
        within = len(next(e for e in splits.test_forget if e.id == id).fields["text"]) == 8
        source = prompted[id] if within else plain[id]
        assert sample == replace(source, scope_score=float(within), in_scope=within)
    assert recompute_metrics(run) == metrics
