"""From settings to the splits of a run."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from spul.data.alternatives import ALTERNATIVE_COLUMNS
from spul.data.contrast import make_contrast
from spul.data.duplicates import normalise, text_of
from spul.data.fictitious import make_people_splits
from spul.data.hub import is_saved_dict, saved_splits
from spul.data.settings import DataSettings
from spul.data.sources import find_file, locate, read_rows, to_examples
from spul.data.splitting import draw, draw_share, split_off
from spul.data.tofu import tofu_parts
from spul.errors import ConfigError, DataError, unknown_name
from spul.types import Example, Splits

__all__ = ["load_splits"]

logger = logging.getLogger(__name__)

Examples = tuple[Example, ...]
NAMES = frozenset(field.name for field in dataclass_fields(Splits)) - {"extra"}
Rows = Sequence[dict[str, str]]

BENCHMARKS = {"tofu": tofu_parts}

FOLDER_STEMS = (
    "train_forget",
    "train_retain",
    "test_forget",
    "test_retain",
    "validation_forget",
    "validation_retain",
)
BUILTIN_PARTS = {
    "train_forget": ("train_forget",),
    "train_retain": ("train_retain", "general_train"),
    "test_forget": ("test_forget",),
    "test_retain": ("test_retain", "general_test"),
}
"""Split → parts of the built-in people that make it up: general material is to be kept like the other people."""


class _Wanted(NamedTuple):
    """What is read of a row; see :func:`spul.data.sources.to_examples`."""

    fields: Sequence[str]
    generic: Sequence[str]
    continued: str | None
    alternatives: bool


def load_splits(
    settings: DataSettings,
    *,
    fields: Sequence[str],
    generic: Sequence[str] = (),
    continued: str | None = None,
    alternatives: bool = False,
) -> Splits:
    """Read, check and split the data of a run; the same settings and rows give the same splits.

    Args:
        settings: where the rows come from and what is done with them.
        fields: the fields that the template asks for, the answer left out.
        generic: the task's generic answers, each of which may be the truth of a row.
        continued: the field whose own continuation is the answer, so that no column need hold one.
        alternatives: whether paraphrased and perturbed answers are read where they are there.

    Raises:
        ConfigError: the built-in set is unknown, or a column is mapped to a field that is not asked for.
        DataError: a source cannot be read, a column is missing, a side is empty, or forget and retain overlap.
    """
    _check_mapping(settings, (*fields, *(ALTERNATIVE_COLUMNS if alternatives else ())))
    seed = settings.seed
    found = _unique_ids(_read(settings, _Wanted(fields, generic, continued, alternatives)))
    found = _without_overlap(found, settings)
    for side in ("forget", "retain"):
        if f"test_{side}" not in found:
            found |= _split(found, side, "test", settings.test_share, seed)
    if settings.test_overlap == "drop":
        found = _without_test_overlap(found)
    unseen = found.pop("unseen_retain", ())
    found |= {name: draw(found[name], count, seed) for name, count in settings.max_rows.items() if name in found}
    if settings.forget_share < 1:
        try:
            found["train_forget"] = draw_share(found["train_forget"], settings.forget_share, seed)
        except DataError as error:
            raise DataError(f"data.forget_share={settings.forget_share}: {error}") from error
    found["train_retain"] += found.pop("extra_retain", ())
    for side in ("forget", "retain"):
        if f"validation_{side}" not in found and settings.validation_share:
            found |= _split(found, side, "validation", settings.validation_share, seed)
    if unseen:
        given, unseen = len(unseen), _dropping(unseen, set().union(*map(_texts, found.values())))
        if not unseen:
            raise DataError(
                f"expected rows in data.unseen_retain that stand in no other split, but each of the {given} does; give "
                "others, or leave it out"
            )
        found["unseen_retain"] = draw(unseen, settings.max_rows.get("unseen_retain", len(unseen)), seed)
    extra = {name: found.pop(name) for name in list(found) if name not in NAMES}
    if settings.contrast.is_wanted:
        rows = (found["train_forget"], found["train_retain"], found["test_forget"])
        made = make_contrast(settings.contrast, *rows, generic=generic, seed=seed)
        found |= {
            "contrast_forget": made.forget,
            "contrast_retain": made.retain,
            "test_forget_replaced": made.replaced,
        }
        logger.info("contrast rows: %d names to forget, %d in their place", len(made.names), len(made.others))
    return Splits(**found, extra=extra)


def _split(found: Mapping[str, Examples], side: str, part: str, share: float, seed: int) -> dict[str, Examples]:
    try:
        parts = split_off(found[f"train_{side}"], share, seed)
    except DataError as error:
        raise DataError(f"train_{side}: {error}") from error
    return {f"train_{side}": parts.kept, f"{part}_{side}": parts.split_off}


def _check_mapping(settings: DataSettings, fields: Sequence[str]) -> None:
    known = (*fields, "answer", "id", "group")
    for name in settings.columns:
        if name not in known:
            raise ConfigError(f"data.columns: {unknown_name('field', name, known)} (fields come from task.template)")


def _read(settings: DataSettings, wanted: _Wanted) -> dict[str, Examples]:
    """Return the examples of every split that is given, by its name; ``extra_retain`` is one of them."""

    def made(rows: Rows, where: str, group: str | None = None) -> Examples:
        columns = {"group": group, **settings.columns} if group else settings.columns
        return to_examples(
            rows,
            settings.model_copy(update={"columns": columns}),
            where,
            fields=wanted.fields,
            generic=wanted.generic,
            continued=wanted.continued,
            alternatives=wanted.alternatives,
        )

    def examples(source: str) -> Examples:
        return made(read_rows(source), source)

    if settings.builtin is not None:
        # Lines about one person share its reputation, and are not independent.
        found = {
            name: made(rows, f"built-in {settings.builtin} {name}", "person")
            for name, rows in _builtin_rows(settings).items()
        }
    elif settings.benchmark is not None:
        found = {
            part.name: made(part.rows, part.source, part.group) for part in BENCHMARKS[settings.benchmark](settings)
        }
    else:
        found = {name: examples(source) for name, source in _sources(settings).items()}
    if settings.holdout is not None:
        found["holdout"] = examples(settings.holdout)
    for name, sources in (("extra_retain", settings.extra_retain), ("unseen_retain", settings.unseen_retain)):
        if sources:
            found[name] = tuple(row for source in sources for row in examples(source))
    return found


def _builtin_rows(settings: DataSettings) -> dict[str, list[dict[str, str]]]:
    if settings.builtin != "fictitious":
        raise ConfigError(f"data.builtin: {unknown_name('data set', str(settings.builtin), ['fictitious'])}")
    parts = make_people_splits(seed=settings.seed)
    return {name: [row for part in members for row in parts[part]] for name, members in BUILTIN_PARTS.items()}


def _sources(settings: DataSettings) -> dict[str, str]:
    """Return the source of every split that is given."""
    if settings.folder is None:
        named = {
            "train_forget": settings.forget,
            "train_retain": settings.retain,
            "test_forget": settings.test_forget,
            "test_retain": settings.test_retain,
        }
        return {name: source for name, source in named.items() if source is not None}
    folder = locate(settings.folder)
    if not folder.is_dir():
        raise DataError(f"expected a directory at {folder}, but there is none. Check data.folder.")
    stems = (*FOLDER_STEMS, "holdout") if settings.holdout is None else FOLDER_STEMS
    if is_saved_dict(folder):
        found = {name: f"hf:{folder}:{name}" for name in stems if name in saved_splits(folder)}
    else:
        files: dict[str, Path | None] = {name: find_file(folder, name) for name in stems}
        found = {name: str(file) for name, file in files.items() if file is not None}
    for name in ("train_forget", "train_retain"):
        if name not in found:
            raise DataError(f"expected {name} in {folder}, found {sorted(found)}. Add {name}.csv, say.")
    return found


def _unique_ids(found: Mapping[str, Examples]) -> dict[str, Examples]:
    """Number ids that are there more than once, ``-2``, ``-3``, …: a row that stands in several splits is several."""
    copies: Counter[str] = Counter()
    taken = {example.id for examples in found.values() for example in examples}

    def unique(name: str) -> str:
        copies[name] += 1
        if copies[name] == 1:
            return name
        numbered = f"{name}-{copies[name]}"
        # The data's own ids may look like ours.
        return unique(name) if numbered in taken else numbered

    return {
        name: tuple(replace(example, id=unique(example.id)) for example in examples) for name, examples in found.items()
    }


def _without_overlap(found: dict[str, Examples], settings: DataSettings) -> dict[str, Examples]:
    """Apply ``overlap`` to texts that training rows to forget and training rows to keep have in common."""
    if settings.overlap == "keep":
        return found
    forget = _texts(found["train_forget"])
    kept = {name: _dropping(found.get(name, ()), forget) for name in ("train_retain", "extra_retain")}
    shared = [row for name in kept for row in found.get(name, ()) if normalise(text_of(row)) in forget]
    if shared and settings.overlap == "error":
        raise DataError(
            f"expected forget and retain to have no text in common, but {len(shared)} retain rows are in forget too: "
            f"{[text_of(row)[:60] for row in shared[:3]]}. Take them out of one, or set data.overlap=drop_retain (or "
            "keep)."
        )
    if not kept["train_retain"]:
        raise DataError("every retain row is in forget as well, so nothing is left to keep; check data.retain")
    return found | kept


def _without_test_overlap(found: dict[str, Examples]) -> dict[str, Examples]:
    train = set().union(*(_texts(found.get(name, ())) for name in ("train_forget", "train_retain", "extra_retain")))
    out = {name: _dropping(found[name], train) for name in ("test_forget", "test_retain")}
    for name, left in out.items():
        if not left:
            raise DataError(
                f"every row of {name} has its text in train as well, so data.test_overlap=drop leaves none; give other "
                "test rows, or set data.test_overlap=keep"
            )
    return found | out


def _dropping(examples: Examples, texts: set[str]) -> Examples:
    return tuple(example for example in examples if normalise(text_of(example)) not in texts)


def _texts(examples: Examples) -> set[str]:
    return {normalise(text_of(example)) for example in examples}
