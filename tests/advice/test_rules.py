"""What the facts speak for, rule by rule, on made-up facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spul.advice import Facts, ProbeResult, weigh

DEEP = ProbeResult("deep", 100, 20.0, 0.05, first_loss=4.0, last_loss=0.5, generic=0.9, retain=0.74)
INPUT = replace(DEEP, form="input", last_loss=2.0, generic=0.5)
FACTS = Facts(
    parameters=4_000_000,
    forget_rows=200,
    retain_rows=3800,
    generic_retain_rows=300,
    generic_logprob=-4.0,
    generic_alive=0.95,
    length_auc=0.55,
    right_train_forget=0.98,
    right_new_forget=0.75,
    right_retain=0.76,
    gate_caught=0.95,
    gate_touched=0.02,
    gate_epsilon=0.02,
    gate_helped=True,
    contrast=False,
    probes=(INPUT, DEEP),
)


def likelihood(form: str, **values: Any) -> str:
    return next(one.likelihood for one in weigh(replace(FACTS, **values)).forms if one.name == form)


def warned(word: str, **values: Any) -> bool:
    return any(word in warning for warning in weigh(replace(FACTS, **values)).warnings)


def test_every_form_is_judged_once_and_says_what_it_rests_on() -> None:
    advice = weigh(FACTS)
    assert sorted(form.name for form in advice.forms) == ["deep", "gate", "input", "match", "weights"]
    assert all(form.basis and form.why and form.settings for form in advice.forms)
    order = [form.likelihood for form in advice.forms]
    assert order == sorted(order, key=("likely", "open", "unlikely").index)
    assert not advice.warnings


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "likely"),
        ({"generic": 0.7}, "open"),
        ({"generic": 0.3}, "unlikely"),
        ({"retain": 0.60}, "open"),
        ({"last_loss": 3.9}, "unlikely"),
        ({"last_loss": 3.9, "steps": 5}, "open"),
        ({"last_loss": float("nan"), "diverged": True}, "open"),
    ],
)
def test_a_prompt_is_judged_by_its_probe(values: dict[str, Any], expected: str) -> None:
    assert likelihood("deep", probes=(INPUT, replace(DEEP, **values))) == expected


@pytest.mark.parametrize(("caught", "expected"), [(0.95, "likely"), (0.8, "open"), (0.5, "unlikely"), (None, "open")])
def test_a_gate_is_judged_by_what_it_catches(caught: float | None, expected: str) -> None:
    assert likelihood("gate", gate_caught=caught) == expected


def test_a_gate_that_was_given_little_is_not_given_up() -> None:
    assert likelihood("gate", gate_caught=0.5, gate_helped=False) == "open"
    forms = {form.name: form for form in weigh(replace(FACTS, gate_caught=0.5, gate_helped=False)).forms}
    assert "data.contrast.retain_rows=1" in forms["gate"].settings
    assert "scope.retain" in forms["gate"].why


def test_a_gate_needs_a_prompt_behind_it() -> None:
    dead = tuple(replace(probe, last_loss=probe.first_loss, generic=0.0) for probe in FACTS.probes)
    assert likelihood("gate", probes=dead) == "unlikely"
    assert warned("forget loss does not move (input and deep)", probes=dead)
    few = tuple(replace(probe, steps=5) for probe in dead)
    assert likelihood("gate", probes=few) == "likely"
    assert not warned("does not move", probes=few)


def test_match_mode_takes_nothing_back_that_is_known_by_heart() -> None:
    assert likelihood("match") == "unlikely"
    assert likelihood("match", right_train_forget=0.8) == "open"


def test_warnings_name_what_to_do() -> None:
    assert warned("data.extra_retain", generic_logprob=-18.0, generic_alive=None, generic_retain_rows=0)
    assert not warned("data.extra_retain", generic_logprob=-18.0)
    assert warned("data.contrast.retain_rows=2", length_auc=0.8)
    assert warned("data.contrast.retain_rows=2", length_auc=0.2)
    assert not warned("data.contrast.retain_rows=2", length_auc=0.8, contrast=True)
    assert warned("extrapolation", parameters=1_300_000_000)
