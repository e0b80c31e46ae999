from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path

import pytest
import torch

from spul.data.batches import collate
from spul.errors import RunError
from spul.training.targets.store import Targets, answer_path, overlap, read_answers
from spul.types import Query
from tests.fakes import make_sample

CANDIDATES = {"good": (5,), "very good": (6, 7), "very bad": (6, 8), "unknown": (9,)}
TARGET = {"good": 0.2, "very good": 0.3, "very bad": 0.1, "unknown": 0.15}


def query(name: str, answer: str) -> Query:
    return Query(name, (1, 2, 3), CANDIDATES[answer], answer, CANDIDATES)


def test_an_answers_path_by_hand() -> None:
    """First: good 0.2, very 0.3 + 0.1, unknown 0.15, any other 0.25. After "very": good 0.3 and bad 0.1, no other."""
    first, second = answer_path(query("x", "very good"), TARGET)
    assert first[0] == (5, 6, 9)
    assert first[1] == pytest.approx((0.2, 0.4, 0.15, 0.25))
    assert second[0] == (7, 8)
    assert second[1] == pytest.approx((0.3, 0.1, 0.0))


def test_an_answer_that_ends_where_another_goes_on_is_any_other_token_there() -> None:
    candidates = {"very": (6,), "very good": (6, 7)}
    found = answer_path(Query("x", (1,), (6, 7), "very good", candidates), {"very": 0.3, "very good": 0.6})
    assert found[1][0] == (7,)
    assert found[1][1] == pytest.approx((0.6, 0.3))


def test_a_batch_gets_its_examples_positions_in_order() -> None:
    queries = [query("a", "very bad"), query("b", "good")]
    targets = Targets.build({"a": TARGET, "b": dict.fromkeys(TARGET, 0.25)}, queries)
    found = targets.of(collate(queries[::-1], [True, True], pad_id=0))
    assert found.token_ids.tolist() == [[5, 6, 9], [5, 6, 9], [7, 8, 0]]
    wanted = torch.tensor([[0.25, 0.5, 0.25, 0], [0.2, 0.4, 0.15, 0.25], [0.3, 0.1, 0.0, 0.0]])
    torch.testing.assert_close(found.mass, wanted)


def test_a_batch_without_rows_has_no_positions() -> None:
    batch = collate([query("a", "good")], [False], pad_id=0)
    found = Targets.build({}, []).of(batch.select(batch.is_forget))
    assert (tuple(found.token_ids.shape), tuple(found.mass.shape)) == ((0, 0), (0, 1))


def test_overlap_by_hand() -> None:
    """Said 0.5, 0.4, 0.05, 0.05; wanted 0.3, 0.6 and 0.1 of any other: 0.3 + 0.4 in common, and no more."""
    said = {"positive": log(0.5), "negative": log(0.4), "neutral": log(0.05), "unknown": log(0.05)}
    sample = replace(make_sample("positive"), candidate_logprobs=said)
    assert overlap(sample, {"positive": 0.3, "negative": 0.6, "neutral": 0.0, "unknown": 0.0}) == pytest.approx(0.7)
    same = {"positive": 0.5, "negative": 0.4, "neutral": 0.05, "unknown": 0.05}
    assert overlap(sample, same) == pytest.approx(1.0)


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    Targets.build({"a": TARGET}, [query("a", "good")]).save(tmp_path / "targets.jsonl")
    assert read_answers(tmp_path / "targets.jsonl") == {"a": TARGET}
    (tmp_path / "targets.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(RunError, match="cannot be read"):
        read_answers(tmp_path / "targets.jsonl")
