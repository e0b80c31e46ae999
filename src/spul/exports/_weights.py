"""The prompt as p more rows of a model's embeddings, and rows of its output head that no hidden state likes."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from spul.errors import ExportError
from spul.models.head import head_of

__all__ = ["Mask", "bake", "embedding_scale", "least_likely", "legacy_settings"]

MARGIN = 100.0
"""Nats below all else that the soft tokens' logits are pushed, where there is a direction for it."""
BIAS = -1e4
"""Of the soft tokens where the head has a bias; within half precision's range."""
STEPS = 100
RIDGES = (1e-6, 1e-3, 1e-1)
"""Weights of the row's squared norm, for states of norm 1: of all planes the one farthest from them is preferred."""


class Mask(NamedTuple):
    """What the output head holds for every soft token."""

    row: Float[Tensor, " d"]
    bias: float | None


def least_likely(
    hidden: Float[Tensor, "N d"], logsumexp: Float[Tensor, " N"], fitted: Bool[Tensor, " N"]
) -> Float[Tensor, " d"]:
    """Return a row of the output head whose logit stays far below all others at the hidden states.

    Minimises log(1 + Σ exp(h·w − logsumexp + MARGIN)) + ridge·|w|² over w, which is convex, and nearly 0 where all
    states lie on one side of some plane, as trained models' do. Where they do not, a row that does well on the states
    it was fitted on does harm on others; so of several ridges the one is taken whose worst state is best on all.

    Args:
        hidden: states that go into the head, one a position.
        logsumexp: of the head's output there.
        fitted: the states that rows are fitted on; the rest only choose among them.
    """
    size = hidden.norm(dim=1).mean().item()
    states, sums = hidden.double() / size, logsumexp.double()
    rows = [_fit(states[fitted], sums[fitted], ridge) for ridge in RIDGES]
    worst = [(states @ row - sums).max().item() for row in rows]
    best: Tensor = rows[worst.index(min(worst))] / size
    return best.float()


def _fit(states: Float[Tensor, "N d"], sums: Float[Tensor, " N"], ridge: float) -> Float[Tensor, " d"]:
    with torch.inference_mode(False), torch.enable_grad():
        states, sums = states.clone(), sums.clone()
        row = torch.zeros(states.shape[1], dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([row], max_iter=STEPS, history_size=20, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            excess = states @ row - sums + MARGIN
            value = torch.cat([excess, excess.new_zeros(1)]).logsumexp(dim=0) + ridge * row @ row
            value.backward()
            return value

        optimizer.step(loss)
    return row.detach()


@torch.no_grad()
def bake(
    model: PreTrainedModel, values: Float[Tensor, "p d"], ids: tuple[int, ...], mask: Mask, *, keep_tied: bool
) -> None:
    """Write the prompt into the model's weights, in place.

    Tied embeddings are untied unless they are to be kept: the soft rows would act as output rows otherwise.

    Args:
        model: the base model; it is another model afterwards.
        values: the prompt, as the embedding layer is to yield it.
        ids: of the soft tokens.
        mask: what the output head gets for them.
        keep_tied: leave the output side as it is.
    """
    config = model.config.get_text_config(decoder=True)
    size = max(config.vocab_size, max(ids) + 1)
    model.resize_token_embeddings(size, mean_resizing=False)
    head, embed = head_of(model), model.get_input_embeddings()
    output_rows, input_rows = _weight(head), _weight(embed)
    tied = output_rows is input_rows
    if tied and not keep_tied:
        output_rows = nn.Parameter(input_rows.detach().clone(), requires_grad=False)
        head.weight = output_rows
        model.config.tie_word_embeddings = config.tie_word_embeddings = False
        # What transformers leaves out when it saves.
        model.all_tied_weights_keys = {}
    rows = list(ids)
    input_rows[rows] = (values / embedding_scale(embed)).to(input_rows)
    if not (tied and keep_tied):
        output_rows[rows] = mask.row.to(output_rows)
    if mask.bias is not None:
        assert isinstance(head.bias, nn.Parameter)
        head.bias[rows] = mask.bias


@torch.no_grad()
def embedding_scale(embed: nn.Module) -> float:
    """Return by how much the embedding layer multiplies its rows; 1 for most models, √d for Gemma's.

    Raises:
        ExportError: it does something else with them.
    """
    weight = _weight(embed)
    ids = torch.arange(min(64, len(weight)), device=weight.device)
    rows, made = weight[ids].float(), embed(ids).float()
    scale = ((rows * made).sum() / (rows * rows).sum()).item()
    if not torch.allclose(made, rows * scale, rtol=1e-2, atol=1e-6):
        raise ExportError(
            f"{type(embed).__name__} does more than to scale its rows, so no row of it can stand for the prompt; "
            "export with --to prefix"
        )
    return 1.0 if abs(scale - 1) < 1e-3 else scale


def _weight(module: nn.Module) -> nn.Parameter:
    assert isinstance(module.weight, nn.Parameter)
    return module.weight


def legacy_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return what transformers 4 calls some of the settings that transformers 5 has renamed.

    A reader that does not find `rope_theta` takes 10,000 without a word, which is another model.
    """
    found: dict[str, Any] = {}
    if "dtype" in config:
        found["torch_dtype"] = config["dtype"]
    rope = config.get("rope_parameters")
    if not isinstance(rope, dict):
        return found
    if "full_attention" in rope:
        found |= _rope(rope["full_attention"])
        if "sliding_attention" in rope:
            found["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
    else:
        found |= _rope(rope)
    if config["model_type"] == "gpt_neox":
        found |= {"rotary_emb_base": rope["rope_theta"], "rotary_pct": rope.get("partial_rotary_factor", 1.0)}
    return found


def _rope(rope: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"rope_theta": rope["rope_theta"]}
    if "partial_rotary_factor" in rope:
        found["partial_rotary_factor"] = rope["partial_rotary_factor"]
    rest = {key: value for key, value in rope.items() if key not in ("rope_theta", "partial_rotary_factor")}
    if rest.get("rope_type", "default") != "default":
        found["rope_scaling"] = rest
    return found
