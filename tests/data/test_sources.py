from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spul.data.settings import DataSettings
from spul.data.sources import find_file, read_fields, read_rows, to_examples
from spul.errors import DataError
from spul.types import Example

ROWS = [{"text": "fine", "label": "positive"}, {"text": "dull", "label": "negative"}]
CONTENT = {
    "csv": b"text,label\nfine,positive\ndull,negative\n",
    "tsv": b"text\tlabel\nfine\tpositive\ndull\tnegative\n",
    "jsonl": b'{"text": "fine", "label": "positive"}\n{"text": "dull", "label": "negative"}\n',
}


def settings(**values: Any) -> DataSettings:
    return DataSettings(builtin="fictitious", **values)


def examples(rows: list[dict[str, str]], *, fields: tuple[str, ...] = ("text",), **values: Any) -> tuple[Example, ...]:
    return to_examples(rows, settings(**values), "data.csv", fields=fields)


def write(path: Path, content: bytes) -> str:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_file_is_read_gzipped_or_not(tmp_path: Path, kind: str, suffix: str) -> None:
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(ROWS), buffer)
    content = CONTENT.get(kind) or buffer.getvalue().to_pybytes()
    assert read_rows(write(tmp_path / f"data.{kind}{suffix}", content)) == ROWS


def test_variables_and_home_are_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "data.csv", CONTENT["csv"])
    monkeypatch.setenv("SOME_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_rows("$SOME_DATA/data.csv") == read_rows("~/data.csv") == ROWS
    with pytest.raises(
        DataError, match=r"'\$NO_SUCH_VARIABLE/data\.csv' names an environment variable that is not set"
    ):
        read_rows("$NO_SUCH_VARIABLE/data.csv")


def test_a_missing_file_names_the_closest_one(tmp_path: Path) -> None:
    write(tmp_path / "forget.csv", CONTENT["csv"])
    with pytest.raises(DataError, match=r"expected a data file at .*forgte\.csv.* Did you mean 'forget\.csv'\?"):
        read_rows(str(tmp_path / "forgte.csv"))
    with pytest.raises(DataError, match="Check the path"):
        read_rows(str(tmp_path / "nowhere" / "x.csv"))


@pytest.mark.parametrize("name", ["data.xlsx", "data.json.gz", "data"])
def test_an_unknown_kind_names_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"Known: \.csv, \.tsv, \.jsonl, \.parquet, with or without \.gz"):
        read_rows(write(tmp_path / name, b"x"))


@pytest.mark.parametrize("content", [b"", b"text,label\n"])
def test_a_source_without_rows_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"expected rows in .*forget\.csv, but it has none"):
        read_rows(write(tmp_path / "forget.csv", content))


@pytest.mark.parametrize("cut", [slice(0, 20), slice(3, None), slice(0, -12)])
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, cut: slice) -> None:
    path = tmp_path / "data.csv.gz"
    path.write_bytes(gzip.compress(CONTENT["csv"] * 50)[cut])
    with pytest.raises(DataError, match=r"data\.csv\.gz cannot be read"):
        read_rows(str(path))


def test_a_directory_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a data file"):
        read_rows(str(tmp_path))


def test_one_source_is_found_in_a_folder(tmp_path: Path) -> None:
    assert find_file(tmp_path, "train_forget") is None
    write(tmp_path / "train_forget.csv.gz", CONTENT["csv"])
    write(tmp_path / "train_forget.txt", b"")
    assert find_file(tmp_path, "train_forget") == tmp_path / "train_forget.csv.gz"
    write(tmp_path / "train_forget.jsonl", CONTENT["jsonl"])
    with pytest.raises(DataError, match=r"expected one train_forget .*'train_forget\.csv\.gz', 'train_forget\.jsonl'"):
        find_file(tmp_path, "train_forget")


def test_rows_become_examples() -> None:
    fine, dull = examples(ROWS)
    assert (fine.fields, fine.answer) == ({"text": "fine"}, "positive")
    assert (dull.fields, dull.answer) == ({"text": "dull"}, "negative")


