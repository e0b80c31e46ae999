"""Sources of data, and how their rows become examples."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from spul.data.alternatives import ALTERNATIVE_COLUMNS, alternatives_of
from spul.data.choices import CHOICES, letters_of, parse_choices
from spul.data.formats import PARSERS, Row
from spul.data.hub import PREFIX, is_saved, read_hub, read_saved
from spul.data.settings import DataSettings
from spul.errors import DataError, unknown_name
from spul.types import Example

__all__ = ["ANSWER_COLUMNS", "find_file", "locate", "read_fields", "read_rows", "to_examples"]

Columns = str | tuple[str, ...]
"""What a field is read from: one column, or several that make a list."""

ANSWER_COLUMNS = ("answer", "label")
"""Where the answer is looked for if no column is mapped to it, in this order."""

GROUP = "group"
"""The field that says which rows belong together; read where a column is mapped to it."""


def locate(path: str) -> Path:
    """Return the path with ``~`` and environment variables expanded.

    Raises:
        DataError: a variable is not set.
    """
    expanded = os.path.expandvars(path)
    if "$" in expanded:
        raise DataError(f"expected a path, but {path!r} names an environment variable that is not set. Set it first.")
    return Path(expanded).expanduser()


def find_file(folder: Path, stem: str) -> Path | None:
    """Return the one source called ``stem`` in a folder: a file of a known kind or a saved data set; ``None`` if none.

    Raises:
        DataError: there are several.
    """
    files = [folder / f"{stem}{suffix}{gz}" for suffix in PARSERS for gz in ("", ".gz")]
    found = [file for file in files if file.is_file()] + [path for path in [folder / stem] if is_saved(path)]
    if len(found) > 1:
        raise DataError(f"expected one {stem} in {folder}, found {[path.name for path in found]}. Remove all but one.")
    return found[0] if found else None


def read_rows(source: str) -> list[Row]:
    """Read every row of a source as text.

    Args:
        source: a CSV, TSV, JSONL or Parquet file, gzipped or not; a directory that ``datasets`` saved; or
            ``hf:NAME[[:CONFIG]:SPLIT]``.

    Raises:
        DataError: there is no such source, it is of no known kind, it is damaged or no UTF-8, a row does not fit the
            header, or there are no rows.
    """
    if source.startswith(PREFIX):
        rows = read_hub(os.path.expandvars(source))
    else:
        path = locate(source)
        rows = read_saved(path) if is_saved(path) else _read_file(path)
    if not rows:
        raise DataError(f"expected rows in {source}, but it has none")
    return rows


def read_fields(source: str, settings: DataSettings, fields: Sequence[str]) -> list[dict[str, str]]:
    """Return the fields of every row of a source that needs no answers.

    Raises:
        DataError: as :func:`read_rows`, or a column is missing.
    """
    rows = read_rows(source)
    columns: dict[str, Columns] = {field: settings.columns.get(field, field) for field in fields}
    _check_columns(columns, rows, source)
    texts = [_values(rows, column, source) for column in columns.values()]
    return [dict(zip(fields, values, strict=True)) for values in zip(*texts, strict=True)]


def to_examples(
    rows: Sequence[Row],
    settings: DataSettings,
    where: str,
    *,
    fields: Sequence[str],
    generic: Sequence[str] = (),
    continued: str | None = None,
    alternatives: bool = False,
) -> tuple[Example, ...]:
    """Turn rows into examples.

    Args:
        rows: at least one.
        settings: column mapping and label names.
        where: the source, for errors.
        fields: the fields that the template asks for, the answer left out.
        generic: answers outside the options that may be the truth of a question with choices.
        continued: the field whose own continuation is the answer, so that no column need hold one.
        alternatives: whether columns with paraphrased and perturbed answers are read where they are there.

    Returns:
        Examples in the rows' order. Where no column is mapped to ``id``, an id is a digest of what the example says;
        rows that say the same have the same. With a field ``choices`` the answer is the letter of the right one,
        or generic.

    Raises:
        DataError: a column is missing, a value has no label name, an answer is empty or none of the choices, or an id
            is there twice.
    """
    columns = _columns(rows, settings, where, fields, continued)
    texts = {name: _values(rows, column, where) for name, column in columns.items()}
    answers = [
        _answer(value, settings.label_names, str(columns["answer"]), f"{where}, row {number}")
        for number, value in enumerate(texts["answer"], start=1)
    ]
    if CHOICES in fields:
        choices = [parse_choices(text, f"{where}, row {number}") for number, text in enumerate(texts[CHOICES], start=1)]
        answers = letters_of(answers, choices, where, generic)
    contents = [dict(zip(fields, values, strict=True)) for values in zip(*(texts[f] for f in fields), strict=True)]
    ids = _checked_ids(texts["id"], where) if "id" in settings.columns else map(_digest, contents, answers)
    groups = [text.strip() for text in texts[GROUP]] if GROUP in texts else [""] * len(rows)
    beside = _alternatives(rows, settings, where) if alternatives else [{}] * len(rows)
    return tuple(map(Example, ids, contents, answers, groups, beside))


def _alternatives(rows: Sequence[Row], settings: DataSettings, where: str) -> list[dict[str, tuple[str, ...]]]:
    present = {name for row in rows for name in row}
    columns: dict[str, Columns] = {}
    for name, candidates in ALTERNATIVE_COLUMNS.items():
        column = settings.columns.get(name) or next((each for each in candidates if each in present), None)
        if column is not None:
            columns[name] = column
    texts = {name: _values(rows, _present(columns, name, present, where), where) for name in columns}
    return [
        alternatives_of({name: cells[i] for name, cells in texts.items()}, f"{where}, row {i + 1}")
        for i in range(len(rows))
    ]


def _read_file(path: Path) -> list[Row]:
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if not path.is_file():
        close = get_close_matches(path.name, [beside.name for beside in path.parent.glob("*")], n=1)
        hint = f" Did you mean {close[0]!r}?" if close else " Check the path."
        raise DataError(f"expected a data file at {path}, but there is none.{hint}")
    if suffix not in PARSERS:
        raise DataError(
            f"expected a file of a known kind, got {path.name!r}. Known: {', '.join(PARSERS)}, with or without .gz."
        )
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return PARSERS[suffix](data, str(path))


def _columns(
    rows: Sequence[Row], settings: DataSettings, where: str, fields: Sequence[str], continued: str | None
) -> dict[str, Columns]:
    """Return field → column for the template's fields, the answer and, if it is mapped, the id."""
    present = dict.fromkeys(name for row in rows for name in row)
    columns: dict[str, Columns] = {field: settings.columns.get(field, field) for field in fields}
    fallback = next((name for name in ANSWER_COLUMNS if name in present), ANSWER_COLUMNS[0])
    if continued is not None:
        fallback = str(columns[continued])
    columns["answer"] = settings.columns.get("answer", fallback)
    columns |= {name: settings.columns[name] for name in ("id", GROUP) if name in settings.columns}
    _check_columns(columns, rows, where)
    return columns


