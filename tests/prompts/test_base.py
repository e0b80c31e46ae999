"""What holds for every parametrisation: shapes, seeds, precision, first values."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spul.errors import ConfigError
from spul.prompts import PROMPTS, FixedPrompt, build_prompt
from spul.prompts.settings import PromptSettings
from tests.prompts.sources import (
    DEEP_KINDS,
    HEAD_DIM,
    HEADS,
    INPUT_KINDS,
    KINDS,
    LAYERS,
    SPECIAL,
    D,
    V,
    build,
    key_values,
    source,
)


def test_a_file_is_a_kind() -> None:
    assert PROMPTS.names() == sorted(KINDS)
    assert [PROMPTS.get(kind).__module__ for kind in KINDS] == [f"spul.prompts.{kind}" for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_values_have_the_level_s_shape(kind: str) -> None:
    encoder = build(kind)
    expected = (5, D) if kind in INPUT_KINDS else (LAYERS, 2, HEADS, 5, HEAD_DIM)
    assert encoder.level == ("input" if kind in INPUT_KINDS else "deep")
    assert encoder.num_virtual_tokens == 5
    assert tuple(encoder().shape) == expected


@pytest.mark.parametrize("init", ["normal", "vocab"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_every_value_and_the_global_generator_is_untouched(kind: str, init: str) -> None:
    before = torch.get_rng_state()
    first = build(kind, seed=3, init=init)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    again, other = build(kind, seed=3, init=init), build(kind, seed=4, init=init)

    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
        # A text's or a token's rows may be drawn alike; noise may not.
        if init == "normal":
            assert not torch.equal(value, other.state_dict()[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_is_trained(kind: str) -> None:
    encoder = build(kind)
    (encoder() ** 2).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_computed_in_float32_even_under_autocast(kind: str) -> None:
    encoder = build(kind)
    expected = encoder()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = encoder()
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_offers_become_float32_parameters(kind: str) -> None:
    offer = source()
    half = type(offer)(offer.embeddings.bfloat16(), None, lambda ids: key_values(ids).float(), SPECIAL)
    encoder = build_prompt(PromptSettings(kind=kind, num_virtual_tokens=3, init="vocab"), half, 0)
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_restores_the_values(kind: str) -> None:
    first, second = build(kind, seed=0), build(kind, seed=1)
    second.load_state_dict(first.state_dict())
    assert torch.equal(second(), first())


def drawn_tokens(encoder_values: Tensor) -> list[int]:
    """Return which tokens a direct prompt started from; row i of the made-up embeddings is filled with i."""
    return encoder_values[:, 0].int().tolist()


@settings(max_examples=50, deadline=None)
@given(p=st.integers(1, 3 * V), seed=st.integers(0, 2**32))
def test_drawn_rows_are_ordinary_tokens_spread_evenly(p: int, seed: int) -> None:
    """17 ordinary tokens: none special, and each drawn ⌊p/17⌋ or ⌈p/17⌉ times."""
    tokens = drawn_tokens(build("direct", p=p, seed=seed, init="vocab")())
    counts = [tokens.count(i) for i in range(V) if i not in SPECIAL]
    assert not SPECIAL & set(tokens)
    assert set(counts) <= {p // 17, -(-p // 17)}


def test_drawn_rows_depend_on_the_seed() -> None:
    draws = {tuple(drawn_tokens(build("direct", seed=seed, init="vocab")())) for seed in range(10)}
    assert len(draws) == 10


@pytest.mark.parametrize(("p", "expected"), [(2, [7, 3]), (3, [7, 3, 5]), (7, [7, 3, 5, 7, 3, 5, 7])])
def test_a_text_s_rows_are_cut_or_repeated(p: int, expected: list[int]) -> None:
    encoder = build("direct", p=p, init="text", init_text="three words here", text_ids=(7, 3, 5))
    assert drawn_tokens(encoder()) == expected


@pytest.mark.parametrize("kind", ["direct", "prefix"])
def test_noise_has_the_standard_deviation_asked_for(kind: str) -> None:
    """10⁴ numbers: the sample's standard deviation is within 5 % of 0.02, its mean within five standard errors of 0."""
    values = build(
        kind, p=10_000 // (D if kind == "direct" else LAYERS * 2 * HEADS * HEAD_DIM), init="normal", init_std=0.02
    )()
    assert values.std().item() == pytest.approx(0.02, rel=0.05)
    assert abs(values.mean().item()) < 5 * 0.02 / values.numel() ** 0.5


def test_a_text_without_tokens_is_refused() -> None:
    with pytest.raises(ConfigError, match="has no tokens"):
        build("direct", init="text", init_text=" ", text_ids=())


def test_a_vocabulary_of_special_tokens_is_refused() -> None:
    only_special = source(special=frozenset(range(V)))
    with pytest.raises(ConfigError, match="init=normal"):
        build_prompt(PromptSettings(kind="direct", init="vocab"), only_special, 0)


def test_an_unknown_kind_is_refused_and_the_closest_one_suggested() -> None:
    with pytest.raises(ConfigError, match=r"unknown prompt 'prefixmlp'\. Did you mean 'prefix_mlp'"):
        build("prefixmlp")


@pytest.mark.parametrize("kind", ["mlp", "prefix"])
def test_a_fixed_prompt_holds_values_and_trains_nothing(kind: str) -> None:
    encoder = build(kind)
    values = encoder()
    fixed = FixedPrompt(values, encoder.level)
    assert (fixed.level, fixed.num_virtual_tokens) == (encoder.level, 5)
    assert torch.equal(fixed(), values)
    assert list(fixed.parameters()) == []
    assert not fixed().requires_grad


@pytest.mark.parametrize(("kind", "level"), [(DEEP_KINDS[0], "input"), (INPUT_KINDS[0], "deep")])
def test_a_fixed_prompt_of_the_wrong_shape_is_refused(kind: str, level: str) -> None:
    with pytest.raises(ValueError, match="dimensions at level"):
        FixedPrompt(build(kind)(), level)  # type: ignore[arg-type]


def test_reading_settings_imports_no_torch() -> None:
    code = "import sys, spul.prompts.settings, spul.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
