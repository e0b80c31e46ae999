from __future__ import annotations

from collections.abc import Iterator

import pytest

from spul.exports import _weights


@pytest.fixture(autouse=True, scope="module")
def _short_search() -> Iterator[None]:
    """Masks of random models are poor however long they are sought."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_weights, "STEPS", 10)
        patch.setattr(_weights, "RIDGES", (1e-3, 1e-1))
        yield
