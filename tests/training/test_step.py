"""The loss of a step, term by term, against plain arithmetic on the model's own log-probabilities."""

from __future__ import annotations

import pytest
import torch

from spul.data.batches import collate
from spul.models.teacher import compute_teacher
from spul.objectives.generic_label import GenericLabel
from spul.training.step import MicroBatch, Objective, loss_terms
from tests.models.test_prompted import prompted, queries


def test_terms_are_means_over_their_own_rows_and_sums_over_an_answers_tokens() -> None:
    """Rows 0 and 2 are forget rows (1 and 3 answer tokens), 1 and 3 retain rows (2 and 1 tokens).

    L_f = −(lp[0] + lp[3]+lp[4]+lp[5]) / 2 and L_r = −(lp[1]+lp[2] + lp[6]) / 2, lp being the tokens' log-probabilities
    in the order of rows; L_kl = (Σ_v p log p/q over tokens 1, 2 and 6) / 2.
    """
    model = prompted("llama")
    rows = queries()
    batch = collate(rows, [True, False, True, False], model.pad_id)
    teacher = compute_teacher(model, [rows[1], rows[3]], "digest", batch_size=2)
    terms = loss_terms(model, MicroBatch(batch, 2, 2), Objective(GenericLabel(), 1.0, 1.0), teacher)
    with torch.no_grad():
        student = model.answer_logits(batch).logits.log_softmax(-1)
        with model.prompt_disabled():
            base = model.answer_logits(batch).logits.log_softmax(-1)
    lp = student.gather(1, batch.labels[:, None])[:, 0]
    kl = (base.exp() * (base - student)).sum(-1)
    assert terms.forget.item() == pytest.approx(-(lp[0] + lp[3] + lp[4] + lp[5]).item() / 2, abs=1e-5)
    assert terms.retain.item() == pytest.approx(-(lp[1] + lp[2] + lp[6]).item() / 2, abs=1e-5)
    assert terms.kl.item() == pytest.approx((kl[1] + kl[2] + kl[6]).item() / 2, abs=1e-4)


@pytest.mark.parametrize("forget", [True, False])
def test_a_pass_without_rows_of_one_kind_gives_zero_never_nan(forget: bool) -> None:
    model = prompted("llama")
    rows = queries()
    batch = collate(rows, [forget] * 4, model.pad_id)
    teacher = compute_teacher(model, rows, "digest", batch_size=4)
    terms = loss_terms(model, MicroBatch(batch, 4, 4), Objective(GenericLabel(), 1.0, 1.0), teacher)
    empty = (terms.retain, terms.kl) if forget else (terms.forget,)
    assert [term.item() for term in empty] == [0.0] * len(empty)
    sum(terms).backward()  # type: ignore[union-attr]
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_the_kl_term_without_a_teacher_is_a_programming_error() -> None:
    model = prompted("llama")
    batch = collate(queries(), [False] * 4, model.pad_id)
    with pytest.raises(ValueError, match="teacher"):
        loss_terms(model, MicroBatch(batch, 0, 4), Objective(None, 1.0, 0.5), None)
