from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spul.data.batches import collate, left_pad, length_sorted_batches, pad_right
from spul.types import Query

PAD = 9


def query(name: str, prompt: tuple[int, ...], answer: tuple[int, ...]) -> Query:
    return Query(name, prompt, answer, "x")


QUERIES = [query("a", (1, 2, 3), (4,)), query("b", (5,), (6, 7, 8))]


def test_hand_worked_alignment() -> None:
    """Row a reads 1 2 3 and its position 2 predicts 4; row b reads 5 6 7, whose positions 0 1 2 predict 6 7 8."""
    batch = collate(QUERIES, [True, False], PAD)
    assert batch.input_ids.tolist() == [[1, 2, 3], [5, 6, 7]]
    assert batch.lengths.tolist() == [3, 3]
    assert batch.positions.tolist() == [2, 0, 1, 2]
    assert batch.rows.tolist() == [0, 1, 1, 1]
    assert batch.labels.tolist() == [4, 6, 7, 8]
    assert batch.token_index.tolist() == [0, 0, 1, 2]
    assert batch.is_forget.tolist() == [True, False]
    assert batch.ids == ["a", "b"]


def test_rows_are_padded_on_the_right() -> None:
    batch = collate([query("a", (1, 2, 3), (4,)), query("b", (5,), (6, 7))], [False, False], PAD)
    assert batch.input_ids.tolist() == [[1, 2, 3], [5, 6, PAD]]
    assert batch.lengths.tolist() == [3, 2]


ids = st.lists(st.integers(10, 99), min_size=1, max_size=6).map(tuple)


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(ids, ids, st.booleans()), min_size=1, max_size=5))
def test_every_label_is_the_token_after_the_position_that_predicts_it(
    pairs: list[tuple[tuple[int, ...], tuple[int, ...], bool]],
) -> None:
    queries = [query(str(i), prompt, answer) for i, (prompt, answer, _) in enumerate(pairs)]
    batch = collate(queries, [flag for *_, flag in pairs], PAD)
    for n, row in enumerate(batch.rows.tolist()):
        whole = queries[row].prompt_ids + queries[row].answer_ids
        position = int(batch.positions[n])
        assert position < batch.lengths[row]
        assert batch.input_ids[row, : position + 1].tolist() == list(whole[: position + 1])
        assert int(batch.labels[n]) == whole[position + 1]
        assert int(batch.labels[n]) == queries[row].answer_ids[batch.token_index[n]]
    assert len(batch.labels) == sum(len(answer) for _, answer, _ in pairs)
    assert batch.rows.tolist() == sorted(batch.rows.tolist())


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(ids, ids, st.booleans()), min_size=1, max_size=5))
def test_selecting_rows_is_collating_them_alone(pairs: list[tuple[tuple[int, ...], tuple[int, ...], bool]]) -> None:
    queries = [query(str(i), prompt, answer) for i, (prompt, answer, _) in enumerate(pairs)]
    keep = [flag for *_, flag in pairs]
    selected = collate(queries, keep, PAD).select(torch.tensor(keep))
    kept = [q for q, flag in zip(queries, keep, strict=True) if flag]
    assert selected.ids == [q.id for q in kept]
    if kept:
        alone = collate(kept, [True] * len(kept), PAD)
        width = alone.input_ids.shape[1]
        assert selected.input_ids[:, :width].tolist() == alone.input_ids.tolist()
        for name in ("lengths", "positions", "rows", "labels", "is_forget", "token_index"):
            assert getattr(selected, name).tolist() == getattr(alone, name).tolist()
    else:
        assert len(selected.labels) == 0


def test_a_batch_moves_with_all_its_tensors() -> None:
    moved = collate(QUERIES, [True, False], PAD).to("meta")
    tensors = [value for name in moved.__slots__ if isinstance(value := getattr(moved, name), torch.Tensor)]
    assert len(tensors) == 7
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert moved.ids == ["a", "b"]
    assert len(moved) == 2


def test_left_padding_masks_what_is_not_real() -> None:
    padded = left_pad([(1, 2, 3), (4,)], PAD)
    assert padded.input_ids.tolist() == [[1, 2, 3], [PAD, PAD, 4]]
    assert padded.attention_mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_right_padding() -> None:
    assert pad_right([(1, 2), (3,)], PAD).tolist() == [[1, 2], [3, PAD]]


def test_evaluation_batches_hold_like_lengths_longest_first() -> None:
    lengths = [3, 9, 1, 7, 5]
    queries = [query(str(i), (1,) * length, (2,)) for i, length in enumerate(lengths)]
    assert length_sorted_batches(queries, 2) == [[1, 3], [4, 0], [2]]
    assert length_sorted_batches([], 2) == []


@pytest.mark.parametrize("flags", [[], [True]])
def test_flags_that_do_not_match_the_queries_are_refused(flags: list[bool]) -> None:
    with pytest.raises(ValueError, match="one flag for each"):
        collate(QUERIES if flags else [], flags, PAD)


def test_the_common_beginning_ends_before_rows_differ_and_before_anything_is_predicted() -> None:
    """Both begin with 1 2 3; the second row's position 2 predicts its answer, so 3 must stay in the rows."""
    rows = [query("a", (1, 2, 3, 4, 5), (6,)), query("b", (1, 2, 3), (7,))]
    batch = collate(rows, [True, False], PAD)
    assert batch.common_beginning().tolist() == [1, 2]
    rest = batch.without_beginning(2)
    assert rest.input_ids.tolist() == [[3, 4, 5], [3, PAD, PAD]]
    assert rest.positions.tolist() == [2, 0]
    assert rest.lengths.tolist() == [3, 1]


def test_rows_that_differ_at_once_have_no_common_beginning() -> None:
    assert collate(QUERIES, [True, False], PAD).common_beginning().tolist() == []


def test_a_row_alone_shares_all_but_what_predicts() -> None:
    assert collate([query("a", (1, 2, 3), (4, 5))], [True], PAD).common_beginning().tolist() == [1, 2]


def test_trimming_drops_columns_that_no_row_fills() -> None:
    batch = collate([query("a", (1, 2, 3, 4), (5,)), query("b", (6, 7), (8,))], [True, False], PAD)
    assert batch.select(torch.tensor([False, True])).trimmed().input_ids.tolist() == [[6, 7]]
