from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spul.data.choices import letters_of, listed, parse_choices
from spul.data.settings import DataSettings
from spul.data.sources import read_rows, to_examples
from spul.errors import DataError
from spul.types import Example

ROWS = [
    {"question": "who ?", "choices": ["anna", "boris", "clara"], "answer": 1},
    {"question": "what ?", "choices": ["a film", "a “song”, 東"], "answer": 0},
]
OPTIONS = (("anna", "boris"), ("film", "song", "play"))


def load(path: Path, **values: object) -> tuple[Example, ...]:
    settings = DataSettings.model_validate({"builtin": "fictitious", **values})
    return to_examples(read_rows(str(path)), settings, path.name, fields=("question", "choices"))


def test_every_format_says_the_same(tmp_path: Path) -> None:
    """A list of JSON Lines or Parquet, a JSON array in a cell, and a column an option are the same choices."""
    jsonl, parquet, cells, columns = (tmp_path / name for name in ("a.jsonl", "a.parquet", "b.tsv", "c.csv"))
    jsonl.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(ROWS), parquet)
    cells.write_text(
        "question\tchoices\tanswer\n"
        + "".join(f"{r['question']}\t{json.dumps(r['choices'], ensure_ascii=False)}\t{r['answer']}\n" for r in ROWS),
        encoding="utf-8",
    )
    columns.write_text(
        'question,choice_a,choice_b,choice_c,answer\nwho ?,anna,boris,clara,B\nwhat ?,a film,"a “song”, 東",,a\n',
        encoding="utf-8",
    )
    found = load(jsonl)
    assert [example.answer for example in found] == ["B", "A"]
    assert parse_choices(found[1].fields["choices"], "") == ("a film", "a “song”, 東")
    assert load(parquet) == found
    assert load(cells) == found
    assert load(columns, columns={"choices": ["choice_a", "choice_b", "choice_c"]}) == found


def test_a_list_is_lettered() -> None:
    assert listed(("anna", "boris")) == "A. anna\nB. boris"


@pytest.mark.parametrize("answers", [("B", "c"), ("1", "2"), ("boris", "play")])
def test_answers_are_letters_positions_or_texts(answers: tuple[str, ...]) -> None:
    assert letters_of(answers, OPTIONS, "data.csv") == ["B", "C"]


@pytest.mark.parametrize("answers", [("unknown", "c"), ("unknown", "2"), ("unknown", "play")])
def test_where_no_option_is_right_the_answer_is_generic(answers: tuple[str, ...]) -> None:
    assert letters_of(answers, OPTIONS, "data.csv", ["unknown"]) == ["unknown", "C"]
    assert letters_of(["unknown"] * 2, OPTIONS, "data.csv", ["unknown"]) == ["unknown", "unknown"]
    with pytest.raises(DataError, match=r"a generic answer \(neutral\) where no option is right; got 'unknown'"):
        letters_of(answers, OPTIONS, "data.csv", ["neutral"])


def test_a_generic_answer_that_is_an_option_means_the_option() -> None:
    options = [("anna", "unknown"), ("anna", "boris")]
    assert letters_of(("unknown", "anna"), options, "data.csv", ["unknown"]) == ["B", "A"]
    assert letters_of(("anna", "unknown"), options, "data.csv", ["unknown"]) == ["A", "unknown"]


def test_one_way_must_fit_every_row() -> None:
    with pytest.raises(DataError, match=r"data\.csv, row 2: expected an answer that is a letter.*got '3' for \['film'"):
        letters_of(("1", "3"), OPTIONS, "data.csv")


def test_ways_that_disagree_are_an_error() -> None:
    """Of "1" and "0", the answer "0" is the first by position and the second by its text."""
    with pytest.raises(DataError, match=r"as positions and as texts .* row 1 \('0' for \['1', '0'\]\) would differ"):
        letters_of(("0",), [("1", "0")], "data.csv")
    assert letters_of(("0",), [("0", "1")], "data.csv") == ["A"]


def test_the_same_option_twice_is_no_answer_by_text() -> None:
    with pytest.raises(DataError, match="the text of exactly one option"):
        letters_of(("anna",), [("anna", "anna")], "data.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("anna, boris", "as a list of texts"),
        ('{"A": "anna"}', "as a list of texts"),
        ('["anna", ["boris"]]', "as a list of texts"),
        ('["anna"]', "expected 2 to 26 options"),
        ('["anna", " "]', "none empty"),
    ],
)
def test_what_is_no_list_of_options(text: str, message: str) -> None:
    with pytest.raises(DataError, match=f"row 7: .*{message}"):
        parse_choices(text, "row 7")


def test_numbers_are_options_too() -> None:
    assert parse_choices('[3, 2.5, " four "]', "") == ("3", "2.5", "four")
