"""What soft prompt a run learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from spul.settings import Settings

__all__ = ["PromptSettings"]

NOISE_KINDS = ("mlp", "lstm")


class PromptSettings(Settings):
    """Parametrisation and size of the soft prompt.

    Attributes:
        kind: registered parametrisation (``direct``, ``normalized``, ``mlp``, ``lstm``, ``prefix``).
        num_virtual_tokens: p, how many virtual tokens there are.
        placement: where they stand: in ``front`` of the input (the paper), as a ``suffix`` between input and answer,
            where their own states can read the text, or ``both``, the front having one more of an odd number. PEFT
            knows the front only, and so do deep prompts.
        encoder_hidden_size: h, width of the MLP or LSTM that makes the virtual tokens (paper: 128).
        init: where the first values come from: random rows of the vocabulary, the tokens of ``init_text``, the prompt
            of ``init_run``, or N(0, ``init_std``²). The MLP and LSTM use it for their input E, and cannot start from
            another prompt. If missing: the text or the run where one is given, else noise for the MLP and LSTM (the
            paper's way) and the vocabulary for the others, whose values are the prompt itself and must be on the scale
            of the model's own.
        init_text: text whose tokens initialise the prompt (repeated or cut to p tokens).
        init_run: run of another request on the same base model, of the same size, level and placement.
        init_std: standard deviation of the normal initialisation.
    """

    kind: str = "mlp"
    num_virtual_tokens: Annotated[int, Field(ge=1)] = 30
    placement: Literal["front", "suffix", "both"] = "front"
    encoder_hidden_size: Annotated[int, Field(ge=1)] = 128
    init: Literal["vocab", "text", "normal", "run"] = "normal"
    init_text: str | None = None
    init_run: str | None = None
    init_std: Annotated[float, Field(gt=0)] = 1.0

    @model_validator(mode="before")
    @classmethod
    def _default_init(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("init") is not None:
            return values
        noise = values.get("kind", "mlp") in NOISE_KINDS
        given = [name for name in ("text", "run") if values.get(f"init_{name}") is not None]
        return {**values, "init": given[0] if given else "normal" if noise else "vocab"}

    @model_validator(mode="after")
    def _both_need_two(self) -> PromptSettings:
        if self.placement == "both" and self.num_virtual_tokens < 2:
            raise ValueError("expected at least two virtual tokens with `placement: both`, got 1")
        return self

    @model_validator(mode="after")
    def _source_is_there(self) -> PromptSettings:
        for name, given in (("text", self.init_text), ("run", self.init_run)):
            if (self.init == name) != (given is not None):
                raise ValueError(f"expected `init: {name}` together with `init_{name}`, or neither of them")
        return self
