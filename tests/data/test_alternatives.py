from __future__ import annotations

import pytest

from spul.data.alternatives import alternatives_of
from spul.data.settings import DataSettings
from spul.data.sources import to_examples
from spul.errors import DataError
from spul.types import Example

SETTINGS = DataSettings(forget="f", retain="r")


def test_cells_hold_a_text_or_a_list_of_texts() -> None:
    assert alternatives_of({"paraphrase": " so it was ", "perturbed": '["no", " yes "]'}, "row 1") == {
        "paraphrase": ("so it was",),
        "perturbed": ("no", "yes"),
    }
    assert alternatives_of({"perturbed": "[sic] one text"}, "row 1") == {"perturbed": ("[sic] one text",)}
    assert alternatives_of({"paraphrase": "", "perturbed": "[]"}, "row 1") == {}


@pytest.mark.parametrize("cell", ['["no", " "]', '["no", 3]', '["no", null]'])
def test_a_blank_alternative_is_an_error(cell: str) -> None:
    with pytest.raises(DataError, match="row 1: expected 'perturbed' as a list of texts, none blank"):
        alternatives_of({"perturbed": cell}, "row 1")


def made(row: dict[str, str], settings: DataSettings = SETTINGS, **how: object) -> Example:
    (example,) = to_examples([row], settings, "f.csv", fields=("question",), **how)  # type: ignore[arg-type]
    return example


def test_columns_are_found_or_mapped_and_only_read_where_asked_for() -> None:
    row = {"question": "who?", "answer": "anna", "paraphrased_answer": "it was anna", "false": '["boris"]'}
    assert made(row, alternatives=True).alternatives == {"paraphrase": ("it was anna",)}
    mapped = DataSettings(forget="f", retain="r", columns={"perturbed": "false"})
    assert made(row, mapped, alternatives=True).alternatives["perturbed"] == ("boris",)
    assert made(row).alternatives == {}
    wrong = DataSettings(forget="f", retain="r", columns={"perturbed": "fals"})
    with pytest.raises(DataError, match=r"for the field 'perturbed': unknown column 'fals'\. Did you mean 'false'"):
        made(row, wrong, alternatives=True)


def test_a_text_goes_on_by_itself_and_a_blank_answer_does_not_pass() -> None:
    assert made({"question": "a long text"}, continued="question").answer == "a long text"
    with pytest.raises(DataError, match="expected an answer in column 'answer', got '  '"):
        made({"question": "who?", "answer": "  "})
