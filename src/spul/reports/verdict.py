"""What a run's numbers say, in plain words: collapse, what is hidden, what it costs, over-forgetting, membership."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from spul.reports._numbers import bare, interval, number, signed
from spul.reports._outcome import Outcome
from spul.types import MetricResult

__all__ = ["Finding", "verdict"]

FORGET, RETAIN = "test_forget", "test_retain"
CLOSE = 0.05
"""A difference whose interval ends within that (5 points, or 0.05 of an AUC) is small, whatever its sign."""

SOME = 0.05
"""Up to that share of generic answers on the forget set, a generic answer is not what was taught."""

CONSTANT = 0.99
"""A model that gives that share of the retain examples one answer, though their truths differ, is a constant."""
GIBBERISH = 0.5
"""A model that gives more than that share of the retain examples no answer of the task at all talks gibberish."""

Tone = Literal["good", "bad", "neutral"]
MEMBERSHIP = (
    ("membership_auc", "the loss"),
    ("membership_auc_generic", "the probability of a generic answer"),
)


class Finding(NamedTuple):
    """One thing that the numbers say.

    Attributes:
        heading: a few words.
        text: sentences with the numbers in them.
        tone: whether it speaks for the run, against it, or neither. Too few examples to tell is neither.
    """

    heading: str
    text: str
    tone: Tone


def verdict(outcome: Outcome) -> list[Finding]:
    """Return what there is to say of the unlearned model; nothing where there is none.

    Every finding but that of the budget is about the test splits: examples of the same kinds that no model was trained
    on. The budget is of the validation part, by which the weights were set. All but that on the scope gate are about
    the prompt in front of every query.
    """
    if "unlearned" not in outcome.models:
        return []
    tellers: tuple[Callable[[Outcome], Finding | None], ...] = (
        _collapse,
        _suppressed,
        _still_there,
        _retain_cost,
        _budget,
        _against_retrained,
        _losses,
        _membership,
        _length,
        _gate,
    )
    return [finding for teller in tellers if (finding := teller(outcome)) is not None]


def _collapse(outcome: Outcome) -> Finding | None:
    """Say which models no longer read what they are asked.

    On retain examples, where answers must differ: that all forget examples are answered alike is what a generic answer
    does.
    """
    parts = []
    for model in ("unlearned", "base", "retrained"):
        same, other = (outcome.get(model, RETAIN, name) for name in ("most_common_answer_rate", "out_of_label_rate"))
        if same is not None and same.value is not None and same.value >= CONSTANT:
            parts.append(
                f"The {model} model gives {_per_cent(same)} of the unseen retain examples one and the same answer: it "
                "has become a constant predictor, and its other numbers are those of a constant."
            )
        elif other is not None and other.value is not None and other.value > GIBBERISH:
            parts.append(
                f"The {model} model answers {_per_cent(other)} of the unseen retain examples with what is neither a "
                "label nor a generic answer: it has become gibberish, and a low forget accuracy says nothing."
            )
    return Finding("Collapse", " ".join(parts), "bad") if parts else None


def _suppressed(outcome: Outcome) -> Finding | None:
    right, generic = (outcome.get("unlearned", FORGET, name) for name in ("accuracy", "generic_rate"))
    if not _all_defined(right, generic):
        return None
    base = outcome.get("base", FORGET, "accuracy")
    before = f"; the base model gives it for {_per_cent(base)}" if _all_defined(base) else ""
    text = (
        f"The unlearned model gives the true answer for {_per_cent(right)} of the unseen forget examples{before}. "
        f"For {_per_cent(generic)} it gives a generic answer instead."
    )
    return Finding("What is suppressed", text, "neutral")


def _still_there(outcome: Outcome) -> Finding | None:
    right = outcome.get("unlearned", FORGET, "restricted_accuracy")
    if not _all_defined(right):
        return None
    text = f"Allowed to answer with the task's labels only, it is right on {_per_cent(right)} of the same examples"
    retrained = outcome.get("retrained", FORGET, "restricted_accuracy")
    gap = outcome.get("unlearned", FORGET, "unlearning_gap:restricted_accuracy")
    more = (
        _all_defined(retrained)
        and _clear(gap)
        and (outcome.value("unlearned", FORGET, "restricted_accuracy") or 0)
        > (outcome.value("retrained", FORGET, "restricted_accuracy") or 0)
    )
    if _all_defined(retrained):
        text += f"; a model that never saw the forget set, on {_per_cent(retrained)}"
    text += ". "
    if more:
        text += (
            "So the generic answer stands in front of knowledge that is still there. "
            if _says_generic(outcome)
            else "So knowledge is still there that such a model does not have. "
        )
    if outcome.prompted:
        text += "Whoever can leave out the prompt has the base model back, with all it knows."
    return Finding("What is still there", text.rstrip(), "bad" if more else "neutral")


def _retain_cost(outcome: Outcome) -> Finding | None:
    cost = outcome.get("unlearned", RETAIN, "retain_cost")
    right, before = (outcome.get(model, RETAIN, "accuracy") for model in ("unlearned", "base"))
    if cost is None or cost.value is None or not _all_defined(right, before):
        return None
    text = f"On unseen retain examples accuracy goes from {_per_cent(before)} to {_per_cent(right)}: "
    if not _clear(cost):
        text += f"a change of {signed(_negated(cost))} points, which {cost.n:,} examples cannot tell from none."
        return Finding("What it costs", text, _tone(cost))
    word = "a loss" if cost.value > 0 else "a gain"
    text += f"{word} of {bare(_absolute(cost))} points {interval(_absolute(cost))}."
    return Finding("What it costs", text, _tone(cost) if cost.value > 0 else "good")


def _budget(outcome: Outcome) -> Finding | None:
    """Say whether the retain loss stayed in its budget, by how much, and how sure that is."""
    found = outcome.budget
    if found is None:
        return None
    ends = "" if found["low"] is None else f" ({found['low']:.4f}–{found['high']:.4f})"
    left = found["budget"] - found["rise"]
    start = (
        f"The loss of the true answers rose by {found['rise']:.4f}{ends} nats per token on the {found['n']:,} "
        f"validation examples of retain; the budget is {found['budget']:g}: "
    )
    if found["within"]:
        unsure = (
            "" if found["high"] is None or found["high"] <= found["budget"] else ", though the interval goes beyond"
        )
        text = f"within the budget, by {left:.4f}{unsure}."
        return Finding("The retain budget", start + text, "neutral" if unsure else "good")
    text = f"not within the budget, beyond it by {-left:.4f}."
    return Finding("The retain budget", start + text, "bad")


def _against_retrained(outcome: Outcome) -> Finding | None:
    ours, aim = (outcome.get(model, FORGET, "accuracy") for model in ("unlearned", "retrained"))
    heading = "Against the model that never saw it"
    if ours is None or ours.value is None:
        return None
    if aim is None or aim.value is None:
        text = (
            "There is no retrained model beside this run, so nobody can say whether too much or too little is "
            "forgotten: a low forget accuracy is no merit in itself."
        )
        return Finding(heading, text, "bad")
    gap = outcome.get("unlearned", FORGET, "unlearning_gap:accuracy")
    start = f"A model retrained without the forget set is right on {_per_cent(aim)} of the unseen forget examples. "
    generic = outcome.get("retrained", FORGET, "generic_rate")
    if _all_defined(generic):
        start += f"It gives a generic answer for {_per_cent(generic)}. "
    if not _clear(gap):
        text = f"The unlearned model is {number(gap)} points away, which {ours.n:,} examples cannot tell from none."
        return Finding(heading, start + text, _tone(gap))
    assert gap is not None
    size = f"{bare(gap)} points {interval(gap)}"
    if ours.value < aim.value:
        text = (
            f"The unlearned model is {size} below it. That is over-forgetting: the silence itself shows that something "
            "was taken away."
        )
    else:
        text = (
            f"The unlearned model is {size} above it: it still knows more than a model that never saw the forget set."
        )
    return Finding(heading, start + text, "bad")


def _losses(outcome: Outcome) -> Finding | None:
    """Say whether the losses became more like the retrained model's: the whole distribution, not its mean."""
    ours, before = (outcome.get(model, FORGET, "loss_ks") for model in ("unlearned", "base"))
    if ours is None or before is None or ours.low is None or ours.high is None or before.low is None:
        return None
    text = (
        "The losses of the unseen forget examples, as a distribution, are "
        f"{number(ours)} away from the retrained model's (Kolmogorov–Smirnov distance, 0 to 1); the "
        f"base model's, {number(before)}."
    )
    nearer, farther = ours.high < before.low, before.high is not None and ours.low > before.high
    return Finding("Losses", text, "good" if nearer else "bad" if farther else "neutral")


