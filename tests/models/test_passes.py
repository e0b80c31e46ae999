"""Whatever a pass leaves out, its logits and its gradients are those of the whole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import CohereConfig, CohereForCausalLM, FalconConfig, FalconForCausalLM, PreTrainedModel

from spul.models import passes
from spul.models.cache import KeyValues
from spul.models.passes import Rows, Shortcuts, answer_pass, can_pack, front_pass, shortcuts
from tests.tiny import ARCHITECTURES, tiny_model

PLAIN = Shortcuts(last_block=False, padding=False)
EITHER = [Shortcuts(last_block=True, padding=False), Shortcuts(last_block=False, padding=True), Shortcuts(True, True)]
LENGTHS = [3, 1, 4, 2, 4, 3]
"""With the two positions in front, within the tiny Gemmas' window."""


def rows_of(lengths: list[int]) -> Rows:
    """Rows of random tokens; the first predicts at two positions, the others at their last."""
    ids = torch.randint(4, 90, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(5))
    last = torch.tensor(lengths) - 1
    rows = torch.tensor([0, *range(len(lengths))])
    return Rows({"input_ids": ids}, torch.tensor(lengths), rows, torch.cat([torch.tensor([0]), last]))


def one_way(
    base: PreTrainedModel, ways: Shortcuts, monkeypatch: pytest.MonkeyPatch, lengths: list[int]
) -> tuple[Tensor, list[Tensor]]:
    """Return the logits, and the gradient of their weighted sum by all keys and values in front."""
    monkeypatch.setitem(passes._FOUND, base, ways)
    monkeypatch.setattr(passes, "GROUP_FLOPS", 1e5)
    values = base.get_input_embeddings()(torch.tensor([[7, 9]])).detach().requires_grad_()
    front = front_pass(base, inputs_embeds=values)
    logits = answer_pass(base, rows_of(lengths), front).logits
    weights = torch.linspace(-1, 1, logits.numel()).view_as(logits)
    leaves = [values, *(part for pair in front for part in pair)]
    return logits.detach(), list(torch.autograd.grad((logits * weights).sum(), leaves))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tiny_model(architecture)[0].requires_grad_(False)
    expected, gradients = one_way(base, PLAIN, monkeypatch, LENGTHS)
    for ways in EITHER:
        logits, found = one_way(base, ways, monkeypatch, LENGTHS)
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
        for mine, theirs in zip(found, gradients, strict=True):
            assert (mine - theirs).norm() <= 1e-5 * theirs.norm()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_which_shortcuts_are_found(architecture: str) -> None:
    """Gemma 2 caps its scores, which torch's attention does not; all others take both."""
    base = tiny_model(architecture)[0].requires_grad_(False)
    assert shortcuts(base) == Shortcuts(last_block=True, padding=architecture != "gemma2")
    assert can_pack(base) == (architecture != "gemma2")
    assert base.config._attn_implementation == ("eager" if architecture == "gemma2" else "sdpa")
    assert not base.train() or not can_pack(base)


def _cohere() -> PreTrainedModel:
    """Attention and feed-forward part read one normalisation: the block's form is not the known one."""
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return CohereForCausalLM(CohereConfig(vocab_size=100, pad_token_id=0, **shape))


def _falcon() -> PreTrainedModel:
    """ALiBi: attention depends on positions in a way of its own."""
    return FalconForCausalLM(
        FalconConfig(vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, alibi=True)
    )


@pytest.mark.parametrize("make", [_cohere, _falcon])
def test_models_of_another_form_do_without(make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    assert callable(make)
    base = make().eval().requires_grad_(False)
    found = shortcuts(base)
    assert found != Shortcuts(True, True)
    expected, _ = one_way(base, PLAIN, monkeypatch, LENGTHS)
    torch.testing.assert_close(one_way(base, found, monkeypatch, LENGTHS)[0], expected, atol=1e-4, rtol=0)


def test_rows_beyond_the_sliding_window_are_padded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The window is 8; end to end, nothing would keep a token from what is further away."""
    base = tiny_model("gemma3")[0].requires_grad_(False)
    lengths = [9, 2, 12]
    expected, _ = one_way(base, PLAIN, monkeypatch, lengths)
    torch.testing.assert_close(one_way(base, EITHER[2], monkeypatch, lengths)[0], expected, atol=1e-4, rtol=0)
    monkeypatch.setattr(passes, "_window", lambda _: 100)
    assert (one_way(base, EITHER[2], monkeypatch, lengths)[0] - expected).abs().max() > 1e-2


def test_a_front_that_outweighs_a_row_leaves_it_no_gradient_and_no_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    """The own row's share underflows to 0 where the front's scores are a thousand nats higher."""
    base = tiny_model("gpt2")[0].requires_grad_(False)
    front: KeyValues = tuple((300 * k, v) for k, v in front_pass(base, input_ids=torch.tensor([[7, 9]])))
    for pair in front:
        for part in pair:
            part.requires_grad_()
    found = []
    for ways in (PLAIN, EITHER[1]):
        monkeypatch.setitem(passes._FOUND, base, ways)
        logits = answer_pass(base, rows_of(LENGTHS), front).logits
        found.append([logits.detach(), *torch.autograd.grad(logits.sum(), [v for _, v in front])])
    for mine, theirs in zip(found[1], found[0], strict=True):
        assert torch.isfinite(mine).all()
        assert (mine - theirs).norm() <= 1e-4 * theirs.norm()
