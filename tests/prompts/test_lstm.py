"""The first form of P-tuning."""

from __future__ import annotations

import torch

from tests.prompts.sources import D, build, count


def test_the_number_of_trained_parameters() -> None:
    """p = 5, d = 8, h = 6: E 40; LSTM, both ways: 2·4·(6·8 + 6·6 + 12) + 2·4·(6·12 + 6·6 + 12) = 768 + 960;

    MLP (12·12 + 12) + (12·8 + 8) = 260. In all 2028.
    """
    assert D == 8
    assert count(build("lstm")) == 40 + 768 + 960 + 260


def test_every_virtual_token_sees_those_on_both_sides() -> None:
    encoder = build("lstm")
    before = encoder().detach().clone()
    with torch.no_grad():
        encoder.get_parameter("embedding")[2] += 1.0
    changed = (encoder() - before).abs().amax(dim=1)
    assert (changed > 1e-6).all()


def test_it_is_an_lstm_of_torch() -> None:
    """The same weights in an ordinary module give the same states."""
    encoder = build("lstm")
    state = encoder.state_dict()
    lstm = torch.nn.LSTM(D, 6, num_layers=2, bidirectional=True)
    lstm.load_state_dict({name.removeprefix("lstm."): v for name, v in state.items() if name.startswith("lstm.")})
    states, _ = lstm(state["embedding"])
    hidden = (states @ state["mlp.0.weight"].T + state["mlp.0.bias"]).clamp(min=0)
    assert torch.allclose(encoder(), hidden @ state["mlp.2.weight"].T + state["mlp.2.bias"], atol=1e-6)
