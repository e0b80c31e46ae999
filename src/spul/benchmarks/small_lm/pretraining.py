"""Next-token pre-training: Muon on the matrices, AdamW on the rest; on one core resumable bit for bit.

On an accelerator products are in bfloat16, the weights in float32.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import AdamW, Optimizer
from transformers import LlamaForCausalLM

from spul.benchmarks.small_lm.muon import Muon
from spul.benchmarks.small_lm.recipe import Recipe
from spul.benchmarks.small_lm.state import Progress, load_state, save_state

__all__ = ["Evaluation", "evaluate", "new_model", "pretrain", "schedule"]

# The learning rate stays at its peak for this share of the steps, then falls in a line to _FLOOR of the peak.
_PLATEAU = 0.4
_FLOOR = 0.03
_LOSS_SMOOTHING = 0.95
_EVALUATION_ROWS = 16


class _Batch(NamedTuple):
    """Token ids and the ids that follow them, both of shape [rows, length]."""

    inputs: Tensor
    targets: Tensor


class Evaluation(NamedTuple):
    """Mean loss in nats a token, and the number of tokens it is over."""

    nll: float
    tokens: int

    @property
    def perplexity(self) -> float:
        """exp(nll); compare only between models of the same tokenizer."""
        return math.exp(self.nll)


def schedule(step: int, *, steps: int, warmup: int) -> float:
    """Return the share of the peak learning rate at ``step`` (0 is the first): a ramp, a plateau, a line down."""
    done = step / steps
    decay = 1.0 if done < _PLATEAU else max(_FLOOR, (1 - done) / (1 - _PLATEAU))
    return min(1.0, (step + 1) / warmup) * decay


def new_model(recipe: Recipe, embeddings: NDArray[np.float32], *, pad: int, bos: int, eos: int) -> LlamaForCausalLM:
    """Return a Llama with seeded random weights and the given embeddings, shape [V, d]."""
    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM(recipe.model_config(pad=pad, bos=bos, eos=eos))
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(torch.from_numpy(embeddings))
    return model


def pretrain(
    model: LlamaForCausalLM,
    tokens: NDArray[np.integer],
    recipe: Recipe,
    *,
    state_path: Path,
    checkpoint_every: int,
    log: Callable[[str], None],
) -> Progress:
    """Train ``model`` in place to ``recipe.steps`` steps, from ``state_path`` on where that file exists.

    Chunks of the token stream are visited in one seeded order, so the step alone says which ones come next.

    Args:
        model: fresh from ``new_model``.
        tokens: the training stream, shape [n], n > sequence_length.
        recipe: sizes, schedule, seed.
        state_path: replaced atomically every ``checkpoint_every`` steps.
        checkpoint_every: in steps.
        log: takes one line of progress.
    """
    optimizers = _optimizers(model, recipe)
    progress = Progress(step=0, cpu_seconds=0.0, loss=math.log(recipe.vocab_size))
    if state_path.exists():
        progress = load_state(state_path, model, optimizers)
        log(f"continuing at step {progress.step} of {recipe.steps}")
    order = np.random.default_rng(recipe.seed).permutation((len(tokens) - 1) // recipe.sequence_length)
    model.train()
    started = time.process_time() - progress.cpu_seconds
    for step in range(progress.step, recipe.steps):
        share = schedule(step, steps=recipe.steps, warmup=recipe.warmup_steps)
        loss = _step(model, optimizers, _batch(tokens, order, step, recipe), share)
        progress = Progress(
            step=step + 1,
            cpu_seconds=time.process_time() - started,
            loss=_LOSS_SMOOTHING * progress.loss + (1 - _LOSS_SMOOTHING) * loss,
        )
        if progress.step % checkpoint_every == 0 or progress.step == recipe.steps:
            save_state(state_path, model, optimizers, progress)
            log(f"step {progress.step}/{recipe.steps}  loss {progress.loss:.3f}  {progress.cpu_seconds:.0f} s")
    model.train(False)
    return progress


@torch.inference_mode()
def evaluate(model: LlamaForCausalLM, tokens: NDArray[np.integer], *, sequence_length: int) -> Evaluation:
    """Return the loss over a whole stream, shape [n], in rows of ``sequence_length``; a shorter tail is left out."""
    model.train(False)
    rows = (len(tokens) - 1) // sequence_length
    total = 0.0
    for first in range(0, rows, _EVALUATION_ROWS):
        batch = _chunks(tokens, np.arange(first, min(first + _EVALUATION_ROWS, rows)), sequence_length)
        total += _loss(model, *batch, reduction="sum").item()
    return Evaluation(nll=total / (rows * sequence_length), tokens=rows * sequence_length)


def _optimizers(model: LlamaForCausalLM, recipe: Recipe) -> dict[str, Optimizer]:
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim == 2 and "embed_tokens" not in name
        (matrices if is_matrix else others).append(parameter)
    muon = Muon(matrices, lr=recipe.matrix_lr)
    adamw = AdamW(others, lr=recipe.other_lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    for optimizer, peak in ((muon, recipe.matrix_lr), (adamw, recipe.other_lr)):
        optimizer.param_groups[0]["peak_lr"] = peak
    return {"muon": muon, "adamw": adamw}


def _step(model: LlamaForCausalLM, optimizers: dict[str, Optimizer], batch: _Batch, share: float) -> float:
    loss = _loss(model, *batch, reduction="mean")
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers.values():
        optimizer.param_groups[0]["lr"] = optimizer.param_groups[0]["peak_lr"] * share
        optimizer.step()
        optimizer.zero_grad()
    return loss.item()


def _loss(model: LlamaForCausalLM, inputs: Tensor, targets: Tensor, *, reduction: str) -> Tensor:
    device = model.device
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu"):
        logits = model(input_ids=inputs.to(device), use_cache=False).logits
    return F.cross_entropy(logits.float().flatten(0, 1), targets.to(device).flatten(), reduction=reduction)


def _batch(tokens: NDArray[np.integer], order: NDArray[np.integer], step: int, recipe: Recipe) -> _Batch:
    places = np.arange(step * recipe.batch_size, (step + 1) * recipe.batch_size) % len(order)
    return _chunks(tokens, order[places], recipe.sequence_length)


def _chunks(tokens: NDArray[np.integer], which: NDArray[np.integer], length: int) -> _Batch:
    rows = torch.from_numpy(tokens[which[:, None] * length + np.arange(length + 1)].astype(np.int64))
    return _Batch(inputs=rows[:, :-1], targets=rows[:, 1:])
