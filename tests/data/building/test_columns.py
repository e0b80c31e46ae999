from __future__ import annotations

import pytest

from spul.data.building.columns import ColumnValues
from spul.data.building.rule import RawRow
from spul.errors import DataError

TRAIN = [RawRow({"topic": topic}, topic) for topic in ["virology"] * 2 + ["law"] * 5 + ["art"] * 3]
TEST = [RawRow({"topic": topic}, topic) for topic in ("law", "virology", "music")]


def test_named_values_are_forgotten() -> None:
    fitted = ColumnValues(column="topic", values=("virology",)).fit(TRAIN, seed=0)
    assert fitted.chosen(TEST) == [False, True, False]
    assert fitted.facts == {"values": {"virology": 2}, "candidates": 3}


def test_values_are_drawn_by_share() -> None:
    """Of 10 rows at most 2: virology alone fits."""
    assert ColumnValues(column="topic", forget_share=0.2).fit(TRAIN, seed=3).facts["values"] == {"virology": 2}


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match=r"unknown value of column 'topic' 'lwa'\. Did you mean 'law'\?"):
        ColumnValues(column="topic", values=("lwa",)).fit(TRAIN, seed=0)
    with pytest.raises(DataError, match=r"unknown column 'topc'\. Did you mean 'topic'\?"):
        ColumnValues(column="topc").fit(TRAIN, seed=0)
