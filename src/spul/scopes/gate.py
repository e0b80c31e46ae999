"""A gate: a detector, its threshold, and what it reads; kept as JSON and safetensors, never as a pickle.

::

    scope/
      detector.json         what the detector has learned: n-grams, words
      detector.safetensors  and its weights
      scope.json            written last: schema, detector, threshold and calibration, fields, digests of the two above
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.numpy import load, save

from spul.errors import RunError
from spul.files import file_digest, write_bytes, write_json
from spul.scopes._base import SCOPES, Detector, Encode, State
from spul.scopes.calibration import Calibration

__all__ = ["Gate", "load_gate", "save_gate"]

SCHEMA = 1
RECORD_FILE, FACTS_FILE, ARRAYS_FILE = "scope.json", "detector.json", "detector.safetensors"


@dataclass(frozen=True)
class Gate:
    """Decides which queries a prompt is applied to.

    Attributes:
        detector: scores texts.
        calibration: the threshold, and what is promised of it.
        fields: the example's fields that are read, in order.
        facts: how it came about: rows learned from, calibration rows and where they are from. JSON-ready.
    """

    detector: Detector
    calibration: Calibration
    fields: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def text(self, fields: Mapping[str, str]) -> str:
        """Return what the detector reads of an example: its fields, one below the other."""
        return "\n".join(fields[name] for name in self.fields)

    def scores(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """Return one score a text; a text's score does not depend on the others."""
        return self.detector.score(texts) if len(texts) else np.zeros(0)

    def in_scope(self, texts: Sequence[str]) -> list[bool]:
        """Return which texts the prompt is meant for."""
        return self.calibration.in_scope(self.scores(texts))


def save_gate(directory: Path, gate: Gate) -> None:
    """Write a gate; each file is replaced atomically, and the record, which makes it valid, is the last.

    Raises:
        OSError: the files cannot be written; a gate that was there is then still whole, or refused when loaded.
    """
    facts, arrays = gate.detector.state()
    write_json(directory / FACTS_FILE, facts)
    write_bytes(directory / ARRAYS_FILE, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
    record = {
        "schema": SCHEMA,
        "detector": gate.detector.name,
        "calibration": gate.calibration.to_json(),
        "fields": list(gate.fields),
        "facts": dict(gate.facts),
        "sha256": {name: file_digest(directory / name) for name in (FACTS_FILE, ARRAYS_FILE)},
    }
    write_json(directory / RECORD_FILE, record)


def load_gate(directory: Path, encode: Encode | None = None) -> Gate:
    """Read what :func:`save_gate` wrote; its scores are the same, bit for bit.

    Args:
        directory: of the gate (``scope/`` of a run).
        encode: the base model's vectors, for a detector that reads them.

    Raises:
        RunError: a file is missing, unreadable, not the one that was saved, or of a schema that this version does not
            know; or the detector reads the base model, and none is given.
    """
    if not (directory / RECORD_FILE).is_file():
        raise RunError(f"expected a scope gate in {directory}, but there is none; make one with `spul gate RUN`")
    record = _read_json(directory / RECORD_FILE)
    if record.get("schema") != SCHEMA:
        raise RunError(
            f"{directory / RECORD_FILE} has schema {record.get('schema')!r}, and this version of spul reads {SCHEMA}"
        )
    try:
        for name in (FACTS_FILE, ARRAYS_FILE):
            if file_digest(directory / name) != record["sha256"][name]:
                raise RunError(f"{directory / name} is not the file that was saved with the gate; make the gate anew")
        kind = SCOPES.get(record["detector"])
        if kind.reads_base and encode is None:
            raise RunError(f"the detector {kind.name} reads the base model's hidden states, so it needs the base model")
        state = State(_read_json(directory / FACTS_FILE), load((directory / ARRAYS_FILE).read_bytes()))
        calibration = Calibration(**record["calibration"])
        return Gate(kind.from_state(state, encode), calibration, tuple(record["fields"]), record["facts"])
    except (KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
        raise RunError(f"the gate in {directory} does not read ({error}); make it anew with `spul gate RUN`") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"expected JSON in {path}, but it cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise RunError(f"expected a JSON object in {path}, got {type(value).__name__}")
    return value
