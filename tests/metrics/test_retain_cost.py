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
