from __future__ import annotations

import pytest

from spul.reports._outcome import Outcome
from spul.reports._sections import removal_table
from spul.reports.verdict import Finding, verdict
from spul.runs import Run
from spul.types import MetricResult


def share(value: float, low: float, high: float) -> MetricResult:
    return MetricResult(value, 48, "share", None, low, high)


def told(**numbers: MetricResult) -> dict[str, Finding]:
    """What is said of numbers given as ``model__split__metric``."""
    metrics = {key.replace("__", "/"): result for key, result in numbers.items()}
    found = verdict(Outcome(metrics, ("base", "retrained", "unlearned"), ()))
    return {finding.heading: finding for finding in found}


ACCURACY = {
    "unlearned__test_forget__accuracy": share(0.0, 0.0, 0.074),
    "unlearned__test_forget__generic_rate": share(1.0, 0.926, 1.0),
    "unlearned__test_forget__restricted_accuracy": share(0.94, 0.84, 0.98),
}


def gap(name: str, value: float, low: float, high: float) -> dict[str, MetricResult]:
    return {f"unlearned__test_forget__unlearning_gap:{name}": share(value, low, high)}


def test_run_is_told_in_seven_findings(run: Run) -> None:
    findings = verdict(Outcome.of(run))
    assert [finding.heading for finding in findings] == [
        "What is suppressed",
        "What is still there",
        "What it costs",
        "Against the model that never saw it",
        "Losses",
        "Membership",
        "Length",
    ]
    assert not any("eras" in finding.text for finding in findings)


def test_over_forgetting_is_called_so() -> None:
    finding = told(
        **ACCURACY, retrained__test_forget__accuracy=share(0.4, 0.3, 0.5), **gap("accuracy", 0.4, 0.27, 0.52)
    )["Against the model that never saw it"]
    assert finding.tone == "bad"
    assert "40.0 points (27.0–52.0) below it. That is over-forgetting" in finding.text


def test_too_little_is_called_so() -> None:
    numbers = {**ACCURACY, "unlearned__test_forget__accuracy": share(0.7, 0.6, 0.8)}
    finding = told(**numbers, retrained__test_forget__accuracy=share(0.4, 0.3, 0.5), **gap("accuracy", 0.3, 0.2, 0.4))[
        "Against the model that never saw it"
    ]
    assert "30.0 points (20.0–40.0) above it: it still knows more" in finding.text


@pytest.mark.parametrize(("high", "tone"), [(0.05, "good"), (0.08, "neutral")])
def test_no_difference_is_good_only_where_a_large_one_would_have_shown(high: float, tone: str) -> None:
    finding = told(
        **ACCURACY, retrained__test_forget__accuracy=share(0.02, 0.0, 0.1), **gap("accuracy", 0.02, 0.0, high)
    )["Against the model that never saw it"]
    assert finding.tone == tone
    assert "points away, which 48 examples cannot tell from none" in finding.text


def test_without_a_retrained_model_nothing_is_claimed(alone: Run) -> None:
    findings = {finding.heading: finding for finding in verdict(Outcome.of(alone))}
    finding = findings["Against the model that never saw it"]
    assert finding.tone == "bad"
    assert "no retrained model beside this run" in finding.text


def test_hidden_knowledge_is_called_so_only_against_the_retrained_model() -> None:
    aim = {"retrained__test_forget__restricted_accuracy": share(0.5, 0.4, 0.6)}
    hidden = told(**ACCURACY, **aim, **gap("restricted_accuracy", 0.44, 0.3, 0.6))["What is still there"]
    assert (hidden.tone, "knowledge that is still there" in hidden.text) == ("bad", True)
    same = told(**ACCURACY, **aim, **gap("restricted_accuracy", 0.02, 0.0, 0.1))["What is still there"]
    assert (same.tone, "knowledge that is still there" in same.text) == ("neutral", False)
    assert "leave out the prompt" in same.text


def test_retain_cost_is_a_loss_a_gain_or_not_to_be_told() -> None:
    both = {
        "unlearned__test_retain__accuracy": share(0.95, 0.9, 0.98),
        "base__test_retain__accuracy": share(0.98, 0.95, 0.99),
    }

    def cost(value: float, low: float, high: float) -> Finding:
        return told(**both, unlearned__test_retain__retain_cost=share(value, low, high))["What it costs"]

    assert "a loss of 3.0 points (1.0–5.0)" in cost(0.03, 0.01, 0.05).text
    assert "a gain of 3.0 points (1.0–5.0)" in cost(-0.03, -0.05, -0.01).text
    unclear = cost(0.01, -0.01, 0.03)
    assert "a change of −1.0 (−3.0 to 1.0) points, which 48 examples cannot tell from none" in unclear.text
    ends = {(0.06, 0.03, 0.09): "bad", (0.03, 0.01, 0.05): "neutral", (0.01, -0.01, 0.03): "good"}
    ends |= {(0.01, -0.1, 0.1): "neutral", (-0.03, -0.05, -0.01): "good"}
    assert {numbers: cost(*numbers).tone for numbers in ends} == ends


