from __future__ import annotations

from spul.metrics import METRICS, Bootstrap, Scored
from tests.fakes import ANSWERS, make_samples

SAMPLES = make_samples([("positive", "positive"), ("negative", "unknown"), ("neutral", "neutral")])


def test_registered_names_are_those_of_their_files() -> None:
    for name in METRICS.names():
        metric = METRICS.get(name)
        assert metric.name == name
        assert metric.__module__ == f"spul.metrics.{name}"
        assert all(variant.key.partition(":")[0] == name for variant in metric.variants())


def test_equal_numbers_of_examples_share_resamples_and_streams_do_not() -> None:
    bootstrap = Bootstrap(10, seed=3)
    assert bootstrap.draw(20) is bootstrap.draw(20)
    assert (bootstrap.draw(20).counts != bootstrap.draw(20, stream=1).counts).any()
    assert (Bootstrap(10, seed=3).draw(20).counts == bootstrap.draw(20).counts).all()
    assert (Bootstrap(10, seed=4).draw(20).counts != bootstrap.draw(20).counts).any()


def test_models_and_splits_keep_their_order() -> None:
    scored = Scored({"b/x": SAMPLES, "b/y": SAMPLES, "a/x": SAMPLES}, ANSWERS, Bootstrap(10))
    assert (scored.models, scored.splits) == (["b", "a"], ["x", "y"])


def test_constant_predictors_answer_one_label_to_everything() -> None:
    constants = Scored({"base/test_retain": SAMPLES}, ANSWERS, Bootstrap(10)).constants
    assert list(constants) == ["constant:negative/test_retain", "constant:positive/test_retain"]
    always = constants["constant:positive/test_retain"]
    assert {sample.prediction for sample in always} == {"positive"}
    assert [sample.id for sample in always] == [sample.id for sample in SAMPLES]
