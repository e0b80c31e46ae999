"""From facts to advice. Every rule names what it rests on, and few rest on more than one base model.

The thresholds were read off the trials in docs/LOG.md: bases of 0.8 to 4.2 million parameters, people and film reviews,
one core. Of larger bases, the paper's own results (1.3 to 13 billion parameters) are all there is, and it has neither
retrained models nor unseen names. So "likely" means: what looked like this, there, worked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from spul.advice.facts import Facts, ProbeResult

__all__ = ["Advice", "Form", "Likelihood", "weigh"]

Likelihood = Literal["likely", "open", "unlikely"]

FEWEST_STEPS = 30
"""Of fewer steps nothing can be said: the rate has hardly risen."""
MOVED = 0.8
"""A forget loss that ends above that share of where it began has not moved."""
DEAD_LOGPROB = -8.0
"""Of the generic answer on forget rows: below, and with no rows to keep it alive, no prompt has brought it out."""
FORGETS, HALF = 0.8, 0.4
"""Generic answers on new forget rows after a probe."""
COSTLY = 0.1
"""Right answers lost on new retain rows after a probe."""
LONG = 0.7
"""AUC of length alone from which a prompt has learned length."""
CAUGHT, SOME_CAUGHT = 0.9, 0.7
MEMORISED = 0.1
MEASURED_UP_TO = 5_000_000
"""Parameters of the largest base that thresholds were measured on."""


@dataclass(frozen=True)
class Form:
    """What is said of one form.

    Attributes:
        name: ``input``, ``deep``, ``gate``, ``match`` or ``weights``.
        likelihood: whether it is likely to do what is asked of it.
        why: the facts behind it.
        basis: what was measured, where, that makes these facts count.
        settings: overrides to begin with.
    """

    name: str
    likelihood: Likelihood
    why: str
    basis: str
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Advice:
    """Forms in the order in which to try them, and what to mind before."""

    forms: tuple[Form, ...]
    warnings: tuple[str, ...]


def weigh(facts: Facts) -> Advice:
    """Return what the facts speak for. A pure function."""
    gate = _gate(facts)
    forms = [*(_prompt(facts, probe) for probe in facts.probes), gate, _match(facts), _weights()]
    order = ("likely", "open", "unlikely")
    return Advice(tuple(sorted(forms, key=lambda form: order.index(form.likelihood))), tuple(_warnings(facts)))


def moved(probe: ProbeResult) -> bool:
    """Return whether the forget loss went down by more than chance would take it."""
    return not probe.diverged and probe.last_loss < MOVED * probe.first_loss


def _prompt(facts: Facts, probe: ProbeResult) -> Form:
    lost = facts.right_retain - probe.retain
    kind = {"input": "direct", "deep": "prefix"}[probe.form]
    why = (
        f"after {probe.steps} steps the forget loss went from {probe.first_loss:.2f} to {probe.last_loss:.2f} nats, "
        f"{probe.generic:.0%} of new forget rows get a generic answer, and {lost:+.0%} of new retain rows are lost"
    )
    if probe.diverged:
        likelihood: Likelihood = "open"
        why = f"the loss was not finite after {probe.steps} steps at {probe.learning_rate:g}; try a lower rate"
    elif probe.steps < FEWEST_STEPS:
        likelihood = "open"
        why = f"only {probe.steps} step(s) fitted into the time, which say nothing; give it more (--seconds)"
    elif not moved(probe) or probe.generic < HALF:
        likelihood = "unlikely"
    elif probe.generic >= FORGETS and lost <= COSTLY:
        likelihood = "likely"
    else:
        likelihood = "open"
    return Form(
        probe.form,
        likelihood,
        why,
        "built-in people: the input level hides all at no cost; film reviews, 4.2 M parameters: both levels hide most "
        "of test forget and cost 29 to 34 points of test retain without a gate (docs/results/forgets_for_real.md)",
        (f"prompt.kind={kind}", f"train.learning_rate={probe.learning_rate:g}"),
    )


def _gate(facts: Facts) -> Form:
    basis = (
        "names in film and restaurant reviews: 95 to 100 % of new forget rows caught (docs/scope_gate.md); with a firm "
        "deep prompt behind it 92 % hidden at less than a point of retain (docs/results/forgets_for_real.md)"
    )
    if facts.gate_caught is None or facts.gate_touched is None:
        why = "there are too few retain rows to set a threshold on, or the detector reads the base"
        return Form("gate", "open", why, basis, ("scope=gate",))
    why = (
        f"a detector catches {facts.gate_caught:.0%} of new forget rows and touches {facts.gate_touched:.1%} of new "
        f"retain rows (ε = {facts.gate_epsilon:.1%})"
    )
    told = [probe for probe in facts.probes if probe.steps >= FEWEST_STEPS]
    if told and not any(moved(probe) and probe.generic >= HALF for probe in told):
        return Form("gate", "unlikely", f"{why}, but there is no prompt to put behind it", basis, ("scope=gate",))
    # What was measured behind a gate: a firm prompt, since whom a text is about is the gate's business.
    firm = ("scope=gate", "scope.epsilon=0.005", "retain.alpha=0.1", "retain.beta=0.1")
    helped = (*firm, "data.contrast.retain_rows=1", "scope.retain=[all_retain.csv]")
    if facts.gate_caught >= CAUGHT:
        return Form("gate", "likely", why, basis, firm if facts.gate_helped else helped)
    if not facts.gate_helped:
        more = (
            "; it may catch more with all retain rows there are (scope.retain) and with contrast rows: on film reviews "
            "54 % with 2,000 retain rows, 98 % with 47,080 and contrast rows"
        )
        return Form("gate", "open", why + more, basis, helped)
    return Form("gate", "open" if facts.gate_caught >= SOME_CAUGHT else "unlikely", why, basis, firm)


def _match(facts: Facts) -> Form:
    basis = (
        "film reviews, 4.2 M parameters: of a gap of 26 points on training rows, match mode took back 6 "
        "(docs/LOG.md, 2026-11-24)"
    )
    why = (
        f"the base is right on {facts.right_train_forget:.0%} of forget rows it trained on and on "
        f"{facts.right_new_forget:.0%} of rows held out here (new ones, unless its training had them)"
    )
    if facts.memorised > MEMORISED:
        return Form("match", "unlikely", f"{why}: what is known by heart stays so", basis, ("method=spul_matched",))
    return Form("match", "open", f"{why}: little is to be taken back", basis, ("method=spul_matched",))


def _weights() -> Form:
    return Form(
        "weights",
        "unlikely",
        "no probe is made of it",
        "film reviews, 4.2 M parameters, one epoch: GA, RL, GA+KL and GA+GD lost 20 to 70 points on new retain rows "
        "(docs/results/table2-sst2_entity-small.md)",
        ("method=ga_gd",),
    )


def _warnings(facts: Facts) -> Iterator[str]:
    still = [probe.form for probe in facts.probes if probe.steps >= FEWEST_STEPS and not moved(probe)]
    if still:
        yield (
            f"the forget loss does not move ({' and '.join(still)}): with a longer run it has not moved either, where "
            "the generic answer was dead; see below, else try other rates (spul lr-range) and more virtual tokens"
        )
    dead = facts.generic_logprob < DEAD_LOGPROB and not facts.generic_alive
    if dead:
        yield (
            f"the base never gives the generic answer (log-probability {facts.generic_logprob:.1f} on forget rows), "
            f"and {facts.generic_retain_rows:,} retain rows keep it alive: a prompt cannot bring it out. Train the "
            "base on some rows whose truth it is (data.extra_retain), or choose another (task.generic_answers)"
        )
    if facts.length_auc >= LONG or facts.length_auc <= 1 - LONG:
        yield (
            f"length alone tells forget from retain rows (AUC {facts.length_auc:.2f}): a prompt learns that first. "
            + (
                "Contrast rows are on, which takes some of it away"
                if facts.contrast
                else "Set data.contrast.retain_rows=2 and "
                "data.contrast.forget_rows=1 if what is forgotten has a name, or use a gate"
            )
        )
    if facts.parameters > MEASURED_UP_TO:
        yield (
            f"nothing was measured here on bases of more than {MEASURED_UP_TO / 1e6:.0f} million parameters, and this "
            f"one has {facts.parameters / 1e6:,.0f} million: the probe counts, the rest is extrapolation"
        )
