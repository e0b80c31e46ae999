"""Built splits as files: the same rows give the same bytes."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spul.data.building.build import Built
from spul.data.check import check_splits
from spul.data.formats import Row
from spul.data.report import DataReport, Overlap
from spul.errors import DataError
from spul.files import write_bytes, write_json
from spul.types import SPLIT_NAMES

__all__ = ["write_splits"]

RECORD = "build.json"
SCHEMA_VERSION = 1


def write_splits(built: Built, folder: Path) -> dict[str, Any]:
    """Write ``train_forget.csv.gz``, …, and ``build.json`` into a new or empty directory; return what the latter says.

    ``build.json`` holds the rule and what it chose, the seed, counts, digests of the files' bytes, the leak report
    (how much of test stands in train) and the data check's warnings. It is written last: a directory that has it is
    whole.

    Raises:
        DataError: something is in the directory already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            f"expected {folder} to be new or empty, so that nothing is overwritten. Choose another --output."
        )
    files = {f"{name}.csv.gz": _csv_gz(built.rows[name]) for name in SPLIT_NAMES}
    report = check_splits(built.splits)
    record = {
        "schema_version": SCHEMA_VERSION,
        **built.facts,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "leaks": _leaks(report),
        "warnings": list(report.warnings),
    }
    for name, data in files.items():
        write_bytes(folder / name, data)
    write_json(folder / RECORD, record)
    return record


def _csv_gz(rows: Sequence[Row]) -> bytes:
    """Return rows as gzipped CSV without a time stamp; a column that a row lacks is empty there."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return gzip.compress(text.getvalue().encode("utf-8"), mtime=0)


def _leaks(report: DataReport) -> dict[str, dict[str, float | None]]:
    return {found.rows_of: _leak(found) for found in report.overlaps if found.within == "train"}


def _leak(found: Overlap) -> dict[str, float | None]:
    """Return the shares of rows that stand in train; ``contained`` is of the rows of four words or more."""
    return {
        "same": found.same / found.rows,
        "near": found.near / found.rows,
        "contained": found.contained / found.long_enough if found.long_enough else None,
    }