def _membership(outcome: Outcome) -> Finding | None:
    told = [_membership_by(outcome, metric, words) for metric, words in MEMBERSHIP]
    parts = [part for part in told if part is not None]
    if not parts:
        return None
    start = "Can one tell from the answers which forget examples were trained on? 0.5 is no better than a coin. "
    tones = {tone for _, tone in parts}
    worst: Tone = "bad" if "bad" in tones else "neutral" if "neutral" in tones else "good"
    return Finding("Membership", start + " ".join(text for text, _ in parts), worst)


def _membership_by(outcome: Outcome, metric: str, words: str) -> tuple[str, Tone] | None:
    ours, aim = (outcome.get(model, "", metric) for model in ("unlearned", "retrained"))
    gap = outcome.get("unlearned", "", f"unlearning_gap:{metric}")
    if ours is None or not _all_defined(ours):
        return None
    text = f"By {words}, an AUC of {number(ours)}"
    if not _all_defined(aim, gap):
        signal = ours.low is not None and ours.high is not None and not ours.low <= 0.5 <= ours.high
        return text + ".", "bad" if signal else "neutral"
    far = f"{number(gap)} away from it" if _clear(gap) else "no difference that these examples show"
    return f"{text}, against {number(aim)} for the retrained model: {far}.", _tone(gap)


