"""MUSE's files, or a user's own of the same kind, as texts of a size that a model takes in at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from spul.data.hub import PREFIX
from spul.data.sources import find_file, locate, read_rows
from spul.errors import DataError
from spul.files import write_jsonl

__all__ = ["HUB_NAMES", "muse_files"]

HUB_NAMES: Mapping[str, str] = {
    "forget": "raw:forget",
    "retain": "raw:retain2",
    "holdout": "raw:holdout",
    "knowmem_forget": "knowmem:forget_qa",
    "knowmem_retain": "knowmem:retain_qa",
    "knowmem_forget_icl": "knowmem:forget_qa_icl",
    "knowmem_retain_icl": "knowmem:retain_qa_icl",
}
"""File of a folder → configuration and split of ``muse-bench/MUSE-News`` and ``MUSE-Books``."""

TEXTS = ("forget", "retain", "holdout")
QUESTIONS = ("knowmem_forget", "knowmem_retain")
WORKED = ("knowmem_forget_icl", "knowmem_retain_icl")


def muse_files(source: str, cache: Path, words: int, *, make: bool, log: Callable[[str], None]) -> Path:
    """Return a folder with texts cut into pieces of at most ``words`` words, and the questions as they are.

    Args:
        source: directory or ``hf:NAME``.
        cache: where derived files are kept.
        words: of a piece; words are what white space parts.
        make: write the files if they are not there.
        log: told of them.

    Raises:
        DataError: a file or a column is missing.
    """
    name = "".join(sign if sign.isalnum() else "-" for sign in source).strip("-")
    folder = cache.absolute() / "benchmarks" / f"muse-{name}-{words}"
    last = folder / "whole"
    if last.exists() or not make:
        return folder
    for stem in TEXTS:
        pieces = [piece for row in _rows(source, stem) for piece in _pieces(_cell(row, "text", source, stem), words)]
        # Equal pieces (mottos, chapter headings) would be one row twice.
        write_jsonl(folder / f"{stem}.jsonl", [{"text": piece} for piece in dict.fromkeys(pieces)])
        log(f"{folder / stem}.jsonl: {len(pieces)} pieces")
    for stem in (*QUESTIONS, *WORKED):
        if stem in WORKED and not _is_there(source, stem):
            continue
        rows = [
            {name: _cell(row, name, source, stem) for name in ("question", "answer")} for row in _rows(source, stem)
        ]
        write_jsonl(folder / f"{stem}.jsonl", rows)
    last.touch()
    return folder


def _is_there(source: str, stem: str) -> bool:
    return source.startswith(PREFIX) or find_file(locate(source), stem) is not None


def _rows(source: str, stem: str) -> list[dict[str, str]]:
    if source.startswith(PREFIX):
        return read_rows(f"{source}:{HUB_NAMES[stem]}")
    file = find_file(locate(source), stem)
    if file is None:
        raise DataError(
            f"expected {stem} in {source}, as .jsonl, .csv or .parquet; it is not there. MUSE wants {', '.join(TEXTS)} "
            f"(column text) and {', '.join(QUESTIONS)} (question, answer); see docs/benchmarks.md."
        )
    return read_rows(str(file))


def _cell(row: Mapping[str, str], column: str, source: str, stem: str) -> str:
    if not row.get(column, "").strip():
        raise DataError(f"expected a text in column {column!r} of every row of {stem} in {source}; one has none")
    return row[column]


def _pieces(text: str, words: int) -> list[str]:
    found = text.split()
    pieces = [found[i : i + words] for i in range(0, len(found), words)]
    # A short rest says little; where it is not all there is it is left out.
    return [" ".join(piece) for piece in pieces if len(piece) * 2 >= words or len(pieces) == 1]
