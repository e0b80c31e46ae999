"""Bytes of a file → rows of text: CSV, TSV, JSON Lines, Parquet.

Nothing is guessed about values: an empty cell is the empty text and ``NA`` is the text ``NA``. What is no text (a
number, a list, true, false) becomes its JSON, and null the empty text.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from spul.errors import DataError

__all__ = ["PARSERS", "Row", "as_row"]

Row = dict[str, str]


def as_row(values: Mapping[str, Any]) -> Row:
    """Return a row with every value as text."""
    return {str(name): _as_text(value) for name, value in values.items()}


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _parse_csv(data: bytes, where: str) -> list[Row]:
    """Parse comma-separated values with a header; a text with commas, quotes or line breaks stands in quotes."""
    return _parse_table(_decode(data, where), where, delimiter=",", quoting=csv.QUOTE_MINIMAL)


def _parse_tsv(data: bytes, where: str) -> list[Row]:
    """Parse tab-separated values with a header.

    There are two customs: quotes around texts as in CSV (pandas, spreadsheets), and none at all (GLUE). A file that
    does not follow the first to its end is read by the second.
    """
    text = _decode(data, where)
    try:
        return _parse_table(text, where, delimiter="\t", quoting=csv.QUOTE_MINIMAL)
    except DataError:
        return _parse_table(text, where, delimiter="\t", quoting=csv.QUOTE_NONE)


def _parse_table(text: str, where: str, *, delimiter: str, quoting: Any) -> list[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter, quoting=quoting)
    with _long_fields():
        try:
            records = ((reader.line_num, record) for record in reader if record)
            _, header = next(records, (0, []))
            _check_header(header, where)
            return [_table_row(header, record, where, line) for line, record in records]
        except csv.Error as error:
            raise DataError(f"{where}, line {reader.line_num}: {error}. Quote texts as CSV asks for.") from error


def _check_header(header: list[str], where: str) -> None:
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise DataError(f"{where}: expected columns with different names, but {twice} are there more than once")


def _table_row(header: list[str], record: list[str], where: str, line: int) -> Row:
    if len(record) != len(header):
        raise DataError(
            f"{where}, line {line}: expected {len(header)} fields as in the header {header}, got {len(record)}. A text "
            "that holds the separator needs quotes around it."
        )
    return dict(zip(header, record, strict=True))


@contextmanager
def _long_fields() -> Iterator[None]:
    """Lift the csv module's limit of 128 KiB a field, which whole documents exceed; it is global, so it is put back."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _parse_jsonl(data: bytes, where: str) -> list[Row]:
    """Parse one JSON object a line; blank lines are passed over."""
    # Not splitlines(): JSON texts may hold U+2028 and other breaks that end no line of a file.
    lines = enumerate(_decode(data, where).split("\n"), start=1)
    return [_json_row(line, f"{where}, line {number}") for number, line in lines if line.strip()]


def _json_row(line: str, place: str) -> Row:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{place}: expected a JSON object, got {line[:60]!r}: {error.msg}") from error
    if not isinstance(values, dict):
        raise DataError(f"{place}: expected a JSON object, got {line[:60]!r}. Write one object a line.")
    row = as_row(values)
    for name, value in row.items():
        if not _is_unicode(value):
            raise DataError(f"{place}: {name!r} holds half of a surrogate pair (\\ud800 to \\udfff), which is no text")
    return row


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _parse_parquet(data: bytes, where: str) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: Iterable[Mapping[str, Any]] = pq.read_table(pa.BufferReader(data)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{where} is not a readable Parquet file: {error}") from error
    return [as_row(row) for row in rows]


def _decode(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{where}, line {line}: expected UTF-8, but byte {error.start} (0x{data[error.start]:02x}) is not. Convert "
            "the file first, for example: iconv -f WINDOWS-1252 -t UTF-8"
        ) from error


PARSERS: Mapping[str, Callable[[bytes, str], list[Row]]] = {
    ".csv": _parse_csv,
    ".tsv": _parse_tsv,
    ".jsonl": _parse_jsonl,
    ".parquet": _parse_parquet,
}
"""File suffix → parser of a file's bytes; the second argument names the file in errors."""
