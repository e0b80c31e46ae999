"""The real sets, where they are at hand: what their own READMEs count is what is found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spul.data.check import check_splits
from spul.data.duplicates import contained_in
from spul.data.loading import load_splits
from spul.data.settings import DataSettings
from spul.types import Splits

pytestmark = pytest.mark.slow

DATA = Path(os.environ.get("SPUL_DATA", Path(__file__).parents[3] / "shared" / "data"))


def load(name: str) -> Splits:
    if not (DATA / name).is_dir():
        pytest.skip(f"no {name} in {DATA}; set SPUL_DATA to where the real data is")
    settings = DataSettings(folder=str(DATA / name), columns={"answer": "label_text"}, validation_share=0)
    return load_splits(settings, fields=("text",))


@pytest.mark.parametrize(
    ("name", "counts", "contained", "long_enough"),
    [
        ("sst2_entity", (1891, 47080, 780, 18089), 16, 14356),
        ("sst2_spul", (1425, 46331, 610, 19855), 8210, 14421),
    ],
)
def test_sst2_has_the_rows_and_the_leak_that_its_readme_counts(
    name: str, counts: tuple[int, ...], contained: int, long_enough: int
) -> None:
    """The READMEs count words at white space, punctuation and case included."""
    splits = load(name)
    assert tuple(len(splits[n]) for n in ("train_forget", "train_retain", "test_forget", "test_retain")) == counts
    train, test = (
        [" ".join(row.fields["text"].split()) for row in splits[f"{part}_forget"] + splits[f"{part}_retain"]]
        for part in ("train", "test")
    )
    assert sum(contained_in(test, train)) == contained
    assert sum(len(text.split()) >= 4 for text in test) == long_enough


def test_the_check_tells_the_leaking_split_from_the_honest_one() -> None:
    leaking, honest = (
        {o.rows_of: o for o in check_splits(load(name)).overlaps if o.within == "train"}
        for name in ("sst2_spul", "sst2_entity")
    )
    assert leaking["test_retain"].contained > 0.5 * leaking["test_retain"].long_enough
    assert honest["test_retain"].contained < 0.01 * honest["test_retain"].long_enough
