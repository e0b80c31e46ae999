from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from spul.metrics import METRICS, Bootstrap, Scored
from spul.metrics.accuracy import Accuracy
from spul.metrics.membership_auc import MembershipAuc
from spul.metrics.nll import NLL
from spul.metrics.unlearning_gap import UnlearningGap
from spul.types import MetricResult, Sample
from tests.fakes import ANSWERS, make_sample, make_samples

RIGHT, WRONG = ("positive", "positive"), ("positive", "unknown")


def gaps(
    metric: UnlearningGap, samples: Mapping[str, Sequence[Sample]], resamples: int = 500
) -> dict[str, MetricResult]:
    return dict(metric.rows(Scored(samples, ANSWERS, Bootstrap(resamples))))


def test_by_hand() -> None:
    """Unlearned right on 1 of 4, retrained on 3 of 4: two quarters, whichever is above."""
    low, high = make_samples([RIGHT, WRONG, WRONG, WRONG]), make_samples([RIGHT, RIGHT, RIGHT, WRONG])
    for ours, theirs in ((low, high), (high, low)):
        rows = gaps(UnlearningGap(Accuracy()), {"unlearned/test_forget": ours, "retrained/test_forget": theirs})
        assert rows["unlearned/test_forget"].value == 0.5
        assert rows["unlearned/test_forget"].unit == "share"


def test_interval_is_paired() -> None:
    """Both models are right on the same half but for one example: paired, the difference is known far more sharply."""
    ours = [RIGHT] * 50 + [WRONG] * 50
    theirs = [RIGHT] * 51 + [WRONG] * 49
    rows = gaps(
        UnlearningGap(Accuracy()),
        {"unlearned/test_forget": make_samples(ours), "retrained/test_forget": make_samples(theirs)},
    )
    gap = rows["unlearned/test_forget"]
    assert gap.low == 0.0
    assert gap.high is not None and gap.high < 0.05


def test_interval_reaches_zero_where_the_sign_is_open() -> None:
    """30 and 32 of 60 right, on examples that have nothing to do with each other."""
    ours, theirs = [RIGHT, WRONG] * 30, [RIGHT] * 32 + [WRONG] * 28
    rows = gaps(
        UnlearningGap(Accuracy()),
        {"unlearned/test_forget": make_samples(ours), "retrained/test_forget": make_samples(theirs)},
    )
    assert rows["unlearned/test_forget"].low == 0.0


def test_models_that_always_agree_have_an_interval_all_the_same() -> None:
    """No disagreement on 48 examples leaves room for one on up to 7.4 % of all (Wilson's interval of 0 of 48)."""
    same = make_samples([WRONG] * 48)
    gap = gaps(UnlearningGap(Accuracy()), {"unlearned/test_forget": same, "retrained/test_forget": same})
    assert gap["unlearned/test_forget"].value == 0.0
    assert gap["unlearned/test_forget"].high == pytest.approx(0.0741, abs=1e-4)


@pytest.mark.parametrize("swapped", [False, True])
def test_models_that_never_agree_have_an_interval_below_one(swapped: bool) -> None:
    ours, theirs = make_samples([WRONG] * 48), make_samples([RIGHT] * 48)
    if swapped:
        ours, theirs = theirs, ours
    gap = gaps(UnlearningGap(Accuracy()), {"unlearned/test_forget": ours, "retrained/test_forget": theirs})
    assert gap["unlearned/test_forget"].low == pytest.approx(1 - 0.0741, abs=1e-4)
    assert (gap["unlearned/test_forget"].value, gap["unlearned/test_forget"].high) == (1.0, 1.0)


def test_no_retrained_model_is_undefined() -> None:
    rows = gaps(UnlearningGap(Accuracy()), {"unlearned/test_forget": make_samples([RIGHT])})
    assert rows["unlearned/test_forget"].value is None
    assert rows["unlearned/test_forget"].reason == "no retrained model was evaluated; name it in model.retrained"


def test_other_examples_are_undefined() -> None:
    ours, theirs = make_samples([RIGHT, RIGHT]), make_samples([RIGHT, RIGHT])[::-1]
    rows = gaps(UnlearningGap(Accuracy()), {"unlearned/test_forget": ours, "retrained/test_forget": theirs})
    assert rows["unlearned/test_forget"].reason == "unlearned and retrained were scored on different examples"


def test_split_that_only_one_model_saw_is_undefined() -> None:
    samples = make_samples([RIGHT])
    rows = gaps(
        UnlearningGap(Accuracy()),
        {"unlearned/test_forget": samples, "unlearned/test_retain": samples, "retrained/test_forget": samples},
    )
    assert rows["unlearned/test_retain"].reason == "the retrained model was not scored there"


def test_empty_split_is_undefined() -> None:
    rows = gaps(UnlearningGap(NLL()), {"unlearned/test_forget": [], "retrained/test_forget": []})
    assert rows["unlearned/test_forget"].reason == "the split is empty"


def test_base_has_a_gap_too_and_membership_has_one_a_model() -> None:
    def samples(shift: float) -> list[Sample]:
        return [make_sample(id=str(i), logprob=-shift - i / 10) for i in range(1, 30)]

    places = {
        f"{model}/{split}": samples(shift * (split == "test_forget"))
        for model, shift in (("unlearned", 0.0), ("base", 5.0), ("retrained", 0.0))
        for split in ("train_forget", "test_forget")
    }
    rows = gaps(UnlearningGap(MembershipAuc()), places)
    assert rows["unlearned"].value == 0.0
    assert rows["base"].value == 0.5
    assert rows["base"].unit == "auc"


def test_every_number_of_one_model_has_its_gap() -> None:
    compared = {metric.of.key for metric in UnlearningGap.variants()}
    assert {"accuracy", "weighted_f1", "nll", "membership_auc", "generic_rate_length_matched"} <= compared
    assert not any(key.startswith("membership_tpr") for key in compared)
    assert compared < {key for name in METRICS.names() for key in [m.key for m in METRICS.get(name).variants()]}
