"""What llama.cpp makes of a GGUF file, through xllamacpp."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from spul.data.posing import encode_prompts
from spul.errors import ExportError
from spul.exports.reference import Reference
from spul.exports.self_check import Check, chat_ids, logit_bound
from spul.models.prompted import PromptedModel

__all__ = ["LlamaCpp", "check_llama_cpp"]

Ids = tuple[int, ...]

TOP = 20
ROOM = 2
"""Tokens of the context beyond the longest input."""
KERNELS = 10.0
"""llama.cpp computes with other kernels, so its rounding may differ by that many times transformers' own."""


class LlamaCpp:
    """llama.cpp with one file loaded.

    Args:
        file: the GGUF file.
        context: most tokens of an input.
    """

    def __init__(self, file: Path, context: int) -> None:
        import xllamacpp

        options = xllamacpp.CommonParams()
        options.model.path = str(file)
        options.n_ctx = context
        options.n_parallel = 1
        options.cpuparams.n_threads = torch.get_num_threads()
        options.cpuparams_batch.n_threads = torch.get_num_threads()
        options.warmup = False
        options.use_jinja = True
        options.verbosity = -1
        # Its flash attention rounds keys and values to half precision.
        options.flash_attn_type = 0
        options.cache_type_k = options.cache_type_v = 0
        self._server = xllamacpp.Server(options)

    def complete(self, ids: Sequence[int]) -> dict[str, Any]:
        """Continue token ids by one token, with the log-probabilities of the likeliest."""
        request = {"prompt": list(ids), "max_tokens": 1, "logprobs": TOP, "temperature": 0.0, "cache_prompt": False}
        return self._answer(self._server.handle_completions, request)

    def raw_tokens(self, text: str) -> int:
        """Return how many tokens the model read for plain text: the prompt is not among them."""
        request = {"prompt": text, "max_tokens": 1, "temperature": 0.0}
        return int(self._answer(self._server.handle_completions, request)["usage"]["prompt_tokens"])

    def chat_tokens(self, text: str) -> int:
        """Return how many tokens the model read for one message of a user."""
        request = {"messages": [{"role": "user", "content": text}], "max_tokens": 1, "temperature": 0.0}
        usage = self._answer(self._server.handle_chat_completions, request)["usage"]
        return int(usage["prompt_tokens"])

    def _answer(self, handle: Any, request: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = handle(request)
        if "usage" not in found:
            raise ExportError(f"llama.cpp does not run the exported file: {found}")
        return found


def check_llama_cpp(file: Path, soft: Ids, reference: Reference, like: PromptedModel) -> list[Check]:
    """Compare the likeliest tokens behind the first prompts, and count the tokens that chats become."""
    longest = max(len(row) for row in reference.rows) + len(soft)
    engine = LlamaCpp(file, longest + ROOM)
    differences = [_difference(engine, soft, row, reference, i) for i, row in enumerate(reference.rows)]
    return [
        Check(
            name="log-odds of the likeliest in llama.cpp",
            value=max(differences),
            bound=KERNELS * logit_bound(reference, like.base.dtype),
            n=len(differences) * TOP,
            unit="nats",
        ),
        _count_chats(engine, soft, reference, like),
    ]


def _count_chats(engine: LlamaCpp, soft: Ids, reference: Reference, like: PromptedModel) -> Check:
    """Count the messages that do not become as many tokens as in the base's own tokenizer, and the soft ones."""
    texts = [like.decode(row) for row in reference.rows]
    wrong = 0
    for text in texts:
        own = chat_ids(like.tokenizer, [{"role": "user", "content": text}]) if like.tokenizer.chat_template else None
        expected = len(soft) + len(own if own is not None else encode_prompts(like.tokenizer, [text])[0])
        wrong += engine.chat_tokens(text) != expected
    return Check(name="chats of another length in llama.cpp", value=wrong, bound=0, n=len(texts), unit="texts")


def _difference(engine: LlamaCpp, soft: Ids, row: Ids, reference: Reference, i: int) -> float:
    """Return the largest difference in how far the likeliest tokens behind a row lie below the first of them.

    Not of their log-probabilities themselves: in those the soft tokens' mass has its share.
    """
    expected = reference.logits[i][-1]
    found = engine.complete([*soft, *row])["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    pairs = [(entry["logprob"], expected[entry["id"]].item()) for entry in found if entry["id"] < len(expected)]
    first_own, first_run = pairs[0]
    largest: float = max(abs((own - first_own) - (run - first_run)) for own, run in pairs)
    return largest
