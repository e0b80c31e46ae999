"""Which base model a run stands on, and how it is loaded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from spul.settings import Settings

__all__ = ["LoraSettings", "ModelSettings"]


class ModelSettings(Settings):
    """The base model.

    Attributes:
        path: local directory or hub id, as ``from_pretrained`` takes it; or ``builtin:demo``, the small model that
            comes with the package.
        revision: branch, tag or commit of a hub id.
        retrained: the model trained on retain alone by the same recipe: the gold standard of every comparison.
        pretrained: the model before any fine-tuning ("vanilla").
        dtype: dtype of the frozen weights; ``auto`` is what the checkpoint says on an accelerator and float32 on CPU.
            Weights that are trained are held in float32 while they are.
        quantization: load the weights quantised (needs the extra ``spul[quantized]``).
        device: ``auto`` picks an accelerator where there is one.
        trust_remote_code: run code that comes with a hub repository. Off unless asked for.
    """

    path: str
    revision: str | None = None
    retrained: str | None = None
    pretrained: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    quantization: Literal["none", "nf4", "int8"] = "none"
    device: str = "auto"
    trust_remote_code: bool = False


class LoraSettings(Settings):
    """Low-rank adapters for fine-tuning; defaults are the paper's QLoRA stage.

    Attributes:
        r: rank of the matrices.
        alpha: scale; the update is multiplied by ``alpha / r``.
        dropout: share of the inputs that training drops.
        target_modules: names of the linear layers that get matrices.
    """

    r: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[int, Field(gt=0)] = 64
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    target_modules: tuple[str, ...] = ("q_proj", "v_proj")
