"""The error tree, and the message for a name that is not known."""

from __future__ import annotations

import re

import pytest

from spul import errors
from spul.errors import SpulError, unknown_name


def test_every_error_is_a_spul_error_and_drawn_in_the_docstring() -> None:
    found = {name for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, Exception)}
    drawn = set(re.findall(r"^\s*[│├└─ ]*(\w+Error)\b", errors.__doc__ or "", flags=re.MULTILINE))
    assert found == drawn
    assert found == {name for name in errors.__all__ if name.endswith("Error")}
    assert all(issubclass(getattr(errors, name), SpulError) for name in found)


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("nppo", ["npo", "ga"], "unknown method 'nppo'. Did you mean 'npo'? Known: ga, npo"),
        ("zebra", ["npo", "ga"], "unknown method 'zebra'. Known: ga, npo"),
        ("npo", [], "unknown method 'npo'. Known: (none)"),
    ],
)
def test_the_closest_known_name_is_suggested(name: str, known: list[str], expected: str) -> None:
    assert unknown_name("method", name, known) == expected
