"""Which texts teach the detector, and which set the threshold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spul.data.settings import DataSettings
from spul.errors import ConfigError, DataError
from spul.scopes import Gate, learn_gate
from spul.scopes.learn import divide
from spul.scopes.settings import ScopeSettings
from spul.types import Example, Splits
from tests.scopes.made import FORGOTTEN, KEPT, texts

DATA = DataSettings(builtin="fictitious")


def examples(rows: list[str], answer: str = "positive") -> tuple[Example, ...]:
    return tuple(Example(f"{answer}{i}", {"text": text, "title": "x"}, answer) for i, text in enumerate(rows))


def splits(retain: int = 200) -> Splits:
    plain = examples([f"rock number {i} is heavy" for i in range(20)], "neutral")
    return Splits(
        train_forget=examples(texts(FORGOTTEN, 40, 0)),
        train_retain=(*examples(texts(KEPT, retain, 1)), *plain),
        test_forget=(),
        test_retain=(),
        validation_retain=examples(texts(KEPT, 20, 5)),
    )


def learn(settings: ScopeSettings, data: Splits | None = None) -> Gate:
    return learn_gate(settings, data or splits(), DATA, fields=("text", "title"), generic_answers=("neutral",))


def test_calibration_texts_teach_nothing_and_all_else_does() -> None:
    forget, retain = texts(FORGOTTEN, 30, 0), texts(KEPT, 100, 1)
    found = divide(forget, retain, ["plain fact here"], None, share=0.25, seed=0)
    assert set(found.forget) == set(forget)
    assert len(found.calibration) == 25
    assert not set(found.calibration) & set(found.retain)
    assert set(found.calibration) | set(found.retain) == {*retain, "plain fact here"}
    assert "plain fact here" in found.retain, "it is not like what will be asked"


def test_contrast_rows_teach_that_other_names_are_out_of_scope() -> None:
    """Every forget text has the word ``meadow`` too; the contrast rows say that it is not what counts."""
    from dataclasses import replace

    plain = splits()
    forget = examples([f"{row.fields['text']} meadow" for row in plain.train_forget])
    contrast = examples([f"{text} meadow" for text in texts(KEPT, 40, 7)])
    without, with_them = (
        learn(ScopeSettings(name="gate", epsilon=0.1), replace(plain, train_forget=forget, contrast_retain=rows))
        for rows in ((), contrast)
    )
    asked = [f"{text} meadow" for text in texts(KEPT, 20, 8)]
    assert sum(without.in_scope(asked)) > 10, "otherwise this shows nothing"
    assert sum(with_them.in_scope(asked)) < 3
    assert with_them.calibration.n == without.calibration.n


def test_phrases_of_one_forget_text_stay_together() -> None:
    """Ten sentences of the forget set and two phrases of each that are kept: no sentence has one on either side."""
    forget = [f"anna {i} is one bright star and {i} more are here now" for i in range(10)]
    first = [f"{i} is one bright star" for i in range(10)]
    second = [f"and {i} more are here" for i in range(10)]
    alone = [f"clara{i}" for i in range(20)]
    found = divide(forget, [*first, *second, *alone], (), None, share=0.5, seed=1)
    held = set(found.calibration)
    assert held & set(first), "otherwise this shows nothing"
    assert all((a in held) == (b in held) for a, b in zip(first, second, strict=True))
    assert len(found.forget) == 10, "the forget set is always learned from"


def test_seed_decides_what_is_held_out() -> None:
    forget, retain = texts(FORGOTTEN, 30, 0), texts(KEPT, 100, 1)
    one, same, other = (divide(forget, retain, (), None, share=0.25, seed=s).calibration for s in (0, 0, 1))
    assert one == same != other


def test_text_on_both_sides_counts_as_forget() -> None:
    found = divide(["anna sings"], ["Anna  sings!", "clara sings", "david plays"], (), None, share=0.5, seed=0)
    assert {*found.retain, *found.calibration} == {"clara sings", "david plays"}


def test_given_calibration_texts_are_used_as_they_are() -> None:
    retain = texts(KEPT, 50, 1)
    given = [retain[0].upper(), *texts(KEPT, 20, 9)]
    found = divide(texts(FORGOTTEN, 10, 0), retain, (), given, share=0.25, seed=0)
    assert found.calibration == given
    assert retain[0] not in found.retain


def test_nothing_left_to_learn_from() -> None:
    with pytest.raises(DataError, match="got 1, 0 and 1"):
        divide(["anna sings"], ["clara sings"], (), None, share=0.5, seed=0)


def test_gate_of_a_run(caplog: pytest.LogCaptureFixture) -> None:
    gate = learn(ScopeSettings(name="gate", epsilon=0.05))
    assert gate.calibration.n == 55, "a quarter of 200 + 20; the plain facts are not calibrated on"
    assert gate.facts["retain_rows"] == 200 + 20 - 55 + 20
    assert gate.fields == ("text", "title")
    caught = gate.in_scope([gate.text({"text": text, "title": "x"}) for text in texts(FORGOTTEN, 40, 7)])
    touched = gate.in_scope([gate.text({"text": text, "title": "x"}) for text in texts(KEPT, 200, 8)])
    assert sum(caught) == 40
    assert sum(touched) / 200 < 0.1


def test_named_fields_alone_are_read() -> None:
    gate = learn(ScopeSettings(name="gate", epsilon=0.05, fields=("text",)))
    assert gate.text({"text": "a", "title": "b"}) == "a"
    with pytest.raises(ConfigError, match="Did you mean 'title'"):
        learn(ScopeSettings(name="gate", fields=("titel",)))


def test_calibration_and_more_retain_rows_from_files(tmp_path: Path) -> None:
    """Neither needs answers."""
    for name, seed, count in (("asked", 11, 30), ("more", 12, 70)):
        lines = [json.dumps({"text": text, "title": "x"}) for text in texts(KEPT, count, seed)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    more = (str(tmp_path / "more.jsonl"),)
    gate = learn(ScopeSettings(name="gate", epsilon=0.05, calibration=str(tmp_path / "asked.jsonl"), retain=more))
    assert gate.calibration.n == 30
    assert gate.facts["retain_rows"] == 200 + 20 + 70 + 20
    with pytest.raises(DataError, match="there is none"):
        learn(ScopeSettings(name="gate", calibration=str(tmp_path / "aksed.jsonl")))


def test_too_few_rows_for_epsilon() -> None:
    with pytest.raises(DataError, match=r"at least 49 calibration rows for scope.epsilon=0.02, got 18"):
        learn(ScopeSettings(name="gate"), splits(retain=50))


def test_unknown_detector() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'token_max'"):
        learn(ScopeSettings(name="gate", detector="token-max"))
