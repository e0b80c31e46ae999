"""Reading the two data sets that the small model needs: plain English text and SST-2 phrases."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from spul.errors import DataError, MissingDependencyError

__all__ = ["Phrase", "Split", "default_data_root", "read_documents", "read_phrases"]

Split = Literal["train", "valid"]
PhraseSplit = Literal["train_retain", "train_forget", "test_retain", "test_forget"]

# lm_text is compressed with a long window; the reader has to allow it.
_ZSTD_WINDOW = 2**27


class Phrase(NamedTuple):
    """One SST-2 phrase with its label, ``positive`` or ``negative``."""

    text: str
    label: str


def default_data_root(environment: Mapping[str, str] = os.environ) -> Path:
    """Return ``$SPUL_DATA``, or ``../shared/data`` beside the repository where it is not set."""
    beside = Path(__file__).resolve().parents[4].parent / "shared" / "data"
    return Path(environment.get("SPUL_DATA", beside))


def read_documents(root: Path, split: Split) -> list[str]:
    """Return the documents of ``lm_text``, one a line of the file, with surrounding blanks removed.

    Raises:
        DataError: the file is missing, is not zstandard or holds no text.
    """
    try:
        import zstandard
    except ImportError as error:
        raise MissingDependencyError("the plain text is zstandard: pip install 'spul[reproduce]'") from error

    path = root / "lm_text" / f"{split}.txt.zst"
    _must_exist(path)
    try:
        with path.open("rb") as raw:
            stream = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(raw)
            documents = [line.strip() for line in io.TextIOWrapper(stream, encoding="utf-8")]
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected UTF-8 text in zstandard, came {error}; fetch the file again") from error
    documents = [document for document in documents if document]
    if not documents:
        raise DataError(f"{path}: expected one document a line, came none; fetch the file again")
    return documents


def read_phrases(root: Path, split: PhraseSplit, folder: str = "sst2_entity") -> list[Phrase]:
    """Return one split of an SST-2 folder (columns ``text`` and ``label_text``).

    Raises:
        DataError: the file or one of its columns is missing.
    """
    path = root / folder / f"{split}.csv.gz"
    _must_exist(path)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        if not {"text", "label_text"} <= set(columns):
            raise DataError(f"{path}: expected columns text and label_text, came {', '.join(columns)}")
        return [Phrase(row["text"].strip(), row["label_text"]) for row in reader]


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such file; set SPUL_DATA (or --data) to the folder that holds the data sets")
