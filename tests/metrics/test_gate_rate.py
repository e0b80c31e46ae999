from __future__ import annotations

from dataclasses import replace

from spul.metrics import METRICS, Bootstrap, Scored
from spul.metrics.gate_rate import GateRate
from tests.fakes import ANSWERS, make_samples


def scored() -> Scored:
    """A gate that takes 3 of 4 forget examples and 1 of 10 retain examples for in scope."""
    forget = [replace(s, in_scope=i < 3, scope_score=0.0) for i, s in enumerate(make_samples([("positive", None)] * 4))]
    retain = [
        replace(s, in_scope=i < 1, scope_score=0.0) for i, s in enumerate(make_samples([("negative", None)] * 10))
    ]
    return Scored(
        {"unlearned_gated/test_forget": forget, "unlearned_gated/test_retain": retain, "base/test_retain": retain[:0]},
        ANSWERS,
        Bootstrap(100),
    )


def test_share_in_scope_and_which_way_is_better() -> None:
    rows = dict(GateRate().rows(scored()))
    forget, retain = rows["unlearned_gated/test_forget"], rows["unlearned_gated/test_retain"]
    assert (forget.value, forget.n, forget.higher_is_better) == (0.75, 4, True)
    assert (retain.value, retain.n, retain.higher_is_better) == (0.1, 10, False)
    assert retain.low is not None and retain.low < 0.1


def test_models_without_a_gate_have_none() -> None:
    samples = {"unlearned/test_retain": make_samples([("positive", "positive")])}
    assert not dict(GateRate().rows(Scored(samples, ANSWERS, Bootstrap(100))))


def test_there_is_no_gap_to_a_model_that_has_no_gate() -> None:
    keys = {metric.key for metric in METRICS.get("unlearning_gap").variants()}
    assert not {key for key in keys if "gate" in key}
