"""From the data of a run to its gate: what the detector learns from, and what its threshold is set on."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import NamedTuple

from spul.data.duplicates import normalise
from spul.data.settings import DataSettings
from spul.data.sources import read_fields
from spul.data.splitting import groups_of
from spul.errors import ConfigError, DataError, unknown_name
from spul.scopes._base import SCOPES, Encode
from spul.scopes.calibration import calibrate
from spul.scopes.gate import Gate
from spul.scopes.settings import ScopeSettings
from spul.types import Example, Splits

__all__ = ["ScopeTexts", "divide", "learn_gate"]

logger = logging.getLogger(__name__)


class ScopeTexts(NamedTuple):
    """The texts of a gate; no text is in two of them.

    Attributes:
        forget, retain: what the detector learns from.
        calibration: what the threshold is set on.
    """

    forget: list[str]
    retain: list[str]
    calibration: list[str]


def learn_gate(
    settings: ScopeSettings,
    splits: Splits,
    data: DataSettings,
    *,
    fields: Sequence[str],
    generic_answers: Sequence[str],
    encode: Encode | None = None,
) -> Gate:
    """Learn a gate from the training and validation sides; no test row is looked at. Deterministic.

    The prompt is trained on the calibration rows like on any others: the promise is about the detector's scores, and
    the prompt has no part in these.

    Args:
        settings: what the user said of the gate.
        splits: the run's data. Its contrast rows to keep are learned from: the words around a forgotten name are no
            reason to be in scope. The threshold is not set on them, since nobody asks such things.
        data: how further sources are read.
        fields: the fields that an example has.
        generic_answers: rows with such a truth are plain facts that keep the answer alive, and not like what is asked;
            the detector learns that they are out of scope, and the threshold is not set on them.
        encode: the base model's vectors, for detectors that read them.

    Raises:
        ConfigError: an unknown detector or field.
        DataError: a source does not read, or there are too few calibration rows for epsilon.
    """
    kind = SCOPES.get(settings.detector)
    for name in settings.fields:
        if name not in fields:
            raise ConfigError(f"scope.fields: {unknown_name('field', name, fields)}")
    read = settings.fields or tuple(fields)

    def texts(rows: Iterable[Mapping[str, str]]) -> list[str]:
        return ["\n".join(row[name] for name in read) for row in rows]

    def of_sources(sources: Iterable[str]) -> list[str]:
        return texts(row for source in sources for row in read_fields(source, data, read))

    kept = [*splits.train_retain, *splits.validation_retain]
    divided = divide(
        texts(row.fields for row in (*splits.train_forget, *splits.validation_forget)),
        [*texts(row.fields for row in kept if row.answer not in generic_answers), *of_sources(settings.retain)],
        texts(row.fields for row in (*(row for row in kept if row.answer in generic_answers), *splits.contrast_retain)),
        of_sources([settings.calibration]) if settings.calibration is not None else None,
        share=settings.calibration_share,
        seed=settings.seed,
    )
    detector = kind.learn(divided.forget, divided.retain, settings, encode)
    calibration = calibrate(detector.score(divided.calibration), settings.epsilon)
    logger.info(
        "scope gate %s: learned from %d forget and %d retain texts, threshold from %d others",
        *(settings.detector, len(divided.forget), len(divided.retain), calibration.n),
    )
    facts = {
        "forget_rows": len(divided.forget),
        "retain_rows": len(divided.retain),
        "calibration": settings.calibration or f"{settings.calibration_share:g} of the retain rows",
    }
    return Gate(detector, calibration, read, facts)


def divide(
    forget: Sequence[str],
    retain: Sequence[str],
    plain: Sequence[str],
    calibration: Sequence[str] | None,
    *,
    share: float,
    seed: int,
) -> ScopeTexts:
    """Divide texts into what the detector learns from and what its threshold is set on.

    A text of the forget set counts as nothing else. Without calibration texts, retain texts are held out by groups of
    what is the same, nearly the same or part of one another, forget texts included: a phrase whose sentence the
    detector knows is not like a phrase that it will be asked about.

    Args:
        forget, retain: texts on either side; repetitions count once.
        plain: texts out of scope that are not like what will be asked.
        calibration: given ones, all of which are used as they are.
        share: of ``retain`` that is held out where none are given; at least one text, at most what groups allow.
        seed: which ones.

    Raises:
        DataError: nothing is left to learn from or to calibrate on.
    """
    inside = _distinct(forget, ())
    asked = _distinct(retain, inside)
    others = _distinct(plain, [*inside, *asked])
    if calibration is None:
        held_out = _held_out(list(inside.values()), list(asked.values()), share, seed)
        given = [asked[key] for key in asked if key in held_out]
    else:
        given, held_out = list(calibration), {normalise(text) for text in calibration}
    learned = [text for known in (asked, others) for key, text in known.items() if key not in held_out]
    if not inside or not learned or not given:
        raise DataError(
            f"a scope gate needs forget texts, retain texts and calibration texts, got {len(inside)}, {len(learned)} "
            f"and {len(given)}; give more retain rows (scope.retain) or calibration rows (scope.calibration)"
        )
    return ScopeTexts(list(inside.values()), learned, given)


def _distinct(texts: Sequence[str], taken: Iterable[str]) -> dict[str, str]:
    """Return each text once, by its normalised form, without those that are taken."""
    known = set(taken)
    return {key: text for text in texts if (key := normalise(text)) not in known}


def _held_out(forget: Sequence[str], retain: Sequence[str], share: float, seed: int) -> set[str]:
    rows = [Example(str(i), {"text": text}, "") for i, text in enumerate([*forget, *retain])]
    groups = [[i - len(forget) for i in group if i >= len(forget)] for group in groups_of(rows)]
    groups = [group for group in groups if group]
    Random(f"{seed} scope").shuffle(groups)
    wanted = max(1, round(share * len(retain)))
    chosen: list[int] = []
    for group in groups:
        if len(chosen) + len(group) <= wanted:
            chosen += group
    return {normalise(retain[i]) for i in chosen}
