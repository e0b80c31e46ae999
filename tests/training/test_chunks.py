"""A pass in chunks is the whole pass, only cheaper: same loss, same terms, same gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spul.data.batches import collate
from spul.models import passes
from spul.models.passes import Shortcuts
from spul.models.prompted import PromptedModel
from spul.models.teacher import compute_teacher
from spul.objectives.generic_label import GenericLabel
from spul.objectives.gradient_ascent import GradientAscent
from spul.prompts import Placement
from spul.training import chunks
from spul.training.chunks import PassLoss, pass_loss
from spul.training.step import MicroBatch, Objective
from spul.types import Query
from tests.models.test_prompted import prompted
from tests.tiny import ARCHITECTURES

KINDS = ["direct", "mlp", "lstm", "prefix", "prefix_mlp"]


def rows() -> list[Query]:
    """Seven rows behind one template of four tokens, from one word to longer than the tiny Gemmas' sliding window."""
    generator = torch.Generator().manual_seed(3)
    found = []
    for i, (length, answer) in enumerate([(1, 1), (15, 2), (2, 1), (14, 3), (3, 1), (13, 1), (2, 2)]):
        ids = torch.randint(4, 90, (length + answer,), generator=generator).tolist()
        found.append(Query(str(i), (5, 6, 7, 8, *ids[:length]), tuple(ids[length:]), "x"))
    return found


def one_pass(model: PromptedModel, queries: list[Query], *, whole: bool) -> tuple[PassLoss, list[Tensor]]:
    """Return a pass's loss and the gradient of every parameter of the prompt."""
    is_forget = [i % 2 == 0 for i in range(len(queries))]
    batch = collate(queries, is_forget, model.pad_id)
    kept = [q for q, forget in zip(queries, is_forget, strict=True) if not forget]
    teacher = compute_teacher(model, kept, "digest", batch_size=4)
    assert model.encoder is not None
    model.zero_grad(set_to_none=True)
    micro = MicroBatch(batch, sum(is_forget) + 1, len(kept) + 2)  # a step of several passes
    found = pass_loss(model, micro, Objective(GenericLabel(), 0.7, 0.3), teacher, whole=whole)
    found.loss.backward()
    gradients = [p.grad.clone() for p in model.encoder.parameters() if p.grad is not None]
    assert len(gradients) == len(list(model.encoder.parameters()))
    return found, gradients


def assert_equal_passes(model: PromptedModel, queries: list[Query]) -> None:
    expected, naive = one_pass(model, queries, whole=True)
    found, gradients = one_pass(model, queries, whole=False)
    assert found.loss.item() == pytest.approx(expected.loss.item(), rel=1e-5)
    assert [t.item() for t in found.terms] == pytest.approx([t.item() for t in expected.terms], rel=1e-5)
    for mine, theirs in zip(gradients, naive, strict=True):
        assert (mine - theirs).norm() <= 1e-5 * theirs.norm()


@pytest.fixture(autouse=True)
def _several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "OVERHEAD_ON_CPU", 5)
    monkeypatch.setattr(chunks, "TOKENS_PER_CHUNK", 20)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture(architecture: str) -> None:
    assert_equal_passes(prompted(architecture), rows())


def test_rows_that_are_padded(monkeypatch: pytest.MonkeyPatch) -> None:
    model = prompted("llama")
    monkeypatch.setitem(passes._FOUND, model.base, Shortcuts(last_block=True, padding=False))
    assert len(chunks._split(model, [len(q.prompt_ids) for q in rows()])) > 1
    assert_equal_passes(model, rows())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_prompt(kind: str) -> None:
    assert_equal_passes(prompted("llama", kind), rows())


@pytest.mark.parametrize("placement", ["suffix", "both"])
def test_every_placement(placement: Placement) -> None:
    assert_equal_passes(prompted("opt", placement=placement), rows())
    assert_equal_passes(prompted("llama", "mlp", placement=placement), [Query("a", (9, 8), (7,), "x"), *rows()])


def test_rows_without_a_common_beginning() -> None:
    assert_equal_passes(prompted("llama"), [Query("a", (9, 8), (7,), "x"), Query("b", (4, 5, 6), (7, 8), "x")])


def test_a_row_alone() -> None:
    assert_equal_passes(prompted("llama"), rows()[:1])


def test_trained_weights_keep_the_whole_graph() -> None:
    model = prompted("llama")
    plain = PromptedModel(model.base.requires_grad_(True), model.tokenizer)
    batch = collate(rows(), [True] * 7, plain.pad_id)
    found = pass_loss(plain, MicroBatch(batch, 7, 0), Objective(GradientAscent(), 0.0, 0.0), None)
    assert all(p.grad is None for p in plain.base.parameters())
    found.loss.backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in plain.base.parameters())


def test_a_pass_without_rows_is_zero_and_differentiable() -> None:
    found = pass_loss(prompted("llama"), MicroBatch(None, 4, 4), Objective(GenericLabel(), 1.0, 0.0), None)
    assert found.loss.item() == 0.0
    found.loss.backward()
