"""The teacher's stored states give the base model's logits back, for every example and token."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spul.data.batches import collate
from spul.errors import ModelError, RunError
from spul.losses.kl import mean_kl
from spul.models import teacher as teacher_module
from spul.models.prompted import PromptedModel
from spul.models.teacher import TeacherAnswers, compute_teacher
from spul.types import Query
from tests.models.test_prompted import prompted, queries
from tests.tiny import ARCHITECTURES


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_are_the_base_models_in_any_order_of_rows(architecture: str) -> None:
    model = prompted(architecture)
    rows = queries()
    teacher = compute_teacher(model, rows, "digest", batch_size=3)
    shuffled = [rows[2], rows[0], rows[3]]
    batch = collate(shuffled, [False] * 3, model.pad_id)
    with torch.no_grad(), model.prompt_disabled():
        expected = model.answer_logits(batch).logits
    torch.testing.assert_close(teacher.logits(model, batch), expected, atol=1e-4, rtol=0)


def test_kl_to_the_teacher_is_zero_without_a_prompt_and_positive_with_one() -> None:
    model = prompted("llama")
    rows = queries()
    teacher = compute_teacher(model, rows, "digest", batch_size=2)
    batch = collate(rows, [False] * 4, model.pad_id)
    with torch.no_grad():
        with model.prompt_disabled():
            off = mean_kl(teacher.logits(model, batch), model.answer_logits(batch).logits, batch.rows, 4)
        on = mean_kl(teacher.logits(model, batch), model.answer_logits(batch).logits, batch.rows, 4)
    assert abs(off.item()) < 1e-6
    assert on.item() > 1e-2


def test_a_file_of_another_base_is_refused(tmp_path: Path) -> None:
    model, rows, file = prompted("llama"), queries(), tmp_path / "t.safetensors"
    teacher = compute_teacher(model, rows, "one", batch_size=2)
    teacher.save(file)
    loaded = TeacherAnswers.load(file, "one", rows)
    assert torch.equal(loaded.states, teacher.states) and loaded.start == teacher.start
    with pytest.raises(RunError, match="another base model"):
        TeacherAnswers.load(file, "two", rows)
    with pytest.raises(RunError, match="other retain rows"):
        TeacherAnswers.load(file, "one", rows[::-1])
    written = bytearray(file.read_bytes())
    written[-1] ^= 1
    file.write_bytes(written)
    with pytest.raises(RunError, match="not those that were written"):
        TeacherAnswers.load(file, "one", rows)
    file.write_bytes(b"cut off")
    with pytest.raises(RunError, match="cannot be read"):
        TeacherAnswers.load(file, "one", rows)


def test_a_file_holds_little_but_the_states(tmp_path: Path) -> None:
    """At most 64 bytes an answer token beside its d numbers, header and digests left aside; ids do not count."""
    rows = [Query("a long name of an example " * 9 + str(i), (5, 6), (7,), "") for i in range(64)]
    compute_teacher(prompted("llama"), rows, "one", batch_size=64).save(tmp_path / "t.safetensors")
    assert (tmp_path / "t.safetensors").stat().st_size <= 64 * (2 * 32 + 64)


def test_an_unknown_step_after_the_head_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check is what keeps a wrong KL out, so it must be able to fail."""
    real = teacher_module.apply_head
    monkeypatch.setattr(teacher_module, "apply_head", lambda base, hidden, head=None: real(base, hidden, head) * 1.5)
    with pytest.raises(ModelError, match="after the output head"):
        compute_teacher(prompted("llama"), queries(), "digest", batch_size=2)


@pytest.mark.parametrize(("architecture", "tied"), [("llama", False), ("gpt2", True)])
def test_a_trained_head_does_not_move_the_teacher(architecture: str, tied: bool) -> None:
    """With tied embeddings the head moves with the embeddings; the copy must share storage with neither."""
    model = prompted(architecture)
    plain = PromptedModel(model.base, model.tokenizer)
    embeddings, head = (get().weight for get in (plain.base.get_input_embeddings, plain.base.get_output_embeddings))
    assert (embeddings is head) == tied
    rows = queries()
    batch = collate(rows, [False] * 4, plain.pad_id)
    teacher = compute_teacher(plain, rows, "digest", batch_size=4).with_head_of(plain)
    before = teacher.logits(plain, batch)
    with torch.no_grad():
        for parameter in plain.base.parameters():
            parameter.add_(1.0)
        moved = plain.answer_logits(batch).logits
    assert torch.equal(teacher.logits(plain, batch), before)
    assert not torch.allclose(moved, before)
