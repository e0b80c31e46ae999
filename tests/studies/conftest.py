from __future__ import annotations

import pytest

from spul.studies import results


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out, which take longest; tests/reports looks at them."""
    for name in ("study_picture", "study_pareto"):
        monkeypatch.setattr(results, name, lambda *_: None)
