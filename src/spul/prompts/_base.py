from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from spul.errors import ConfigError
from spul.prompts.settings import PromptSettings
from spul.registry import Registry

__all__ = [
    "PROMPTS",
    "FixedPrompt",
    "Level",
    "Placement",
    "PromptEncoder",
    "PromptInit",
    "TrainablePrompt",
    "build_prompt",
]

Level = Literal["input", "deep"]
"""Whether a prompt stands at the input embeddings, or as keys and values in every layer."""
Placement = Literal["front", "suffix", "both"]
"""Whether virtual tokens stand before the text, between text and answer, or in two parts on both sides."""


@dataclass(frozen=True)
class PromptInit:
    """What a base model offers as a starting point for a prompt.

    Attributes:
        embeddings: [V, d] what the model's embedding layer yields for each token (scaled, where the architecture
            scales), detached, float32, on CPU.
        text_ids: tokens of the text to start from, without special tokens; ``None`` where no text was given.
        key_values: token ids [p] → the base model's keys and values for them, [layers, 2, heads, p, head_dim], float32.
        special_ids: tokens that are never drawn from the vocabulary.
        values: another prompt's, in float32, where that is the start.
    """

    embeddings: Float[Tensor, "V d"]
    text_ids: tuple[int, ...] | None
    key_values: Callable[[Tensor], Tensor]
    special_ids: frozenset[int]
    values: Tensor | None = None


class PromptEncoder(nn.Module, ABC):
    """Yields the values of a soft prompt.

    They are float32 whatever the base model's dtype, and computed in float32 even under autocast: the prompt is small,
    so precision is cheap, and updates of 1e-4 are lost in bfloat16.

    Attributes:
        level: ``input``: :meth:`forward` returns [p, d], what stands before the input's embeddings; ``deep``: it
            returns keys and values of every layer, [layers, 2, heads, p, head_dim].
        num_virtual_tokens: p.
        placement: where the virtual tokens stand; of a deep prompt, in front.
    """

    level: Level
    num_virtual_tokens: int
    placement: Placement = "front"

    @property
    def num_front(self) -> int:
        """How many of the virtual tokens, the first ones, stand in front of the text."""
        p = self.num_virtual_tokens
        return {"front": p, "suffix": 0, "both": p - p // 2}[self.placement]

    @abstractmethod
    def encode(self) -> Tensor:
        """Compute the prompt's values from the parameters; :meth:`forward` sees to the precision."""

    def forward(self) -> Tensor:
        """Return the prompt's values in float32: [p, d] at input level, else [layers, 2, heads, p, head_dim]."""
        device = next(chain(self.parameters(), self.buffers())).device
        with torch.autocast(device.type, enabled=False):
            return self.encode()


class TrainablePrompt(PromptEncoder):
    """A parametrisation: its parameters are all that is trained.

    Attributes:
        takes_values: whether any values can be its first ones (those of an MLP's output cannot).
    """

    takes_values: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def build(cls, settings: PromptSettings, source: PromptInit, generator: torch.Generator) -> Self:
        """Make an encoder with its first values; every random number comes from ``generator`` (on CPU)."""


class FixedPrompt(PromptEncoder):
    """A finished prompt, kept as a buffer: nothing to train. What a loaded adapter becomes.

    Args:
        values: [p, d] at input level, [layers, 2, heads, p, head_dim] if deep.
        level: which of the two.
        placement: where the virtual tokens stand.
    """

    def __init__(self, values: Tensor, level: Level, placement: Placement = "front") -> None:
        super().__init__()
        expected = {"input": 2, "deep": 5}[level]
        if values.ndim != expected:
            raise ValueError(f"expected {expected} dimensions at level {level!r}, got shape {tuple(values.shape)}")
        self.level = level
        self.placement = placement
        self.num_virtual_tokens = values.shape[0] if level == "input" else values.shape[3]
        self.values: Tensor
        self.register_buffer("values", values.detach().float().clone())

    def encode(self) -> Tensor:
        """Return the values."""
        return self.values


PROMPTS: Registry[type[TrainablePrompt]] = Registry("prompt", "spul.prompts")


def build_prompt(settings: PromptSettings, source: PromptInit, seed: int) -> TrainablePrompt:
    """Make the encoder that ``settings`` ask for; the same seed gives the same values, and the global RNG is untouched.

    Raises:
        ConfigError: the kind is unknown, the initial text has no tokens, the vocabulary has nothing to draw from, or a
            deep prompt is to stand behind the text.
    """
    kind = PROMPTS.get(settings.kind)
    if kind.level == "deep" and settings.placement != "front":
        raise ConfigError(
            f"prompt.placement={settings.placement} is for virtual tokens at the input, and {settings.kind} is a deep "
            "prompt: keys and values have no place behind a text. Use prompt.kind direct, mlp or lstm."
        )
    if settings.init == "run" and not kind.takes_values:
        raise ConfigError(
            f"prompt.init=run starts from another prompt's values, and prompt.kind={settings.kind} makes its own from "
            "other parameters. Use direct, normalized or prefix, or another prompt.init."
        )
    encoder = kind.build(settings, source, torch.Generator().manual_seed(seed))
    encoder.placement = settings.placement
    return encoder


def initial_ids(settings: PromptSettings, source: PromptInit, generator: torch.Generator) -> Int[Tensor, " p"]:
    """Return the tokens that a prompt starts from: those of the text, repeated or cut, or a draw from the vocabulary.

    Raises:
        ConfigError: the text has no tokens, or there are none besides special ones.
    """
    p = settings.num_virtual_tokens
    if settings.init == "text":
        if not source.text_ids:
            raise ConfigError(f"prompt.init_text {settings.init_text!r} has no tokens; expected at least one")
        repeats = -(-p // len(source.text_ids))
        return torch.tensor((source.text_ids * repeats)[:p])
    ordinary = torch.tensor([i for i in range(source.embeddings.shape[0]) if i not in source.special_ids])
    if ordinary.numel() == 0:
        raise ConfigError("prompt.init=vocab draws tokens that are not special, and there are none; use init=normal")
    # Without repetition as far as the vocabulary reaches: equal rows would get equal gradients in a direct prompt.
    rounds = -(-p // ordinary.numel())
    order = torch.cat([torch.randperm(ordinary.numel(), generator=generator) for _ in range(rounds)])
    return ordinary[order[:p]]


def initial_rows(settings: PromptSettings, source: PromptInit, generator: torch.Generator) -> Float[Tensor, "p d"]:
    """Return the first values of p input-level vectors, in float32."""
    if settings.init == "run":
        return given_values(source)
    if settings.init == "normal":
        shape = (settings.num_virtual_tokens, source.embeddings.shape[1])
        return torch.randn(shape, generator=generator) * settings.init_std
    return source.embeddings[initial_ids(settings, source, generator)].float()


def given_values(source: PromptInit) -> Tensor:
    """Return another prompt's values.

    Raises:
        ValueError: there are none (a programming error).
    """
    if source.values is None:
        raise ValueError("prompt.init=run needs the other prompt's values")
    return source.values.float()


def uniform_linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """Return a linear layer with torch's default first values, U(−1/√inputs, 1/√inputs), from an explicit generator."""
    # Made on `meta`, since the constructor would draw from the global generator.
    layer = nn.Linear(inputs, outputs, device="meta", dtype=torch.float32).to_empty(device="cpu")
    fill_uniform(layer, inputs**-0.5, generator)
    return layer


def fill_uniform(module: nn.Module, bound: float, generator: torch.Generator) -> None:
    """Draw every parameter of ``module`` from U(−bound, bound)."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
