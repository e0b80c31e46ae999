from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

from spul.data.duplicates import normalise, text_of
from spul.data.loading import load_splits
from spul.data.settings import DataSettings
from spul.errors import ConfigError, DataError
from spul.types import Example, Splits


def rows(count: int, seed: int, label: str = "x") -> list[dict[str, str]]:
    rng = random.Random(seed)
    texts = [" ".join(f"word{rng.randrange(10_000)}" for _ in range(6)) for _ in range(count)]
    return [{"text": text, "label": label} for text in texts]


FORGET, RETAIN = rows(20, seed=1), rows(60, seed=2)


def write(path: Path, content: list[dict[str, str]]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(content)
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    return {"forget": write(tmp_path / "f.csv", FORGET), "retain": write(tmp_path / "r.csv", RETAIN)}


def load(fields: tuple[str, ...] = ("text",), **values: Any) -> Splits:
    return load_splits(DataSettings(**values), fields=fields)


def texts(examples: tuple[Example, ...]) -> set[str]:
    return {example.fields["text"] for example in examples}


def sizes(splits: Splits) -> dict[str, int]:
    return {name: len(splits[name]) for name in splits.digests()}


def test_hand_worked_sizes(files: dict[str, str]) -> None:
    """20 forget rows: 6 are test (30 %), of the other 14 one is validation (10 %); 60 retain rows: 18, and 4 of 42."""
    splits = load(**files)
    assert sizes(splits) == {
        "train_forget": 13,
        "validation_forget": 1,
        "test_forget": 6,
        "train_retain": 38,
        "validation_retain": 4,
        "test_retain": 18,
    }
    forget = texts(splits.train_forget) | texts(splits.validation_forget) | texts(splits.test_forget)
    retain = texts(splits.train_retain) | texts(splits.validation_retain) | texts(splits.test_retain)
    assert forget == {row["text"] for row in FORGET}
    assert retain == {row["text"] for row in RETAIN}


def test_the_same_settings_and_seed_give_the_same_splits(files: dict[str, str]) -> None:
    assert load(**files).digests() == load(**files).digests()
    assert load(seed=1, **files).digests() != load(**files).digests()


def test_a_given_test_side_is_left_as_it_is(tmp_path: Path, files: dict[str, str]) -> None:
    test = rows(5, seed=3)
    splits = load(test_forget=write(tmp_path / "t.csv", test), validation_share=0, **files)
    assert sizes(splits) == {"train_forget": 20, "train_retain": 42, "test_forget": 5, "test_retain": 18}
    assert texts(splits.test_forget) == {row["text"] for row in test}


def test_a_folder_holds_the_splits(tmp_path: Path) -> None:
    for seed, name in enumerate(
        (
            "train_forget",
            "train_retain",
            "test_forget",
            "test_retain",
            "validation_forget",
            "validation_retain",
            "holdout",
        )
    ):
        write(tmp_path / f"{name}.csv", rows(seed + 2, seed))
    assert sizes(load(folder=str(tmp_path))) == {
        "train_forget": 2,
        "train_retain": 3,
        "test_forget": 4,
        "test_retain": 5,
        "validation_forget": 6,
        "validation_retain": 7,
        "holdout": 8,
    }
    (tmp_path / "train_retain.csv").unlink()
    with pytest.raises(DataError, match=r"expected train_retain in .*Add train_retain\.csv"):
        load(folder=str(tmp_path))
    with pytest.raises(DataError, match="expected a directory"):
        load(folder=str(tmp_path / "nothing"))


def test_a_folder_may_be_a_saved_data_set(tmp_path: Path) -> None:
    parts = {"train_forget": FORGET, "train_retain": RETAIN, "other": FORGET}
    DatasetDict({name: Dataset.from_list(part) for name, part in parts.items()}).save_to_disk(tmp_path / "d")
    splits = load(folder=str(tmp_path / "d"), validation_share=0)
    assert sizes(splits) == {"train_forget": 14, "train_retain": 42, "test_forget": 6, "test_retain": 18}


def test_the_built_in_people_bring_general_material_to_retain() -> None:
    splits = load(builtin="fictitious")
    assert {row.answer for row in splits.train_retain} == {"positive", "negative", "neutral", "unknown"}
    assert {row.answer for row in splits.train_forget} == {"positive", "negative"}
    assert splits.validation_forget
    assert splits.validation_retain
    assert load(builtin="fictitious", seed=1).digests() != splits.digests()
    with pytest.raises(ConfigError, match=r"data\.builtin: unknown data set 'fictitous'\. Did you mean 'fictitious'"):
        load(builtin="fictitous")


def test_extra_rows_join_the_training_side_of_retain_alone(tmp_path: Path, files: dict[str, str]) -> None:
    extra = rows(10, seed=4, label="neutral")
    splits = load(extra_retain=(write(tmp_path / "e.csv", extra),), max_rows={"train_retain": 20}, **files)
    assert sizes(splits)["train_retain"] + sizes(splits)["validation_retain"] == 30
    both = splits.train_retain + splits.validation_retain
    assert sum(row.answer == "neutral" for row in both) == 10
    assert not any(row.answer == "neutral" for row in splits.test_retain)


def test_at_most_so_many_rows_of_a_split(tmp_path: Path, files: dict[str, str]) -> None:
    limits = {"train_retain": 10, "test_retain": 5, "test_forget": 100, "holdout": 3}
    splits = load(max_rows=limits, holdout=write(tmp_path / "h.csv", rows(9, 5)), **files)
    assert sizes(splits) == {
        "train_forget": 13,
        "validation_forget": 1,
        "test_forget": 6,
        "train_retain": 9,
        "validation_retain": 1,
        "test_retain": 5,
        "holdout": 3,
    }


def test_unseen_rows_are_no_part_of_retain_and_in_no_other_split(tmp_path: Path, files: dict[str, str]) -> None:
    unseen, held = rows(8, seed=6), rows(3, seed=7)
    sources = (write(tmp_path / "u.csv", unseen + held + RETAIN[:5] + FORGET[:2]),)
    plain = load(holdout=write(tmp_path / "h.csv", held), **files)
    splits = load(unseen_retain=sources, holdout=write(tmp_path / "h.csv", held), **files)
    assert {row.fields["text"] for row in splits.unseen_retain} == {row["text"] for row in unseen}
    assert splits.digests() == plain.digests() | {"unseen_retain": splits.digests()["unseen_retain"]}
    few = load(unseen_retain=sources, max_rows={"unseen_retain": 3}, **files)
    assert len(few.unseen_retain) == 3
    with pytest.raises(DataError, match="stand in no other split, but each of the 2 does"):
        load(unseen_retain=(write(tmp_path / "v.csv", FORGET[:2]),), **files)


def shared(tmp_path: Path) -> dict[str, str]:
    """Two retain rows say what a forget row says, in other spelling."""
    twice = [{"text": FORGET[i]["text"].upper() + " !", "label": "y"} for i in (0, 3)]
    return {"forget": write(tmp_path / "f.csv", FORGET), "retain": write(tmp_path / "r.csv", RETAIN + twice)}


def test_overlap_of_forget_and_retain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 retain rows are in forget too: \['WORD.*data\.overlap=drop_retain"):
        load(**shared(tmp_path))


def test_overlap_of_forget_and_extra_rows_is_refused(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(DataError, match="1 retain rows are in forget too"):
        load(extra_retain=(write(tmp_path / "e.csv", FORGET[:1]),), **files)


def test_overlap_is_dropped_from_retain_or_kept(tmp_path: Path) -> None:
    sources = shared(tmp_path)
    dropped = load(overlap="drop_retain", validation_share=0, **sources)
    assert len(dropped.train_retain) + len(dropped.test_retain) == 60
    assert len(dropped.train_forget) + len(dropped.test_forget) == 20
    kept = load(overlap="keep", validation_share=0, **sources)
    assert len(kept.train_retain) + len(kept.test_retain) == 62


def test_nothing_left_to_keep_is_an_error(tmp_path: Path) -> None:
    sources = {"forget": write(tmp_path / "f.csv", FORGET), "retain": write(tmp_path / "r.csv", FORGET[:5])}
    with pytest.raises(DataError, match="every retain row is in forget as well"):
        load(overlap="drop_retain", **sources)


def test_test_rows_that_stand_in_train_are_kept_or_dropped(tmp_path: Path, files: dict[str, str]) -> None:
    leaking = write(tmp_path / "t.csv", [*rows(4, seed=6), FORGET[0], {"text": RETAIN[0]["text"] + ".", "label": "x"}])
    sources: dict[str, Any] = {**files, "test_forget": leaking, "test_retain": write(tmp_path / "u.csv", rows(4, 7))}
    assert len(load(**sources).test_forget) == 6
    dropped = load(test_overlap="drop", **sources)
    assert len(dropped.test_forget) == 4
    train = {normalise(text_of(row)) for row in dropped.train_forget + dropped.train_retain}
    assert not any(normalise(text_of(row)) in train for row in dropped.test_forget)
    with pytest.raises(DataError, match="every row of test_forget has its text in train as well"):
        load(test_overlap="drop", **{**sources, "test_forget": write(tmp_path / "v.csv", FORGET[:2])})


def test_ids_are_unique_over_all_splits(tmp_path: Path) -> None:
    """The same row, six times in five files, is six examples; the first in order keeps the plain digest."""
    row = {"text": "word one two three", "label": "x"}
    for name in ("train_forget", "train_retain", "test_forget", "test_retain"):
        write(tmp_path / f"{name}.csv", [row])
    write(tmp_path / "holdout.csv", [row, row])
    splits = load(folder=str(tmp_path), overlap="keep", validation_share=0)
    names = [example.id for name in splits.digests() for example in splits[name]]
    plain = splits.train_forget[0].id
    assert names == [plain, *(f"{plain}-{i}" for i in (2, 3, 4, 5, 6))]


def test_numbered_ids_keep_clear_of_the_ids_of_the_data(tmp_path: Path) -> None:
    for name, keys in {
        "train_forget": ["a"],
        "train_retain": ["a", "a-2"],
        "test_forget": ["b"],
        "test_retain": ["c"],
    }.items():
        lines = [f"{key},text of {key} in {name},x" for key in keys]
        (tmp_path / f"{name}.csv").write_text("\n".join(["key,text,label", *lines]), encoding="utf-8")
    splits = load(folder=str(tmp_path), columns={"id": "key"}, validation_share=0)
    assert [row.id for row in splits.train_forget + splits.train_retain] == ["a", "a-3", "a-2"]


def test_a_row_to_forget_cannot_be_tested_by_itself(tmp_path: Path) -> None:
    sources = {"forget": write(tmp_path / "f.csv", FORGET[:1]), "retain": write(tmp_path / "r.csv", RETAIN)}
    with pytest.raises(DataError, match="train_forget: expected at least two unrelated texts"):
        load(**sources)
    test = write(tmp_path / "t.csv", FORGET[1:3])
    with pytest.raises(DataError, match=r"train_forget: .* data\.validation_share=0 leaves it out"):
        load(test_forget=test, **sources)
    assert len(load(test_forget=test, validation_share=0, **sources).train_forget) == 1


def test_an_empty_forget_set_is_refused(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"expected rows in .*empty\.csv, but it has none"):
        load(**{**files, "forget": write(tmp_path / "empty.csv", [])})


def test_a_mapping_for_no_field_is_refused(files: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"data\.columns: unknown field 'txet'\. Did you mean 'text'\?"):
        load(columns={"txet": "body"}, **files)


def test_the_built_in_lines_belong_to_people() -> None:
    splits = load_splits(DataSettings(builtin="fictitious"), fields=("text",))
    assert len({example.group for example in splits.test_forget}) == 8
    assert all(example.group in example.fields["text"] for example in splits.test_forget)


def test_a_share_of_what_is_to_be_forgotten_leaves_the_rest_as_it_is(files: dict[str, str]) -> None:
    """Of 14 training rows to forget half are 7; all other splits are as without."""
    values = {**files, "validation_share": 0.0}
    whole, half, quarter = (load(**values, forget_share=share) for share in (1.0, 0.5, 0.25))
    assert (len(half.train_forget), len(quarter.train_forget)) == (7, 4)
    assert texts(quarter.train_forget) < texts(half.train_forget) < texts(whole.train_forget)
    for split in ("train_retain", "test_forget", "test_retain"):
        assert half[split] == whole[split]
    assert load(**values, forget_share=0.5) == half
    assert texts(load(**values, forget_share=0.5, seed=1).train_forget) != texts(half.train_forget)


def test_a_share_takes_rows_that_are_nearly_the_same_together_and_validation_out_of_it(tmp_path: Path) -> None:
    """12 rows, each there twice but for its end: 6 of 24 rows are 3 whole pairs; one of those is validation."""
    pairs = [{"text": f"{row['text']}{end}", "label": "x"} for row in rows(12, seed=3) for end in ("", " !")]
    values = {"forget": write(tmp_path / "f.csv", pairs), "retain": write(tmp_path / "r.csv", RETAIN)}
    values["test_forget"] = write(tmp_path / "tf.csv", rows(3, seed=4))
    splits = load(**values, forget_share=0.25, validation_share=0.34)
    assert (len(splits.train_forget), len(splits.validation_forget)) == (4, 2)
    assert all(text.removesuffix(" !") in texts(splits.train_forget) for text in texts(splits.train_forget))


def test_one_text_alone_cannot_be_shared(tmp_path: Path) -> None:
    one = write(tmp_path / "f.csv", [{"text": "one and the same", "label": "x"}] * 3)
    with pytest.raises(DataError, match=r"data\.forget_share=0\.5: expected at least two groups"):
        load(forget=one, test_forget=one, retain=write(tmp_path / "r.csv", RETAIN), forget_share=0.5, overlap="keep")


def test_a_share_of_people_is_whole_people() -> None:
    """A quarter of eight equally many-lined people is two, with all their lines."""
    whole = load_splits(DataSettings(builtin="fictitious", validation_share=0.0), fields=("text",))
    splits = load_splits(DataSettings(builtin="fictitious", validation_share=0.0, forget_share=0.25), fields=("text",))
    people = {example.group for example in splits.train_forget}
    assert len(people) == 2
    assert splits.train_forget == tuple(example for example in whole.train_forget if example.group in people)
