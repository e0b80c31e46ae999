"""Only whole checkpoints are resumed from, and only the trained parameters are in them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from spul.errors import RunError
from spul.training.checkpoints import latest_checkpoint, load_trained, mark_complete, save_trained


class Half(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trained = nn.Parameter(torch.tensor([1.0, 2.0]))
        self.frozen = nn.Parameter(torch.zeros(3), requires_grad=False)


def test_round_trip_of_the_trained_part(tmp_path: Path) -> None:
    save_trained(Half(), tmp_path / "x.safetensors", step=3)
    other = Half()
    other.trained.data.zero_()
    assert load_trained(other, tmp_path / "x.safetensors") == {"step": 3}
    assert torch.equal(other.trained, torch.tensor([1.0, 2.0]))


def test_other_parameters_or_a_damaged_file_are_refused(tmp_path: Path) -> None:
    save_trained(Half(), tmp_path / "x.safetensors")
    with pytest.raises(RunError, match="other parameters"):
        load_trained(nn.Linear(2, 2), tmp_path / "x.safetensors")
    (tmp_path / "x.safetensors").write_bytes(b"no")
    with pytest.raises(RunError, match="cannot be read"):
        load_trained(Half(), tmp_path / "x.safetensors")


def test_the_newest_whole_checkpoint_is_taken(tmp_path: Path) -> None:
    """Step 20 was cut off before its marker, step 9 is whole but older than 10, step 15 was damaged later."""
    for step in (9, 10, 15, 20):
        directory = tmp_path / f"checkpoint-{step}"
        directory.mkdir()
        (directory / "a").write_text(str(step))
        if step != 20:
            mark_complete(directory)
    (tmp_path / "checkpoint-15" / "a").write_text("changed")
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert latest_checkpoint(tmp_path / "none") is None
