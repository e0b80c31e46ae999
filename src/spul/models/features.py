"""A base model's hidden states as one vector a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from spul.data.batches import pad_right
from spul.data.posing import encode_prompts
from spul.errors import DataError
from spul.models.loading import context_length
from spul.models.prompted import PromptedModel

__all__ = ["text_vectors"]


@torch.inference_mode()
def text_vectors(model: PromptedModel, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
    """Return mean and maximum over a text's tokens of the base model's last hidden states; its prompt plays no part.

    They stand side by side, [n, 2 · hidden]. A text that is longer than the context is cut at its end.

    Raises:
        DataError: a text has no token.
    """
    most = context_length(model.base)
    encoded = [ids[:most] for ids in encode_prompts(model.tokenizer, texts)]
    for text, ids in zip(texts, encoded, strict=True):
        if not ids:
            raise DataError(f"expected a text with at least one token, got {text[:60]!r}")
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    rows: dict[int, np.ndarray] = {}
    for start in range(0, len(order), model.batch_size):
        chosen = order[start : start + model.batch_size]
        input_ids = pad_right([encoded[i] for i in chosen], model.pad_id).to(model.device)
        found = model.base(input_ids=input_ids, use_cache=False, output_hidden_states=True, logits_to_keep=1)
        for row, i in enumerate(chosen):
            states = found.hidden_states[-1][row, : len(encoded[i])].float()
            rows[i] = torch.cat([states.mean(dim=0), states.amax(dim=0)]).cpu().numpy()
    return np.stack([rows[i] for i in range(len(encoded))])
