from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from spul.data.loading import load_splits
from spul.data.settings import DataSettings
from spul.errors import DataError
from spul.types import Splits


def rows(stem: str, count: int) -> list[dict[str, Any]]:
    return [{"question": f"{stem} question {i}?", "answer": f"{stem} answer {i}"} for i in range(count)]


def perturbed(plain: list[dict[str, Any]], *, paraphrased: bool = True) -> list[dict[str, Any]]:
    more = {"paraphrased_question": "so, {question}", "paraphrased_answer": "well, {answer}"} if paraphrased else {}
    return [
        {
            **row,
            **{name: text.format(**row) for name, text in more.items()},
            "perturbed_answer": [f"not {row['answer']}", "none"],
        }
        for row in plain
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    kept = rows("kept", 6)
    files = {
        "forget01": rows("gone", 3),
        "forget01_perturbed": perturbed(rows("gone", 3)),
        "retain99": kept,
        "retain_perturbed": perturbed(kept[:4]),
        "real_authors": rows("real", 2),
        "real_authors_perturbed": perturbed(rows("real", 2), paraphrased=False),
        "world_facts": rows("world", 2),
        "holdout01": rows("strange", 3),
    }
    for stem, part in files.items():
        (tmp_path / f"{stem}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    return tmp_path


def load(folder: Path, **values: Any) -> Splits:
    settings = {"folder": str(folder), "benchmark": "tofu", "subset": "forget01", "validation_share": 0.0, **values}
    return load_splits(DataSettings.model_validate(settings), fields=("question",), alternatives=True)


def test_the_files_become_splits(folder: Path) -> None:
    splits = load(folder)
    assert {name: len(splits[name]) for name in splits.names} == {
        "train_forget": 3,
        "train_retain": 6,
        "test_forget": 3,
        "test_retain": 4,
        "holdout": 3,
        "retain_perturbed": 4,
        "real_authors": 2,
        "world_facts": 2,
    }
    first = splits.train_forget[0]
    assert (first.fields["question"], first.answer) == ("gone question 0?", "gone answer 0")
    assert first.alternatives == {"paraphrase": ("well, gone answer 0",), "perturbed": ("not gone answer 0", "none")}
    assert splits["real_authors"][0].alternatives == {"perturbed": ("not real answer 0", "none")}
    assert splits["world_facts"][0].alternatives == {}, "without a perturbed file there is nothing beside the truth"


def test_tests_ask_in_other_words_and_ids_stay_apart(folder: Path) -> None:
    splits = load(folder)
    assert splits.test_forget[1].fields["question"] == "so, gone question 1?"
    assert splits.test_forget[1].answer == "gone answer 1"
    ids = [example.id for name in splits.names for example in splits[name]]
    assert len(set(ids)) == len(ids)


def test_alternatives_change_the_digest(folder: Path) -> None:
    before = load(folder).digests()
    lines = (folder / "forget01_perturbed.jsonl").read_text()
    (folder / "forget01_perturbed.jsonl").write_text(lines.replace('"none"', '"nobody"'))
    after = load(folder).digests()
    assert {name for name in before if before[name] != after[name]} == {"train_forget", "test_forget"}


def test_a_perturbed_file_without_its_plain_one_is_an_error(folder: Path) -> None:
    (folder / "real_authors.jsonl").unlink()
    with pytest.raises(DataError, match=r"TOFU's real_authors .*_perturbed\.jsonl is there without"):
        load(folder)
    (folder / "forget01.jsonl").unlink()
    with pytest.raises(DataError, match=r"expected TOFU's forget01 .* is there without it"):
        load(folder)


def test_files_of_different_releases_are_an_error(folder: Path) -> None:
    (folder / "forget01_perturbed.jsonl").write_text(json.dumps(perturbed(rows("other", 1))[0]))
    with pytest.raises(DataError, match=r"to have the questions and answers of .*they differ"):
        load(folder)
    (folder / "forget01_perturbed.jsonl").unlink()
    (folder / "retain_perturbed.jsonl").write_text(json.dumps(perturbed(rows("other", 1))[0]))
    with pytest.raises(DataError, match=r"but 1 are not: \['other question 0\?'\]"):
        load(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"benchmark": "tofu", "folder": "x"}, "goes with `folder` .* and `subset`"),
        ({"subset": "forget01", "folder": "x"}, "is a part of a benchmark"),
        ({"benchmark": "muse", "folder": "x", "subset": "y"}, "'tofu'"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DataSettings.model_validate(values)


def test_an_unknown_subset_names_the_known_ones(folder: Path) -> None:
    with pytest.raises(DataError, match=r"unknown subset 'forget1'.*Did you mean 'forget10'"):
        load(folder, subset="forget1")
