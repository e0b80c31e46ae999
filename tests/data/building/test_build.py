from __future__ import annotations

import json
from pathlib import Path

import pytest

from spul.data.building import Built, ColumnValues, Entities, build, write_splits
from spul.data.loading import load_splits
from spul.data.settings import DataSettings
from spul.errors import DataError
from spul.files import file_digest
from spul.types import SPLIT_NAMES

WHO = ("anna", "boris", "clara", "david", "emma")
WHAT = ("film", "book", "song", "play", "story", "scene", "house", "train")
ROWS = [
    {"text": f"{who} saw the {what}", "label": "good" if i % 2 else "bad", "topic": what}
    for i, who in enumerate(WHO)
    for what in WHAT
]
ANNA = Entities(names=("Anna",))


def texts(built: Built, name: str) -> set[str]:
    return {row["text"] for row in built.rows[name]}


def test_train_and_test_are_split_by_one_rule() -> None:
    built = build(ROWS, ANNA, text=["text"], seed=1)
    assert sum(map(len, built.rows.values())) == len(ROWS)
    assert sum(len(built.rows[f"test_{side}"]) for side in ("forget", "retain")) == 12
    for name in SPLIT_NAMES:
        assert {"anna" in text for text in texts(built, name)} == {name.endswith("forget")}


def test_repetitions_are_taken_once_and_contradictions_not_at_all() -> None:
    """The first row again in other clothes goes; the second, with another answer, takes its namesake along."""
    again = [{**ROWS[0], "text": "Anna saw -- the film!"}, {**ROWS[1], "label": "good"}]
    built = build([*ROWS, *again], ANNA, text=["text"])
    assert built.facts["left_out"] == {"repeated": 1, "contradictory": 2}
    assert sum(map(len, built.rows.values())) == len(ROWS) - 1
    assert not any(ROWS[1]["text"] in texts(built, name) for name in SPLIT_NAMES)


def test_parts_of_one_sentence_stay_on_one_side() -> None:
    whole = "boris saw that clara saw the film"
    parts = [{"text": text, "label": "good"} for text in (whole, "clara saw the film")]
    for seed in range(5):
        built = build([*ROWS, parts[0]], ANNA, text=["text"], seed=seed)
        sides = [name for name in SPLIT_NAMES for text in texts(built, name) if text in (whole, "clara saw the film")]
        assert len(sides) == 2
        assert len(set(sides)) == 1


def test_given_test_rows_that_train_has_seen_are_left_out() -> None:
    test = [
        {"text": text, "label": "good"} for text in ("ANNA saw the film.", "anna left", "boris left", "the cat sat")
    ]
    built = build([{"text": "so the cat sat there again", "label": "bad"}, *ROWS], ANNA, text=["text"], test=test)
    assert texts(built, "test_forget") == {"anna left"}
    assert texts(built, "test_retain") == {"boris left", "the cat sat"}, "three words are too few to be a part"
    assert built.facts["left_out"]["seen_in_train"] == 1
    assert built.facts["test_share"] is None


def test_several_columns_are_one_text() -> None:
    """By its text alone a row is one of 5; with the topic it is one of 40."""
    rows = [{**row, "text": row["text"].replace(row["topic"], "thing")} for row in ROWS]
    test = [{"text": f"{who} left", "label": "good", "topic": "none"} for who in ("anna", "boris")]
    assert build(rows, ANNA, text=["text"], test=test).facts["left_out"]["repeated"] == 35
    assert build(rows, ANNA, text=["text", "topic"], test=test).facts["left_out"]["repeated"] == 0


@pytest.mark.parametrize(
    ("rule", "text", "answer", "message"),
    [
        (Entities(names=("Zoe",)), "text", None, "train_forget, test_forget came out empty"),
        (ANNA, "txt", None, r"row 1: unknown column 'txt'\. Did you mean 'text'\? .*--text"),
        (ANNA, "text", "lable", r"unknown column 'lable'\. Did you mean 'label'\? .*--answer"),
    ],
)
def test_what_cannot_be_built(rule: Entities, text: str, answer: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        build(ROWS, rule, text=[text], answer=answer)


def test_the_same_rows_write_the_same_bytes_and_load_as_a_folder(tmp_path: Path) -> None:
    rule = ColumnValues(column="topic", values=("film", "book"))
    built = build(ROWS, rule, text=["text"], seed=3)
    record = write_splits(built, tmp_path / "a")
    write_splits(build(ROWS, rule, text=["text"], seed=3), tmp_path / "b")
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == sorted(["build.json", *record["sha256"]])
    for name, digest in record["sha256"].items():
        assert file_digest(tmp_path / "a" / name) == file_digest(tmp_path / "b" / name) == digest
    assert json.loads((tmp_path / "a" / "build.json").read_text()) == record
    assert record["leaks"]["test_retain"] == {"same": 0, "near": 0, "contained": 0}
    splits = load_splits(DataSettings(folder=str(tmp_path / "a"), validation_share=0), fields=("text",))
    assert {name: len(splits[name]) for name in SPLIT_NAMES} == record["rows"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match="to be new or empty"):
        write_splits(build(ROWS, ANNA, text=["text"]), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_texts_with_quotes_and_line_breaks_come_back(tmp_path: Path) -> None:
    odd = [{**row, "text": f'{row["text"]}, "so"\r\nsaid\n東京 {i}'} for i, row in enumerate(ROWS)]
    built = build(odd, ANNA, text=["text"])
    write_splits(built, tmp_path / "out")
    splits = load_splits(DataSettings(folder=str(tmp_path / "out"), validation_share=0), fields=("text",))
    assert {row.fields["text"] for row in splits.train_retain} == texts(built, "train_retain")
