from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Spul
from tests.training.setting import TEMPLATE, write_setting


def write_rows(file: Path, rows: list[tuple[str, str]]) -> Path:
    file.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    return file


@pytest.fixture
def sides(tmp_path: Path) -> list[object]:
    """Flags that name 10 forget rows and 20 retain rows, of which two say the same."""
    places = ("garden", "house", "train", "ship", "river", "mountain", "city", "scene", "play", "book")
    forget = [(f"anna was in the {place}", "positive") for place in places]
    retain = [(f"{who} saw a {place} today", "negative") for who in ("boris", "clara") for place in places]
    return [
        *("--forget", write_rows(tmp_path / "forget.jsonl", forget)),
        *("--retain", write_rows(tmp_path / "retain.jsonl", [*retain, retain[0]])),
    ]


def test_report_is_for_people(spul: Spul, sides: list[object]) -> None:
    result = spul("data", "check", *sides)
    assert result.exit_code == 0, result.output
    assert "train_forget" in result.stdout
    assert "positive 100%" in result.stdout
    assert "warning: " in result.stdout
    assert "With --model" in result.stdout


def test_json_is_the_whole_report_and_nothing_else(spul: Spul, sides: list[object]) -> None:
    report = json.loads(spul("data", "check", *sides, "--json").stdout)
    rows = {name: split["rows"] for name, split in report["splits"].items()}
    assert sum(count for name, count in rows.items() if name.endswith("forget")) == 10
    assert sum(count for name, count in rows.items() if name.endswith("retain")) == 21
    assert report["warnings"]


def test_strict_exits_with_1_where_there_is_a_warning(spul: Spul, sides: list[object]) -> None:
    assert spul("data", "check", *sides, "--strict").exit_code == 1


def test_strict_exits_with_0_where_there_is_none(
    spul: Spul, sides: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    import spul.data.check as module

    whole = module.check_splits
    monkeypatch.setattr(module, "check_splits", lambda *args: whole(*args).model_copy(update={"warnings": ()}))
    result = spul("data", "check", *sides, "--strict")
    assert result.exit_code == 0
    assert "No warnings." in result.stdout


def test_with_a_model_lengths_are_in_tokens_and_what_is_cut_is_counted(spul: Spul, tmp_path: Path) -> None:
    """Of ``text : TEXT question : what sentiment ? answer :`` and the answer, 9 tokens are no text; TEXT has 5 words.

    A special token at the start makes 15. In 18 tokens, of which 4 are virtual, one of the text's words is cut off.
    """
    values = write_setting(tmp_path)
    pairs = ["prompt.num_virtual_tokens=4", f"task.template={TEMPLATE!r}"]
    flags: list[Any] = ["--forget", values["data"]["forget"], "--retain", values["data"]["retain"]]
    report = json.loads(
        spul("data", "check", *flags, "--model", values["model"]["path"], "--json", *pairs, "task.max_length=18").stdout
    )
    split = report["splits"]["train_retain"]
    assert split["tokens"]["max"] == 14
    assert split["truncated"] == split["rows"]


def test_pairs_alone_name_the_builtin_people(spul: Spul) -> None:
    result = spul("data", "check", "--json", "data.builtin=fictitious")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["splits"]["train_forget"]["rows"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--forget", "a.csv"], "`retain` is missing"),
        (["--forget", "a.csv", "--retain", "b.csv"], "a.csv"),
        (["--column", "text"], "expected --column NAME=VALUE"),
        (["data.folder=x", "data.test_shar=0.1"], "Did you mean 'test_share'?"),
        (["--config", "missing.yaml"], "expected a YAML file at missing.yaml"),
    ],
)
def test_users_errors(spul: Spul, arguments: list[str], message: str) -> None:
    result = spul("data", "check", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
