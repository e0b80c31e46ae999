"""The real sets, where they are at hand: what their own READMEs count is what is found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spul.data.building import ColumnValues, Entities, build
from spul.data.check import check_splits
from spul.data.duplicates import contained_in
from spul.data.formats import Row
from spul.data.loading import load_splits
from spul.data.settings import DataSettings
from spul.data.sources import find_file, read_rows
from spul.tasks import build_task
from spul.tasks.settings import TaskSettings
from spul.types import SPLIT_NAMES, Splits
from tests.data.kinds import make_tokenizer

pytestmark = pytest.mark.slow

DATA = Path(os.environ.get("SPUL_DATA", Path(__file__).parents[3] / "shared" / "data"))


def folder(name: str) -> str:
    if not (DATA / name).is_dir():
        pytest.skip(f"no {name} in {DATA}; set SPUL_DATA to where the real data is")
    return str(DATA / name)


def load(name: str) -> Splits:
    settings = DataSettings(folder=folder(name), columns={"answer": "label_text"}, validation_share=0)
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


@pytest.mark.parametrize("scoring", ["letter", "likelihood"])
@pytest.mark.parametrize(
    ("name", "template", "counts", "options"),
    [
        ("mcq_mmlu", "multiple_choice", (190, 2900, 86, 1307), 4),
        ("mcq_dream", "multiple_choice_context", (464, 2691, 251, 1194), 3),
    ],
)
def test_questions_are_loaded_and_posed(
    name: str, template: str, counts: tuple[int, ...], options: int, scoring: str
) -> None:
    """Every question keeps all its options, whatever is cut; 1,500 tokens of a tiny vocabulary cut some of DREAM."""
    task = TaskSettings.model_validate({"name": "multiple_choice", "template": template, "scoring": scoring})
    splits = load_splits(DataSettings(folder=folder(name), validation_share=0), fields=task.fields)
    assert tuple(len(splits[n]) for n in ("train_forget", "train_retain", "test_forget", "test_retain")) == counts
    labels = sorted({row.answer for row in splits.train_retain})
    posed = build_task(task, make_tokenizer("byte_level"), max_length=1500, labels=labels)
    assert posed.answers.labels == tuple("ABCD"[:options])
    for split in SPLIT_NAMES:
        for query in posed.pose_all(splits[split]):
            assert len(query.alternatives) == options
            assert len(query.prompt_ids) + len(query.answer_ids) <= 1500


def raw(name: str) -> list[Row]:
    """Every row of a set, as if it had never been split."""
    files = [find_file(Path(folder(name)), split) for split in SPLIT_NAMES]
    return [row for file in files for row in read_rows(str(file))]


def test_splits_built_from_the_rows_of_sst2_do_not_leak() -> None:
    built = build(
        raw("sst2_entity"), Entities(names=("Soderbergh", "Disney", "Seagal")), text=["text"], answer="label_text"
    )
    overlaps = {o.rows_of: o for o in check_splits(built.splits).overlaps if o.within == "train"}
    for name in ("test_forget", "test_retain"):
        assert (overlaps[name].same, overlaps[name].near, overlaps[name].contained) == (0, 0, 0)


def test_subjects_are_forgotten_as_the_readme_counts() -> None:
    """The two subjects have 190 + 86 questions in 4,483."""
    rule = ColumnValues(column="subject", values=("computer_security", "virology"))
    built = build(raw("mcq_mmlu"), rule, text=["question", "choices"])
    rows = {name: len(found) for name, found in built.rows.items()}
    assert sum(rows.values()) + sum(built.facts["left_out"].values()) == 4483
    assert 270 <= rows["train_forget"] + rows["test_forget"] <= 276
