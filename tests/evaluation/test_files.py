from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spul.errors import DataError, RunError
from spul.evaluation.files import raise_if_labels, read_places, with_retrained
from spul.types import Wording
from tests.fakes import make_sample
from tests.metrics.free_text import free_sample

ROW: dict[str, Any] = {"id": "1", "answer": "anna", "split": "train_forget"}


def write(path: Path, *rows: dict[str, Any] | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_a_file_says_where_its_rows_belong_and_holds_what_was_measured(tmp_path: Path) -> None:
    file = write(
        tmp_path / "s.jsonl",
        ROW | {"token_logprobs": [-1, -2.5], "token_hits": [True, False], "ends": True, "generated": ""},
        ROW
        | {"model": "retrained", "logprob": -3, "num_tokens": 2, "perturbed": [{"logprob": -4, "num_tokens": 3}]}
        | {"paraphrase": {"logprob": -2, "num_tokens": 1}},
    )
    places = read_places(file)
    (first,) = places["unlearned/train_forget"]
    assert (first.logprob, first.num_tokens) == (-3.5, 2)
    assert first.text is not None
    assert (first.text.generated, first.text.token_hits, first.text.ends) == ("", (True, False), True)
    (second,) = places["retrained/train_forget"]
    assert (second.logprob, second.num_tokens) == (-3, 2)
    assert second.text is not None
    assert (second.text.paraphrase, second.text.perturbed) == (Wording(-2, 1), (Wording(-4, 3),))
    assert second.text.generated is None


def test_a_directory_says_it_by_its_paths(tmp_path: Path) -> None:
    row = {"id": "1", "answer": "anna"}
    write(tmp_path / "base" / "test_retain.jsonl", row)
    own = write(tmp_path / "unlearned" / "test_retain" / "samples.jsonl", free_sample("7").to_json())
    places = read_places(tmp_path)
    assert {where: [sample.id for sample in rows] for where, rows in places.items()} == {
        "base/test_retain": ["1"],
        "unlearned/test_retain": ["7"],
    }
    assert places["unlearned/test_retain"] == [free_sample("7")], "what spul wrote is read as it was"
    write(own, row | {"split": "train_forget"})
    with pytest.raises(DataError, match="the row says None/train_forget, and the file's path unlearned/test_retain"):
        read_places(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**ROW, "token_logprobs": [0.5]}, r"line 1: token_logprobs\.0: .*less than or equal to.*got '0\.5'"),
        ('{"id": "1", "answer": "a", "split": "s", "logprob": NaN}', "line 1: NaN is no number of JSON"),
        ('{"id": "1", "answer": "a", "split": "s", "logprob": -Infinity}', "-Infinity is no number of JSON"),
        ('{"id": "1", "answer": "a", "split": "s", "logprob": -1e999, "num_tokens": 1}', "logprob: .*finite number"),
        ({**ROW, "continuations": [{"shown": 2, "ids": [1]}], "text_ids": [1, 2]}, "more than any of them shows"),
        ({**ROW, "similarity": 2.0}, "similarity: .*less than or equal to 1"),
        ({**ROW, "answer": "  "}, r"expected the true answer in `answer`, got '  '"),
        ({**ROW, "schema_version": 2}, "schema_version: Input should be 1"),
        ({**ROW, "generate": "x"}, "generate: Extra inputs are not permitted"),
        ({**ROW, "token_logprobs": [-1.0], "token_hits": [True, True]}, r"expected as many each, .* got \[1, 2\]"),
        ({**ROW, "token_logprobs": []}, r"at least one; got \[0\]"),
        ({**ROW, "logprob": -1.0}, "`logprob` needs `num_tokens`"),
        ({**ROW, "logprob": -1.0, "token_logprobs": [-1.0]}, "got both"),
        ({**ROW, "token_hits": [1]}, "token_hits.0: Input should be a valid boolean"),
        ({"id": "1", "answer": "anna"}, "expected `split` in every row of a single file"),
        ("[1]", r"expected a JSON object, got '\[1\]'"),
        ("{", "expected a JSON object, got '{'"),
        ("", "expected samples in .*, but it has none"),
    ],
)
def test_what_does_not_read_is_an_error_that_says_where(
    tmp_path: Path, row: dict[str, Any] | str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_places(write(tmp_path / "s.jsonl", row))


def test_repeated_ids_mixed_kinds_and_missing_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the id '1' is there twice for unlearned/train_forget"):
        read_places(write(tmp_path / "s.jsonl", ROW, ROW))
    labels = {**make_sample(id="x").to_json()}
    mixed = write(tmp_path / "a" / "b.jsonl", labels, {"id": "1", "answer": "anna"})
    with pytest.raises(DataError, match="mixes samples of labels and of free text"):
        read_places(tmp_path)
    write(mixed, labels)
    with pytest.raises(RunError, match="give the run directory itself"):
        raise_if_labels(read_places(tmp_path))
    with pytest.raises(DataError, match="found neither"):
        read_places(tmp_path / "a")
    with pytest.raises(DataError, match="there is none"):
        read_places(tmp_path / "c")


def test_another_files_model_becomes_the_retrained_one() -> None:
    ours = {"unlearned/train_forget": [free_sample("a")]}
    theirs = [free_sample("a", generated="no")]
    assert with_retrained(ours, {"unlearned/train_forget": theirs})["retrained/train_forget"] == theirs
    both = {"base/train_forget": [free_sample("z")], "retrained/train_forget": theirs}
    assert list(with_retrained(ours, both)) == ["unlearned/train_forget", "retrained/train_forget"]
    with pytest.raises(DataError, match=r"the same examples of train_forget, but 1 and 1 differ"):
        with_retrained(ours, {"retrained/train_forget": [free_sample("b")]})
    with pytest.raises(DataError, match="of the retrained model alone"):
        with_retrained(ours, {"a/train_forget": theirs, "b/train_forget": theirs})
    with pytest.raises(DataError, match="leave out --retrained"):
        with_retrained(both, {"retrained/train_forget": theirs})
