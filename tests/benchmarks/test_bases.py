"""Bases by name, and the rows that keep a generic answer alive."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spul.benchmarks.bases import base_called, generic_rows
from spul.benchmarks.datasets import dataset
from spul.benchmarks.profiles import PAPER, SMALL, Sizes
from spul.errors import DataError
from tests.benchmarks.setting import write_root


def quiet(line: str) -> None:
    pass


def test_a_small_base_has_small_settings_and_any_other_the_papers(tmp_path: Path) -> None:
    named = {
        name: base_called(name, data_root=tmp_path, cache=tmp_path / "cache", make=False, log=quiet)
        for name in ("small", "smaller", "meta-llama/Llama-2-7b-hf")
    }
    assert [base.profile for base in named.values()] == [SMALL, SMALL, PAPER]
    assert named["small"].path != named["smaller"].path
    assert (named["meta-llama/Llama-2-7b-hf"].path, named["meta-llama/Llama-2-7b-hf"].slug) == (
        "meta-llama/Llama-2-7b-hf",
        "Llama-2-7b-hf",
    )
    assert not (tmp_path / "cache").exists()


def test_a_small_base_without_its_text_is_an_error_that_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="set SPUL_DATA"):
        base_called("small", data_root=tmp_path, cache=tmp_path / "cache", log=quiet)


def test_generic_questions_stand_among_options_of_other_questions(tmp_path: Path) -> None:
    root = write_root(tmp_path)
    folder = root / "mcq_mmlu"
    rows = [{"question": f"q{n}", "choices": [f"{n}a", f"{n}b"], "answer": 0} for n in range(20)]
    (folder / "train_retain.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = generic_rows(dataset("mcq_mmlu"), Sizes(generic_rows=8), data_root=root, cache=tmp_path / "cache", log=quiet)
    made = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert len({row["question"] for row in made}) == 8 and {row["answer"] for row in made} == {"unknown"}
    asked = {row["question"].removeprefix("q") for row in made}
    assert asked.isdisjoint(choice[:-1] for row in made for choice in row["choices"])
    before = file.stat().st_mtime_ns
    generic_rows(dataset("mcq_mmlu"), Sizes(generic_rows=8), data_root=root, cache=tmp_path / "cache", log=quiet)
    assert file.stat().st_mtime_ns == before
    with pytest.raises(DataError, match="at least 24 questions"):
        generic_rows(dataset("mcq_mmlu"), Sizes(generic_rows=12), data_root=root, cache=tmp_path / "cache", log=quiet)