def test_membership_signal_is_the_distance_to_the_retrained_model() -> None:
    def auc(value: float, low: float, high: float) -> MetricResult:
        return MetricResult(value, 200, "auc", None, low, high)

    pair = {
        "unlearned__membership_auc_generic": auc(0.67, 0.6, 0.74),
        "retrained__membership_auc_generic": auc(0.5, 0.4, 0.6),
    }
    key = "unlearned__unlearning_gap:membership_auc_generic"
    far = told(**pair, **{key: auc(0.17, 0.1, 0.25)})["Membership"]
    assert (far.tone, "0.170 (0.100–0.250) away from it" in far.text) == ("bad", True)
    near = told(**pair, **{key: auc(0.02, 0.0, 0.1)})["Membership"]
    assert (near.tone, "no difference that these examples show" in near.text) == ("neutral", True)
    assert told(**pair, **{key: auc(0.02, 0.0, 0.04)})["Membership"].tone == "good"


def test_membership_without_a_retrained_model_is_held_against_a_coin() -> None:
    auc = MetricResult(0.67, 200, "auc", None, 0.6, 0.74)
    assert told(unlearned__membership_auc=auc)["Membership"].tone == "bad"


def test_forgetting_by_length_is_called_so() -> None:
    rates = {**ACCURACY, "unlearned__test_retain__generic_rate": share(0.05, 0.03, 0.07)}
    by_length = told(**rates, unlearned__test_retain__generic_rate_length_matched=share(0.48, 0.4, 0.56))["Length"]
    assert (by_length.tone, "part of what it has learned is length" in by_length.text) == ("bad", True)
    fine = told(**rates, unlearned__test_retain__generic_rate_length_matched=share(0.06, 0.02, 0.12))["Length"]
    assert fine.tone == "neutral"
    reason = "only 0 of 4 forget examples have a retain example of like length"
    undefined = MetricResult(None, 0, "share", False, reason=reason)
    unknown = told(**rates, unlearned__test_retain__generic_rate_length_matched=undefined)["Length"]
    assert reason in unknown.text


def test_a_constant_predictor_is_called_so_at_ninety_nine_per_cent() -> None:
    constant = told(unlearned__test_retain__most_common_answer_rate=share(0.99, 0.95, 1.0))["Collapse"]
    assert constant.tone == "bad"
    assert (
        "The unlearned model gives 99.0\N{NO-BREAK SPACE}% (95.0–100.0) of the unseen retain examples" in constant.text
    )
    assert "constant predictor" in constant.text
    assert "Collapse" not in told(unlearned__test_retain__most_common_answer_rate=share(0.98, 0.9, 1.0))
    forget = told(unlearned__test_forget__most_common_answer_rate=share(1.0, 0.9, 1.0))
    assert "Collapse" not in forget, "one generic answer to all of forget is what is wanted"


def test_gibberish_is_called_so_where_it_is_the_rule() -> None:
    gibberish = told(retrained__test_retain__out_of_label_rate=share(0.51, 0.4, 0.6))["Collapse"]
    assert "The retrained model answers 51.0" in gibberish.text
    assert "gibberish" in gibberish.text
    assert "Collapse" not in told(unlearned__test_retain__out_of_label_rate=share(0.5, 0.4, 0.6))


def test_of_trained_weights_no_prompt_is_spoken_of() -> None:
    metrics = {"unlearned/test_forget/restricted_accuracy": share(0.4, 0.3, 0.5)}
    (finding,) = verdict(Outcome(metrics, ("base", "unlearned"), (), prompted=False))
    assert "prompt" not in finding.text
    assert removal_table(Outcome(metrics, ("base", "unlearned"), (), prompted=False)) is None
    assert removal_table(Outcome(metrics, ("base", "unlearned"), ())) is not None


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert verdict(Outcome({}, ("unlearned",), ())) == []
    assert verdict(Outcome({}, ("base",), ())) == []


