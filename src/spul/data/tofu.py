"""TOFU, the benchmark of fictitious authors, as splits. Maini et al. 2024 (arXiv:2401.06121).

::

    train_forget      forget01, forget05 or forget10, with the paraphrased and perturbed answers of its perturbed file
    train_retain      the rest of the authors: retain99, retain95 or retain90
    test_forget       the questions of train_forget in other words; no model trains on these
    test_retain       the questions of retain_perturbed in other words
    holdout           holdout01, …: authors that no model saw, where the folder has them
    retain_perturbed, real_authors, world_facts
                      TOFU's own three sets for model utility, with their perturbed answers
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from spul.data.formats import Row
from spul.data.hub import PREFIX
from spul.data.settings import DataSettings
from spul.data.sources import find_file, locate, read_rows
from spul.errors import DataError, unknown_name

__all__ = ["RETAIN_OF", "UTILITY_SETS", "Part", "TofuFiles", "tofu_parts"]

RETAIN_OF: Mapping[str, str] = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}
UTILITY_SETS = ("retain_perturbed", "real_authors", "world_facts")
AUTHOR = "author_id"
REPHRASED = "paraphrased_question"


class Part(NamedTuple):
    """The rows of one split, and where they come from."""

    name: str
    source: str
    rows: Sequence[Row]

    @property
    def group(self) -> str | None:
        """The column that names the author, where every row has it: questions about one author hang together."""
        return AUTHOR if all(AUTHOR in row for row in self.rows) else None


def tofu_parts(settings: DataSettings) -> list[Part]:
    """Return the splits of a subset of TOFU.

    Raises:
        DataError: the subset is unknown; a file is missing, or does not read; a perturbed file is there without its
            plain one, or is about other questions.
    """
    assert settings.folder is not None and settings.subset is not None
    if settings.subset not in RETAIN_OF:
        raise DataError(f"data.subset: {unknown_name('subset', settings.subset, RETAIN_OF)}")
    files = TofuFiles(settings.folder)
    forget = files.with_perturbed(settings.subset)
    retain = files.plain(RETAIN_OF[settings.subset])
    parts = [Part("train_forget", *forget), Part("train_retain", *retain)]
    parts += _rephrased("test_forget", forget)
    kept = files.find("retain_perturbed")
    if kept is not None:
        source = kept, read_rows(kept)
        _check_among(source, retain)
        parts += [*_rephrased("test_retain", source), Part("retain_perturbed", *source)]
    parts += [Part(name, *files.with_perturbed(name)) for name in UTILITY_SETS[1:] if files.has(name)]
    if settings.holdout is None and (unseen := files.find(settings.subset.replace("forget", "holdout"))) is not None:
        parts.append(Part("holdout", unseen, read_rows(unseen)))
    return parts


Found = tuple[str, list[Row]]


class TofuFiles:
    """TOFU's files, in a directory or as the configurations of a data set on the hub."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._on_hub = folder.startswith(PREFIX)
        if not self._on_hub and not locate(folder).is_dir():
            raise DataError(f"expected a directory at {locate(folder)}, but there is none. Check data.folder.")

    def find(self, stem: str) -> str | None:
        """Return the source called ``stem``; on the hub everything but the holdout sets is taken to be there."""
        if self._on_hub:
            return None if stem.startswith("holdout") else f"{self._folder}:{stem}:train"
        file = find_file(locate(self._folder), stem)
        return None if file is None else str(file)

    def has(self, stem: str) -> bool:
        """Return whether there is such a source, or a perturbed one."""
        return self.find(stem) is not None or self.find(f"{stem}_perturbed") is not None

    def check(self, subset: str) -> None:
        """Look for the sources that a subset needs, without reading them.

        Raises:
            DataError: one is missing, or its perturbed file is there without it.
        """
        for stem in (subset, RETAIN_OF[subset], *(name for name in UTILITY_SETS[1:] if self.has(name))):
            self.source(stem)

    def plain(self, stem: str) -> Found:
        """Return the rows of a source that must be there.

        Raises:
            DataError: it is not, or does not read.
        """
        source = self.source(stem)
        return source, read_rows(source)

    def source(self, stem: str) -> str:
        """Return a source that must be there.

        Raises:
            DataError: it is not.
        """
        source = self.find(stem)
        if source is None:
            beside = self.find(f"{stem}_perturbed")
            found = f"{beside} is there without it" if beside else "there is none"
            raise DataError(f"expected TOFU's {stem} in {self._folder}, but {found}. Add {stem}.jsonl, say.")
        return source

    def with_perturbed(self, stem: str) -> Found:
        """Return the rows with the paraphrased and perturbed answers of the perturbed file, where there is one.

        Raises:
            DataError: the perturbed file has other questions or answers than the plain one.
        """
        source, rows = self.plain(stem)
        beside = self.find(f"{stem}_perturbed")
        if beside is None:
            return source, rows
        perturbed = read_rows(beside)
        said = [[row.get(name) for name in ("question", "answer")] for row in rows]
        if said != [[row.get(name) for name in ("question", "answer")] for row in perturbed]:
            raise DataError(
                f"expected {beside} to have the questions and answers of {source}, in their order; they differ. Take "
                "both from the same release."
            )
        return source, [{**row, **more} for row, more in zip(rows, perturbed, strict=True)]


def _rephrased(name: str, found: Found) -> list[Part]:
    source, rows = found
    if not all(row.get(REPHRASED, "").strip() for row in rows):
        return []
    return [Part(name, f"{source} ({REPHRASED})", [{**row, "question": row[REPHRASED]} for row in rows])]


def _check_among(perturbed: Found, plain: Found) -> None:
    known = {row.get("question") for row in plain[1]}
    others = [row.get("question") for row in perturbed[1] if row.get("question") not in known]
    if others:
        raise DataError(
            f"expected the questions of {perturbed[0]} to be among those of {plain[0]}, but {len(others)} are not: "
            f"{others[:2]}. Take both from the same release."
        )
