"""A tokenizer of the `tokenizers` library in the words of a GGUF file."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from spul.errors import ExportError
from spul.exports._tokens import SoftTokens

__all__ = ["GgufVocabulary", "gguf_vocabulary"]

NORMAL, UNKNOWN, CONTROL, UNUSED = 1, 2, 3, 5
"""Types of tokens in llama.cpp."""

LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = {rf"{LETTERS}|\p{{N}}{{1,3}}|{REST}": "llama-bpe", rf"{LETTERS}|\p{{N}}|{REST}": "qwen2"}
"""How a text is cut into words before merging, and what llama.cpp calls that."""


class GgufVocabulary(NamedTuple):
    """What a GGUF file says of its tokenizer.

    Attributes:
        model: kind of tokenizer in llama.cpp: ``gpt2`` is byte-level BPE, ``t5`` a vocabulary of whole words here.
        pre: how a text is cut into words first.
        tokens, types: one a row of the embeddings.
        merges: of BPE.
        scores: of whole words.
    """

    model: str
    pre: str
    tokens: list[str]
    types: list[int]
    merges: list[str] | None = None
    scores: list[float] | None = None


def gguf_vocabulary(soft: SoftTokens, size: int) -> GgufVocabulary:
    """Return the vocabulary with soft tokens, filled up to ``size`` rows.

    Raises:
        ExportError: llama.cpp has no such tokenizer, or none that is known here.
    """
    state = json.loads(soft.backend.to_str())
    tokens, types = _tokens(state, soft, size)
    kind = state["model"].get("type")
    if kind == "BPE":
        return GgufVocabulary("gpt2", _pre(state), tokens, types, merges=_merges(state["model"]))
    if kind == "WordLevel" and (state["pre_tokenizer"] or {}).get("type") == "WhitespaceSplit":
        # llama.cpp has no words; but a unigram model whose pieces are whole words, all equally likely, finds them.
        words = [f"▁{token}" if type_ == NORMAL else token for token, type_ in zip(tokens, types, strict=True)]
        return GgufVocabulary("t5", "default", words, types, scores=[-1.0] * size)
    raise _unknown(f"a {kind} model")


def _tokens(state: dict[str, Any], soft: SoftTokens, size: int) -> tuple[list[str], list[int]]:
    names = {i: token for token, i in soft.backend.get_vocab(with_added_tokens=True).items()}
    special = {added["id"] for added in state["added_tokens"] if added["special"]}
    unknown = state["model"].get("unk_token")
    tokens = [names.get(i, f"[PAD{i}]") for i in range(size)]

    def type_of(i: int) -> int:
        if i not in names:
            return UNUSED
        return UNKNOWN if names[i] == unknown else CONTROL if i in special else NORMAL

    return tokens, [type_of(i) for i in range(size)]


def _pre(state: dict[str, Any]) -> str:
    normalizer = state["normalizer"]
    if normalizer is not None and normalizer["type"] != "NFC":
        raise _unknown(f"a normalizer of type {normalizer['type']}")
    pre = state["pre_tokenizer"] or {}
    parts = pre["pretokenizers"] if pre.get("type") == "Sequence" else [pre]
    match [(part.get("type"), part) for part in parts]:
        case [("ByteLevel", last)] if last["use_regex"] and not last["add_prefix_space"]:
            return "gpt-2"
        case [("Split", split), ("ByteLevel", last)] if not last["use_regex"] and not last["add_prefix_space"]:
            name = SPLITS.get(split["pattern"].get("Regex", ""))
            if name is not None and bool(state["model"].get("ignore_merges")) == (name == "llama-bpe"):
                return name
    raise _unknown("words cut in a way that has no name in llama.cpp known here")


def _merges(model: dict[str, Any]) -> list[str]:
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]


def _unknown(what: str) -> ExportError:
    return ExportError(
        f"expected a byte-level BPE tokenizer as of GPT-2, Llama 3 or Qwen, or one of whole words, got {what}. Export "
        "with --to baked, then run llama.cpp's own converter: python convert_hf_to_gguf.py DIRECTORY --outfile "
        "model.gguf; its file keeps the chat template with the prompt, so use chat completions only."
    )
