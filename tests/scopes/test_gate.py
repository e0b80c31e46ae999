"""A gate that is damaged, foreign or missing is refused, and the message says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spul.errors import RunError
from spul.scopes import SCOPES, Gate, calibrate, load_gate, save_gate
from spul.scopes.settings import ScopeSettings
from tests.scopes.made import FORGOTTEN, KEPT, texts


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    detector = SCOPES.get("token_max").learn(texts(FORGOTTEN, 20, 0), texts(KEPT, 50, 1), ScopeSettings(), None)
    save_gate(tmp_path / "scope", Gate(detector, calibrate(np.arange(60.0), 0.05), ("title", "text")))
    return tmp_path / "scope"


def test_fields_are_read_in_order_and_nothing_else(saved: Path) -> None:
    assert load_gate(saved).text({"text": "b", "other": "c", "title": "a"}) == "a\nb"


def test_no_texts_no_scores(saved: Path) -> None:
    assert load_gate(saved).in_scope([]) == []


def test_missing_gate(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="make one with `spul gate RUN`"):
        load_gate(tmp_path)


@pytest.mark.parametrize("name", ["detector.json", "detector.safetensors"])
def test_changed_file(saved: Path, name: str) -> None:
    data = bytearray((saved / name).read_bytes())
    data[len(data) // 2] ^= 1
    (saved / name).write_bytes(data)
    with pytest.raises(RunError, match=f"{name} is not the file that was saved"):
        load_gate(saved)


def test_file_that_is_gone(saved: Path) -> None:
    (saved / "detector.json").unlink()
    with pytest.raises(RunError, match="does not read"):
        load_gate(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"schema": 2}, "schema 2"), ({"detector": "tokenmax"}, "token_max"), ({"calibration": {}}, "does not read")],
)
def test_record_that_does_not_read(saved: Path, change: dict[str, object], message: str) -> None:
    record = json.loads((saved / "scope.json").read_text())
    (saved / "scope.json").write_text(json.dumps({**record, **change}))
    with pytest.raises(Exception, match=message) as caught:
        load_gate(saved)
    assert type(caught.value).__module__ == "spul.errors"


def test_detector_of_hidden_states_wants_the_base(saved: Path) -> None:
    record = json.loads((saved / "scope.json").read_text())
    (saved / "scope.json").write_text(json.dumps({**record, "detector": "hidden_states"}))
    with pytest.raises(RunError, match="needs the base model"):
        load_gate(saved)
