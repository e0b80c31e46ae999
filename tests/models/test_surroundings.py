from __future__ import annotations

import torch

from spul.models.surroundings import insert_behind, text_lengths


def test_what_stands_behind_is_set_in_after_each_text() -> None:
    """Rows 1 2 | 3 and 4 | 5 6, with texts of two and of one position: 8 9 goes behind the texts."""
    rows = torch.tensor([[1.0, 2, 3], [4, 5, 6]]).unsqueeze(2)
    found = insert_behind(rows, torch.tensor([2, 1]), torch.tensor([[8.0], [9.0]]))
    assert found.squeeze(2).tolist() == [[1, 2, 8, 9, 3], [4, 8, 9, 5, 6]]


def test_a_text_ends_where_its_answer_is_first_predicted() -> None:
    """Positions 4 and 5 of row 0 predict, and 2 of row 1: the texts have five and three tokens."""
    found = text_lengths(torch.tensor([0, 0, 1]), torch.tensor([4, 5, 2]), 2)
    assert found.tolist() == [5, 3]
