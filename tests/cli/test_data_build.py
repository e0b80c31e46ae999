from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Spul


@pytest.fixture
def source(tmp_path: Path) -> Path:
    people, things = ("anna", "boris", "clara", "david"), ("film", "book", "song", "play", "story", "scene")
    rows = [{"text": f"{who} saw the {what}", "label": "good", "topic": what} for who in people for what in things]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_splits_are_written_and_can_be_checked(spul: Spul, source: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("Boris\n\n")
    result = spul("data", "build", source, "--output", tmp_path / "out", "--entity", "anna", "--entities", names)
    assert result.exit_code == 0, result.output
    assert "train_forget" in result.stdout
    assert json.loads((tmp_path / "out" / "build.json").read_text())["rule"]["entities"].keys() == {"anna", "Boris"}
    assert spul("data", "check", "--folder", tmp_path / "out").exit_code == 0


def test_json_is_the_record(spul: Spul, source: Path, tmp_path: Path) -> None:
    flags = ("--column", "topic", "--value", "film", "--seed", "4", "--test", source, "--json")
    result = spul("data", "build", source, "--output", tmp_path / "out", *flags)
    assert result.exit_code == 2
    assert "came out empty" in result.stderr, "every test row is in train"
    record = json.loads(spul("data", "build", source, "--output", tmp_path / "out", *flags[:6], "--json").stdout)
    assert record == json.loads((tmp_path / "out" / "build.json").read_text())
    assert (record["rule"]["kind"], record["seed"]) == ("ColumnValues", 4)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "exactly one of --entity (or --entities), --ner, --clusters and --column"),
        (["--entity", "anna", "--column", "topic"], "got 2"),
        (["--ner", "spacy"], "--ner spacy alone; name it too: --ner spacy --ner-model"),
        (["--ner", "space", "--ner-model", "m"], "recogniser: Input should be 'spacy' or 'transformers'"),
        (["--ner", "transformers", "--ner-model", "no/such"], "expected a token-classification model"),
        (["--entity", "anna", "--value", "film"], "values: not a setting of Entities"),
        (["--entities", "nowhere.txt"], "expected a file of names at nowhere.txt"),
        (["--clusters", "1"], "count: Input should be greater than or equal to 2"),
        (["--column", "topic", "--forget-share", "2"], "forget_share: Input should be less than 1"),
    ],
)
def test_users_errors(spul: Spul, source: Path, tmp_path: Path, flags: list[str], message: str) -> None:
    result = spul("data", "build", source, "--output", tmp_path / "out", *flags)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()
