from __future__ import annotations

import csv
import datetime
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spul.data.formats import PARSERS, as_row
from spul.errors import DataError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def parse(kind: str, content: str | bytes) -> list[dict[str, str]]:
    data = content if isinstance(content, bytes) else content.encode()
    return PARSERS[kind](data, "data.x")


def fails(kind: str, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse(kind, content)


def test_csv_values_stay_as_they_are() -> None:
    rows = parse(".csv", 'text,label\n"a, ""quoted"" \nline",1\nNA,\n  null ,nan\n')
    assert rows == [
        {"text": 'a, "quoted" \nline', "label": "1"},
        {"text": "NA", "label": ""},
        {"text": "  null ", "label": "nan"},
    ]


def test_csv_of_other_systems() -> None:
    assert parse(".csv", b"\xef\xbb\xbftext,label\r\none,1\r\n\r\ntwo,2") == [
        {"text": "one", "label": "1"},
        {"text": "two", "label": "2"},
    ]


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries({"text": texts, "label": texts}), min_size=1, max_size=5))
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_what_the_csv_module_writes_is_read_back(delimiter: str, rows: list[dict[str, str]]) -> None:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["text", "label"], delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    assert parse(".csv" if delimiter == "," else ".tsv", out.getvalue()) == rows


def test_a_long_field_is_read_and_the_module_limit_put_back() -> None:
    before = csv.field_size_limit()
    assert parse(".csv", "text\n" + "x" * 300_000) == [{"text": "x" * 300_000}]
    assert csv.field_size_limit() == before


def test_a_ragged_row_is_named_with_its_line() -> None:
    fails(".csv", 'text,label\n"two\nlines",1\na,b,c\n', r"data\.x, line 4: expected 2 fields .* got 3")
    fails(".csv", "text,label\na\n", r"line 2: expected 2 fields .* got 1")


@pytest.mark.parametrize("content", ['text\n"never closed\n', 'text\n"a"b\n'])
def test_quotes_out_of_place_are_refused(content: str) -> None:
    fails(".csv", content, r"data\.x, line 2")


def test_columns_of_one_name_are_refused() -> None:
    fails(".csv", "text,text\na,b\n", r"\['text'\] are there more than once")


def test_no_rows_are_no_rows() -> None:
    for kind in (".csv", ".tsv", ".jsonl"):
        assert parse(kind, "") == []
    assert parse(".csv", "text,label\n") == []


def test_tsv_with_and_without_quotes_as_a_custom() -> None:
    assert parse(".tsv", 'text\tlabel\n"he said ""no"""\t1\n') == [{"text": 'he said "no"', "label": "1"}]
    unquoted = 'text\tlabel\n"funny" film\t1\n"never closed\t0\n'
    assert parse(".tsv", unquoted) == [
        {"text": '"funny" film', "label": "1"},
        {"text": '"never closed', "label": "0"},
    ]
    fails(".tsv", "text\tlabel\na\tb\tc\n", "line 2: expected 2 fields")


def test_jsonl_values_become_text() -> None:
    content = '{"text": "a\\u2028b\u2028c", "label": 1, "ok": true}\n\n{"text": null, "label": 0.5, "x": ["é", 1]}\n'
    assert parse(".jsonl", content) == [
        {"text": "a\u2028b\u2028c", "label": "1", "ok": "true"},
        {"text": "", "label": "0.5", "x": '["é", 1]'},
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}\n{"a": \n', r"data\.x, line 2: expected a JSON object, got '{\"a\": '"),
        ('{"a": 1}\n["a"]\n', r"line 2: expected a JSON object.* one object a line"),
        ('{"a": "\\ud800"}\n', r"line 1: 'a' holds half of a surrogate pair"),
    ],
)
def test_damaged_jsonl_is_refused(content: str, message: str) -> None:
    fails(".jsonl", content, message)


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl"])
def test_bytes_that_are_no_utf8_are_named(kind: str) -> None:
    fails(kind, b"text\nfine\ncaf\xe9\n", r"data\.x, line 3: expected UTF-8, but byte 13 \(0xe9\) is not\. .*iconv")


def test_parquet_values_become_text() -> None:
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": ["é", None], "label": [1, 0]}), buffer)
    data = buffer.getvalue().to_pybytes()
    assert parse(".parquet", data) == [{"text": "é", "label": "1"}, {"text": "", "label": "0"}]
    fails(".parquet", data[:-10], r"data\.x is not a readable Parquet file")


def test_values_without_json_become_text_too() -> None:
    assert as_row({"day": datetime.date(2024, 2, 29)}) == {"day": '"2024-02-29"'}