def test_fields_are_read_from_the_columns_they_are_mapped_to() -> None:
    rows = [{"body": "fine", "who": "Ann", "label": "0", "gold": " yes ", "key": "r7"}]
    (row,) = examples(rows, fields=("who", "text"), columns={"text": "body", "answer": "gold", "id": "key"})
    assert row == Example("r7", {"who": "Ann", "text": "fine"}, "yes")


def test_the_answer_is_in_answer_or_else_in_label() -> None:
    assert examples([{"text": "a", "label": "l", "answer": "x"}])[0].answer == "x"
    assert examples([{"text": "a", "label": "l"}])[0].answer == "l"
    with pytest.raises(
        DataError, match=r"for the field 'answer': unknown column 'answer'\. .*data\.columns\.answer=COL"
    ):
        examples([{"text": "a", "gold": "l"}])


def test_a_missing_column_names_the_closest_one() -> None:
    with pytest.raises(
        DataError,
        match=r"data\.csv, for the field 'text': unknown column 'text'\. Did you mean 'texts'\? Known: label, texts\. "
        r"Name the right one with data\.columns\.text=COLUMN",
    ):
        examples([{"texts": "a", "label": "x"}])


def test_a_value_that_only_some_rows_have_is_missing() -> None:
    with pytest.raises(DataError, match=r"data\.csv, row 2: expected a value for 'text'"):
        examples([{"text": "a", "label": "x"}, {"label": "y"}])


def test_codes_get_names_and_names_stay() -> None:
    rows = [{"text": "a", "label": value} for value in ("0", "1", "good")]
    assert [row.answer for row in examples(rows, label_names={"0": "bad", "1": "good"})] == ["bad", "good", "good"]
    with pytest.raises(DataError, match=r"data\.csv, row 2, column 'label': unknown code '1'.* \(data\.label_names\)"):
        examples(rows, label_names={"0": "bad"})


@pytest.mark.parametrize("value", ["", " \n"])
def test_an_empty_answer_is_refused(value: str) -> None:
    with pytest.raises(DataError, match=r"data\.csv, row 2: expected an answer in column 'label'"):
        examples([{"text": "a", "label": "x"}, {"text": "b", "label": value}])


def test_ids_are_digests_of_the_content() -> None:
    rows = [{"text": text, "label": label} for text, label in [("a", "x"), ("a", "x"), ("a", "y"), ("b", "x")]]
    one, same, other_answer, other_text = (row.id for row in examples(rows))
    assert one == same
    assert len({one, other_answer, other_text}) == 3
    assert examples([{"text": "a", "label": "x", "more": "z"}])[0].id == one


@pytest.mark.parametrize(
    ("keys", "message"), [(("a", "b", "a"), "row 3: 'a' is the id of row 1"), (("a", ""), "row 2: the id is empty")]
)
def test_ids_of_the_data_are_unique(keys: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        examples([{"text": "t", "label": "x", "key": key} for key in keys], columns={"id": "key"})


def test_a_column_says_what_rows_share() -> None:
    rows = [{"text": "a", "label": "x", "who": " Ann "}, {"text": "b", "label": "y", "who": ""}]
    found = examples(rows, columns={"group": "who"})
    assert [example.group for example in found] == ["Ann", ""]
    ungrouped = examples(rows)
    assert [example.group for example in ungrouped] == ["", ""]
    assert [example.id for example in found] == [example.id for example in ungrouped]


def test_fields_are_read_without_answers(tmp_path: Path) -> None:
    source = write(tmp_path / "asked.csv", b"review,stars\nfine,5\ndull,1\n")
    assert read_fields(source, settings(columns={"text": "review"}), ("text",)) == [{"text": "fine"}, {"text": "dull"}]
    with pytest.raises(DataError, match=r"asked\.csv.*unknown column 'text'.*data\.columns\.text=COLUMN"):
        read_fields(source, settings(), ("text",))
