from __future__ import annotations

from dataclasses import replace

from spul.metrics import Bootstrap, Scored
from spul.metrics.gate_auc import GateAuc
from spul.types import Sample
from tests.fakes import ANSWERS, make_sample


def side(rows: list[tuple[float | None, int]]) -> list[Sample]:
    """Samples of (score, length)."""
    return [
        replace(make_sample(id=str(i), input_tokens=length), scope_score=score, in_scope=False)
        for i, (score, length) in enumerate(rows)
    ]


def rows(forget: list[Sample], retain: list[Sample], *, matched: bool = False) -> dict[str, object]:
    samples = {"unlearned_gated/test_forget": forget, "unlearned_gated/test_retain": retain}
    return dict(GateAuc(matched).rows(Scored(samples, ANSWERS, Bootstrap(100))))


def test_by_hand() -> None:
    """Forget 3, 1 and retain 2, 0, 0: of six pairs five are the right way round; 1 < 2 is not."""
    found = rows(side([(3, 9), (1, 9)]), side([(2, 9), (0, 9), (0, 9)]))["unlearned_gated/test_retain"]
    assert (found.value, found.n, found.unit) == (5 / 6, 5, "auc")  # type: ignore[attr-defined]


def test_detector_of_length_alone_is_found_out() -> None:
    """Score = length. Retain rows are mostly short; against those as long as forget nothing is left."""
    forget = side([(20.0, 20)] * 10)
    retain = side([(20.0, 20)] * 10 + [(5.0, 5)] * 90)
    plain, matched = (rows(forget, retain, matched=m)["unlearned_gated/test_retain"] for m in (False, True))
    assert (plain.value, matched.value, matched.n) == (0.95, 0.5, 20)  # type: ignore[attr-defined]


def test_too_few_of_like_length_is_undefined() -> None:
    found = rows(side([(1.0, 50)] * 4), side([(0.0, 5)] * 9), matched=True)["unlearned_gated/test_retain"]
    assert found.value is None  # type: ignore[attr-defined]
    assert "0 of 4" in found.reason  # type: ignore[attr-defined]


def test_models_without_a_gate_have_none() -> None:
    assert not rows(side([(None, 5)]), side([(None, 5)]))
    assert [metric.key for metric in GateAuc.variants()] == ["gate_auc", "gate_auc:length_matched"]
