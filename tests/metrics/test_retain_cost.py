from __future__ import annotations

from spul.metrics import Bootstrap, Scored
from spul.metrics.retain_cost import RetainCost
from tests.fakes import ANSWERS, make_samples

RIGHT, WRONG = ("positive", "positive"), ("positive", "unknown")


def test_by_hand() -> None:
    """The base is right on 4 of 4, the unlearned model on 3: a quarter is lost. Forget splits have no such cost."""
    base, unlearned = make_samples([RIGHT] * 4), make_samples([RIGHT] * 3 + [WRONG])
    places = {f"base/{split}": base for split in ("test_retain", "test_forget")}
    places |= {f"unlearned/{split}": unlearned for split in ("test_retain", "test_forget")}
    rows = dict(RetainCost().rows(Scored(places, ANSWERS, Bootstrap(100))))
    assert list(rows) == ["unlearned/test_retain"]
    assert (rows["unlearned/test_retain"].value, rows["unlearned/test_retain"].higher_is_better) == (0.25, False)


def test_gain_is_negative() -> None:
    places = {"base/test_retain": make_samples([WRONG]), "unlearned/test_retain": make_samples([RIGHT])}
    assert dict(RetainCost().rows(Scored(places, ANSWERS, Bootstrap(100))))["unlearned/test_retain"].value == -1.0


def test_without_a_base_there_is_none() -> None:
    scored = Scored({"unlearned/test_retain": make_samples([RIGHT])}, ANSWERS, Bootstrap(100))
    assert list(RetainCost().rows(scored)) == []


def test_behind_its_gate_the_model_has_a_cost_of_its_own() -> None:
    """Everything lost in front of every query, half of it behind the gate."""
    base = make_samples([RIGHT] * 4)
    places = {"base/test_retain": base, "unlearned/test_retain": make_samples([WRONG] * 4)}
    places |= {"unlearned_gated/test_retain": make_samples([RIGHT] * 2 + [WRONG] * 2)}
    rows = dict(RetainCost().rows(Scored(places, ANSWERS, Bootstrap(100))))
    assert {where: row.value for where, row in rows.items()} == {
        "unlearned/test_retain": 1.0,
        "unlearned_gated/test_retain": 0.5,
    }
