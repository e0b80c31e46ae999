from __future__ import annotations

import json

from spul import __version__
from tests.cli.conftest import Spul


def test_versions_of_spul_and_what_it_stands_on(spul: Spul) -> None:
    found = json.loads(spul("version", "--json").stdout)
    assert found["spul"] == __version__
    assert {"python", "torch", "transformers", "peft"} <= found.keys()


def test_text_has_one_line_a_package(spul: Spul) -> None:
    lines = spul("version").stdout.splitlines()
    assert f"spul {__version__}".split() in [line.split() for line in lines]