def _check_columns(columns: Mapping[str, Columns], rows: Sequence[Row], where: str) -> None:
    present = dict.fromkeys(name for row in rows for name in row)
    for field in columns:
        _present(columns, field, present, where)


def _present(columns: Mapping[str, Columns], field: str, present: Collection[str], where: str) -> Columns:
    """Return a field's column or columns.

    Raises:
        DataError: one is not there.
    """
    named = columns[field]
    for column in (named,) if isinstance(named, str) else named:
        if column not in present:
            raise DataError(
                f"{where}, for the field {field!r}: {unknown_name('column', column, present)}. Name the right one "
                f"with data.columns.{field}=COLUMN."
            )
    return named


def _values(rows: Sequence[Row], columns: Columns, where: str) -> list[str]:
    """Return a field's text in every row; that of several columns is a JSON array."""
    if isinstance(columns, str):
        return _column(rows, columns, where)
    lists = zip(*(_column(rows, column, where) for column in columns), strict=True)
    return [json.dumps(_without_empty_end(values), ensure_ascii=False) for values in lists]


def _without_empty_end(values: Sequence[str]) -> Sequence[str]:
    filled = [i for i, value in enumerate(values) if value.strip()]
    return values[: filled[-1] + 1 if filled else 0]


def _column(rows: Sequence[Row], column: str, where: str) -> list[str]:
    for number, row in enumerate(rows, start=1):
        if column not in row:
            raise DataError(
                f"{where}, row {number}: expected a value for {column!r}, as other rows have; it is missing"
            )
    return [row[column] for row in rows]


def _answer(value: str, label_names: Mapping[str, str], column: str, place: str) -> str:
    answer = value.strip()
    if not answer:
        raise DataError(f"{place}: expected an answer in column {column!r}, got {value!r}. Fill it in or drop the row.")
    if not label_names or answer in label_names.values():
        return answer
    if answer not in label_names:
        raise DataError(f"{place}, column {column!r}: {unknown_name('code', answer, label_names)} (data.label_names)")
    return label_names[answer]


def _digest(content: Mapping[str, str], answer: str) -> str:
    text = json.dumps([content, answer], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _checked_ids(ids: list[str], where: str) -> list[str]:
    rows: dict[str, int] = {}
    for number, name in enumerate(ids, start=1):
        if not name or name in rows:
            problem = f"{name!r} is the id of row {rows[name]} as well" if name else "the id is empty"
            raise DataError(f"{where}, row {number}: {problem}. Make ids unique, or leave data.columns.id out.")
        rows[name] = number
    return ids