def _length(outcome: Outcome) -> Finding | None:
    if not _says_generic(outcome):
        return None
    matched = outcome.get("unlearned", RETAIN, "generic_rate_length_matched")
    everywhere, forget = (outcome.get("unlearned", split, "generic_rate") for split in (RETAIN, FORGET))
    if matched is None or not _all_defined(everywhere, forget):
        return None
    if matched.value is None:
        return Finding("Length", f"Whether it goes by length cannot be said: {matched.reason}.", "neutral")
    text = (
        f"On retain examples as long as the forget examples it gives a generic answer for {_per_cent(matched)}; on all "
        f"of retain, for {_per_cent(everywhere)}; on forget, for {_per_cent(forget)}. "
    )
    by_length = (matched.low or 0.0) > (everywhere.high if everywhere and everywhere.high is not None else 1.0)
    if by_length:
        text += "So part of what it has learned is length, not who or what is to be forgotten."
        return Finding("Length", text, "bad")
    return Finding("Length", text + "It does not go by length as far as this shows.", "neutral")


def _says_generic(outcome: Outcome) -> bool:
    """Return whether generic answers are what the unlearned model gives at all: in match mode they are not."""
    rates = [outcome.value("unlearned", split, "generic_rate") for split in ("train_forget", FORGET)]
    return any((rate or 0.0) > SOME for rate in rates)


def _gate(outcome: Outcome) -> Finding | None:
    """Say what the scope gate lets the prompt at, and what comes of it; nothing else here is about the gated model."""
    caught, touched = (outcome.get("unlearned_gated", split, "gate_rate") for split in (FORGET, RETAIN))
    right, plain = (outcome.get(model, FORGET, "accuracy") for model in ("unlearned_gated", "unlearned"))
    cost = outcome.get("unlearned_gated", RETAIN, "retain_cost")
    if caught is None or touched is None or not _all_defined(caught, touched, right, plain):
        return None
    text = (
        f"The gate applies the prompt to {_per_cent(caught)} of the unseen forget examples and to {_per_cent(touched)} "
        f"of the unseen retain examples; all others get the base model's answer. So {_per_cent(right)} of the forget "
        f"examples are answered right, against {_per_cent(plain)} with the prompt in front of everything"
    )
    text += f", and retain accuracy changes by {signed(_negated(cost))} points." if _all_defined(cost) and cost else "."
    if outcome.epsilon is not None and touched.low is not None and touched.low > outcome.epsilon:
        text += (
            f" That is more than the {100 * outcome.epsilon:g} % it was calibrated to: these retain examples are not "
            "like the calibration rows. Calibrate on queries like those that will be asked (scope.calibration)."
        )
        return Finding("Behind the scope gate", text, "bad")
    return Finding("Behind the scope gate", text, _tone(cost))


def _all_defined(*results: MetricResult | None) -> bool:
    return all(result is not None and result.value is not None for result in results)


def _clear(result: MetricResult | None) -> bool:
    """Return whether the interval of a difference leaves out zero."""
    return (
        result is not None
        and result.low is not None
        and result.high is not None
        and not (result.low <= 0 <= result.high)
    )


def _tone(difference: MetricResult | None) -> Tone:
    """Return ``bad`` for a difference that shows, ``good`` for one that is small, ``neutral`` for both or neither."""
    if difference is None or difference.low is None or difference.high is None:
        return "neutral"
    small = max(abs(difference.low), abs(difference.high)) <= CLOSE
    if _clear(difference) == small:
        return "neutral"
    return "good" if small else "bad"


def _per_cent(result: MetricResult | None) -> str:
    ends = interval(result) if result is not None else ""
    return f"{bare(result)}\N{NO-BREAK SPACE}% {ends}".rstrip()


def _negated(result: MetricResult) -> MetricResult:
    low, high = (None if end is None else -end for end in (result.high, result.low))
    return MetricResult(-(result.value or 0.0), result.n, result.unit, None, low, high)


def _absolute(result: MetricResult) -> MetricResult:
    return _negated(result) if (result.value or 0.0) < 0 else result
