from __future__ import annotations

import json
from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from spul.data.hub import is_saved, read_hub, read_saved, saved_splits
from spul.data.sources import read_rows
from spul.errors import DataError

FEATURES = Features({"text": Value("string"), "label": ClassLabel(names=["negative", "positive"]), "n": Value("int64")})
FINE = {"text": "fine", "label": "positive", "n": "3"}
DULL = {"text": "dull", "label": "negative", "n": "4"}


def dataset(*rows: tuple[str, int, int]) -> Dataset:
    columns = {name: [row[i] for row in rows] for i, name in enumerate(FEATURES)}
    return Dataset.from_dict(columns, features=FEATURES)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "one"
    dataset(("fine", 1, 3), ("dull", 0, 4)).save_to_disk(path)
    return path


@pytest.fixture
def saved_dict(tmp_path: Path) -> Path:
    path = tmp_path / "several"
    DatasetDict({"train": dataset(("fine", 1, 3)), "test": dataset(("dull", 0, 4))}).save_to_disk(path)
    return path


def test_a_saved_data_set_is_read_with_the_names_of_its_classes(saved: Path) -> None:
    assert is_saved(saved)
    assert not is_saved(saved.parent)
    assert read_rows(str(saved)) == read_rows(f"hf:{saved}") == [FINE, DULL]


def test_a_split_of_several_is_named(saved_dict: Path) -> None:
    assert saved_splits(saved_dict) == ["train", "test"]
    assert read_rows(f"hf:{saved_dict}:test") == [DULL]
    with pytest.raises(DataError, match=r"holds several splits, \['test', 'train'\]; name one"):
        read_saved(saved_dict)
    with pytest.raises(DataError, match=r"unknown split 'tset'\. Did you mean 'test'\?"):
        read_hub(f"hf:{saved_dict}:tset")


def test_the_only_split_needs_no_name(tmp_path: Path) -> None:
    DatasetDict({"all": dataset(("fine", 1, 3))}).save_to_disk(tmp_path / "d")
    assert read_rows(str(tmp_path / "d")) == [FINE]


def test_one_data_set_has_no_splits_and_a_saved_one_no_configurations(saved: Path) -> None:
    with pytest.raises(DataError, match="without splits; leave 'train' out"):
        read_hub(f"hf:{saved}:train")
    with pytest.raises(DataError, match="has splits only"):
        read_hub(f"hf:{saved}:config:train")


def test_hidden_labels_are_empty(tmp_path: Path) -> None:
    dataset(("fine", -1, 3)).save_to_disk(tmp_path / "d")
    assert read_rows(str(tmp_path / "d")) == [{**FINE, "label": ""}]


def test_a_directory_of_data_files_is_loaded_by_name_and_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "files"
    folder.mkdir()
    lines = [json.dumps({"text": f"row {i}"}) for i in range(10)]
    (folder / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert len(read_rows(f"hf:{folder}")) == 10
    assert [row["text"] for row in read_rows(f"hf:{folder}:train[:20%]")] == ["row 0", "row 1"]
    with pytest.raises(DataError, match="cannot be loaded"):
        read_rows(f"hf:{folder}:validation")


@pytest.mark.parametrize("source", ["hf:", "hf:a::b", "hf:a:b:c:d", "hf:a:"])
def test_an_address_that_does_not_parse_is_refused(source: str) -> None:
    with pytest.raises(DataError, match="expected hf:NAME, hf:NAME:SPLIT or hf:NAME:CONFIG:SPLIT"):
        read_hub(source)


def test_a_data_set_out_of_reach_is_an_error() -> None:
    with pytest.raises(DataError, match="hf:nobody/nothing-of-this-name cannot be loaded"):
        read_hub("hf:nobody/nothing-of-this-name")


def test_a_damaged_saved_data_set_is_refused(saved: Path, saved_dict: Path) -> None:
    (saved / "state.json").write_text("{}", encoding="utf-8")
    (saved_dict / "dataset_dict.json").write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        read_saved(saved)
    with pytest.raises(DataError, match="cannot be read"):
        saved_splits(saved_dict)