MATCHED = {
    "unlearned__test_forget__accuracy": share(0.7, 0.6, 0.8),
    "unlearned__test_forget__generic_rate": share(0.0, 0.0, 0.07),
    "unlearned__test_forget__restricted_accuracy": share(0.7, 0.6, 0.8),
    "unlearned__test_retain__generic_rate": share(0.0, 0.0, 0.02),
    "unlearned__test_retain__generic_rate_length_matched": share(0.0, 0.0, 0.02),
}


def test_match_mode_is_not_blamed_for_giving_no_generic_answers() -> None:
    """It matches the retrained model: nothing speaks against it, and length is no matter without generic answers."""
    aim = {"retrained__test_forget__accuracy": share(0.7, 0.6, 0.8), **gap("accuracy", 0.0, 0.0, 0.04)}
    findings = told(**MATCHED, **aim)
    assert not [finding.heading for finding in findings.values() if finding.tone == "bad"]
    assert findings["Against the model that never saw it"].tone == "good"
    assert "Length" not in findings


def test_knowledge_left_in_match_mode_stands_behind_no_generic_answer() -> None:
    aim = {"retrained__test_forget__restricted_accuracy": share(0.5, 0.4, 0.6)}
    finding = told(**MATCHED, **aim, **gap("restricted_accuracy", 0.2, 0.1, 0.3))["What is still there"]
    assert finding.tone == "bad"
    assert "So knowledge is still there that such a model does not have." in finding.text
    assert "generic answer stands in front" not in finding.text


@pytest.mark.parametrize(
    ("ours", "tone"), [((0.1, 0.05, 0.2), "good"), ((0.4, 0.3, 0.5), "neutral"), ((0.9, 0.8, 1.0), "bad")]
)
def test_losses_nearer_the_retrained_models_than_the_bases_are_good(
    ours: tuple[float, float, float], tone: str
) -> None:
    numbers = {
        "unlearned__test_forget__loss_ks": MetricResult(ours[0], 48, "distance", False, *ours[1:]),
        "base__test_forget__loss_ks": MetricResult(0.4, 48, "distance", False, 0.3, 0.5),
    }
    assert told(**numbers)["Losses"].tone == tone


@pytest.mark.parametrize(
    ("rise", "high", "tone", "words"),
    [
        (0.004, 0.008, "good", "within the budget, by 0.0060."),
        (0.004, 0.02, "neutral", "within the budget, by 0.0060, though the interval goes beyond."),
        (0.013, 0.02, "bad", "not within the budget, beyond it by 0.0030."),
    ],
)
def test_a_budget_is_kept_or_not(rise: float, high: float, tone: str, words: str) -> None:
    budget = {"budget": 0.01, "rise": rise, "low": 0.001, "high": high, "within": rise <= 0.01, "n": 40}
    (finding,) = verdict(Outcome({}, ("base", "unlearned"), (), budget=budget))
    assert (finding.heading, finding.tone) == ("The retain budget", tone)
    assert finding.text.startswith(
        f"The loss of the true answers rose by {rise:.4f} (0.0010–{high:.4f}) nats per token"
    )
    assert finding.text.endswith(f"the budget is 0.01: {words}")


GATED = {
    "unlearned_gated__test_forget__gate_rate": share(0.8, 0.7, 0.9),
    "unlearned_gated__test_forget__accuracy": share(0.2, 0.1, 0.3),
    "unlearned_gated__test_retain__retain_cost": share(0.01, -0.01, 0.03),
}


def of_gate(low: float) -> Finding:
    numbers = {**ACCURACY, **GATED, "unlearned_gated__test_retain__gate_rate": share(0.04, low, 0.08)}
    metrics = {key.replace("__", "/"): result for key, result in numbers.items()}
    found = verdict(Outcome(metrics, ("base", "unlearned", "unlearned_gated"), (), epsilon=0.02))
    return {finding.heading: finding for finding in found}["Behind the scope gate"]


def test_gate_is_told_beside_the_prompt_in_front_of_everything() -> None:
    text = of_gate(low=0.019).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "to 80.0 % (70.0–90.0) of the unseen forget examples" in text
    assert "20.0 % (10.0–30.0) of the forget examples are answered right, against 0.0 %" in text
    assert "more than the 2 %" not in text


def test_gate_that_clearly_touches_more_than_promised_is_called_so() -> None:
    finding = of_gate(low=0.021)
    assert finding.tone == "bad"
    assert "more than the 2 % it was calibrated to" in finding.text
    assert "scope.calibration" in finding.text


def test_run_without_a_gate_has_no_finding_on_it(run: Run, gated: Run) -> None:
    said = [{finding.heading for finding in verdict(Outcome.of(one))} for one in (run, gated)]
    assert said[1] - said[0] == {"Behind the scope gate"}
