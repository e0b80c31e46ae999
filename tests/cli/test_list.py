from __future__ import annotations

import json

import pytest

from spul.cli.list import Kind, entries
from tests.cli.conftest import Spul


@pytest.mark.parametrize("kind", list(Kind))
def test_stem_of_the_file_is_the_registered_name(kind: Kind) -> None:
    for entry in entries(kind):
        assert entry["module"] == f"{kind.package}.{entry['name']}"


@pytest.mark.parametrize("kind", list(Kind))
def test_everything_says_in_a_sentence_what_it_is(kind: Kind) -> None:
    for entry in entries(kind):
        assert entry["summary"].endswith("."), entry


def test_table_names_what_is_there(spul: Spul) -> None:
    result = spul("list", "methods")
    assert result.exit_code == 0
    for name in ("finetune", "retrain", "spul"):
        assert name in result.stdout


def test_json_is_the_entries_and_nothing_else(spul: Spul) -> None:
    result = spul("list", "objectives", "--json")
    assert json.loads(result.stdout) == entries(Kind.objectives)
    assert result.stderr == ""


def test_unknown_kind_is_exit_code_2_and_names_the_kinds(spul: Spul) -> None:
    result = spul("list", "nonsense")
    assert result.exit_code == 2
    assert "methods" in result.stderr
