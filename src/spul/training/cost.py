"""What a run cost: counted where it can be counted, by formula where it cannot, measured otherwise."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from spul.models.head import head_of
from spul.models.prompted import PromptedModel
from spul.training.matmul import matmul_rate

__all__ = ["flops_per_token", "training_cost"]

Cost = dict[str, float | int | str | None]


def training_cost(
    model: PromptedModel,
    log: Sequence[Mapping[str, Any]],
    *,
    steps_per_epoch: int,
    passes_per_step: int,
    precision: str = "fp32",
) -> Cost:
    """Return a training's cost, validations in between included in ``seconds`` and in nothing else.

    ``matmul_share`` is the share of the machine's measured matrix-product rate that the steps reached: operations by
    formula, a second, over ``matmul_flops_per_second`` (:func:`spul.training.matmul.matmul_rate`). Where it is null,
    ``matmul_reason`` says why.

    Args:
        model: as it was trained.
        log: rows of ``train.jsonl``.
        steps_per_epoch: optimiser steps of an epoch.
        passes_per_step: forward passes of an optimiser step.
        precision: what was trained in: ``fp32``, ``bf16`` or ``fp16``.
    """
    steps = [row for row in log if "loss" in row]
    seconds = sum(row["seconds"] for row in steps)
    tokens = round(sum(row["tokens_per_second"] * row["seconds"] for row in steps))
    cuda = model.device.type == "cuda"
    on_accelerator = model.device.type != "cpu"
    an_epoch = seconds / len(steps) * steps_per_epoch if steps else None
    everything = sum(row["seconds"] for row in log)
    flops = _training_flops(model, tokens, len(steps) * passes_per_step)
    return {
        "seconds": everything,
        "accelerator_seconds": everything if on_accelerator else 0.0,
        "seconds_per_epoch": an_epoch,
        "accelerator_seconds_per_epoch": an_epoch if on_accelerator else 0.0,
        "steps": len(steps),
        "steps_per_epoch": steps_per_epoch,
        "tokens": tokens,
        "tokens_per_second": tokens / seconds if seconds else None,
        "training_flops": flops,
        **_share_of_matmul(model, precision, flops / seconds if seconds else None),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "peak_memory_bytes": torch.cuda.max_memory_allocated() if cuda else _peak_resident_bytes(),
        "device": str(model.device),
    }


def _share_of_matmul(model: PromptedModel, precision: str, reached: float | None) -> Cost:
    """Return the rate of products in the type that the training's own were in, and the share of it that was reached."""
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}
    dtype = half.get(precision, model.base.dtype)
    found: Cost = {"matmul_flops_per_second": None, "matmul_dtype": str(dtype).removeprefix("torch.")}
    if reached is None:
        return {**found, "matmul_share": None, "matmul_reason": "no step was trained"}
    if getattr(model.base, "quantization_method", None) is not None:
        reason = "quantised weights are unpacked before every product, which is no plain product of matrices"
        return {**found, "matmul_share": None, "matmul_reason": reason}
    try:
        rate = matmul_rate(str(model.device), dtype, torch.get_num_threads())
    except RuntimeError as error:
        return {**found, "matmul_share": None, "matmul_reason": f"it cannot be measured here: {error}"}
    return {**found, "matmul_flops_per_second": rate, "matmul_share": reached / rate, "matmul_reason": None}


def flops_per_token(base: PreTrainedModel) -> int:
    """Return the floating-point operations of a training pass for one token of text, by formula.

    2·N + 2·N + 2·M: the forward pass, the gradient by the activations, and the gradient by the weights. N counts the
    parameters that a token meets, M those among them that are trained: 6·N where all are, 4·N where none is (a soft
    prompt). Kaplan et al. 2020 (arXiv:2001.08361), section 2.1, table 1. As there, embeddings do not count; neither do
    the output head, which sees the answer positions alone, and attention over the context, which is small while the
    context is shorter than twelve times the model's width.
    """
    embeddings = {id(p) for module in base.modules() if isinstance(module, nn.Embedding) for p in module.parameters()}
    head = [parameter for parameter in head_of(base).parameters() if id(parameter) not in embeddings]
    # transformers' count, since that of four-bit weights is not in their shape.
    met = base.num_parameters(exclude_embeddings=True) - sum(parameter.numel() for parameter in head)
    left_out = embeddings | {id(parameter) for parameter in head}
    trained = sum(p.numel() for p in base.parameters() if p.requires_grad and id(p) not in left_out)
    return 4 * met + 2 * trained


def _training_flops(model: PromptedModel, tokens: int, passes: int) -> int:
    # What stands in front at input level runs through the base once a pass, whatever the number of rows; a deep prompt
    # never does. What stands behind every row's text is among the tokens already.
    virtual = model.encoder.num_front if model.encoder is not None and model.encoder.level == "input" else 0
    return flops_per_token(model.base) * (tokens + passes * virtual)


def _peak_resident_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
