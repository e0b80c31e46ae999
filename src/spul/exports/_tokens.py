"""p more special tokens in a tokenizer, put in front of every input by its post-processor and by its chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast

from spul.errors import ExportError
from spul.files import write_json, write_text

__all__ = ["SoftTokens", "add_soft_tokens", "soft_chat_template", "write_tokenizer"]

KEPT = (
    "model_max_length",
    "padding_side",
    "truncation_side",
    "model_input_names",
    "clean_up_tokenization_spaces",
)
"""Settings of a tokenizer that its own file does not hold. What is left out on purpose: `add_bos_token` and
`add_eos_token`, which let transformers write the post-processor anew, and classes that rebuild it on reload."""

NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class SoftTokens(NamedTuple):
    """A tokenizer with soft tokens, and what they are called."""

    backend: Tokenizer
    names: tuple[str, ...]
    ids: tuple[int, ...]

    @property
    def text(self) -> str:
        """What stands for the prompt in text: the tokens' names, one after another."""
        return "".join(self.names)


def add_soft_tokens(tokenizer: PreTrainedTokenizerFast, p: int) -> SoftTokens:
    """Return a copy of the tokenizer that puts p new special tokens in front of every input.

    Raises:
        ExportError: it has a token of that name already, or its post-processor cannot be extended.
    """
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_padding()
    backend.no_truncation()
    names = tuple(f"<|spul_{i}|>" for i in range(p))
    there = [name for name in names if backend.token_to_id(name) is not None]
    if there:
        raise ExportError(
            f"the tokenizer of {tokenizer.name_or_path!r} has tokens of these names already ({there[0]}, {len(there)} "
            "in all): it is the tokenizer of a baked export. Unlearn on the original base model, and export that run."
        )
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    vocabulary = backend.get_vocab()
    ids = tuple(vocabulary[name] for name in names)
    state = json.loads(backend.to_str())
    state["post_processor"] = _in_front(state["post_processor"], names, ids)
    return SoftTokens(Tokenizer.from_str(json.dumps(state)), names, ids)


def soft_chat_template(tokenizer: PreTrainedTokenizerFast, text: str) -> str | dict[str, str] | None:
    """Return the chat template (or each of several) with the soft tokens' text in front; ``None`` where there is none.

    Applying a template skips the post-processor, and a template is applied to a whole talk, so they come exactly once.
    """
    template = tokenizer.chat_template
    if isinstance(template, dict):
        return {name: text + own for name, own in template.items()}
    return text + template if template else None


def write_tokenizer(directory: Path, tokenizer: PreTrainedTokenizerFast, soft: SoftTokens) -> None:
    """Write ``tokenizer.json`` and a configuration that transformers 4.45 and later read, and other engines with them.

    transformers 5 would name a class that 4 does not know, and keep the chat template in a file that 4.45 ignores.
    """
    write_text(directory / "tokenizer.json", soft.backend.to_str(pretty=True))
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast"}
    settings |= {name: str(token) for name in NAMED if (token := tokenizer.special_tokens_map.get(name)) is not None}
    settings |= {name: value for name in KEPT if (value := getattr(tokenizer, name, None)) is not None}
    template = soft_chat_template(tokenizer, soft.text)
    if isinstance(template, dict):
        settings["chat_template"] = [{"name": name, "template": own} for name, own in template.items()]
    elif template is not None:
        settings["chat_template"] = template
    write_json(directory / "tokenizer_config.json", settings)


def _in_front(processor: dict[str, Any] | None, names: tuple[str, ...], ids: tuple[int, ...]) -> dict[str, Any]:
    """Return a post-processor that does what ``processor`` does, with the tokens in front of single texts and pairs.

    Raises:
        ExportError: it is of a kind that holds its own order of tokens.
    """
    if processor is None:
        return _template(names, ids)
    kind = processor["type"]
    if kind == "TemplateProcessing":
        return _extended(processor, names, ids)
    if kind == "ByteLevel":
        return {"type": "Sequence", "processors": [processor, _template(names, ids)]}
    if kind == "Sequence" and {part["type"] for part in processor["processors"]} <= {"ByteLevel", "TemplateProcessing"}:
        parts = processor["processors"]
        templates = [i for i, part in enumerate(parts) if part["type"] == "TemplateProcessing"]
        if not templates:
            return {"type": "Sequence", "processors": [*parts, _template(names, ids)]}
        if len(templates) == 1:
            extended = [_extended(part, names, ids) if i in templates else part for i, part in enumerate(parts)]
            return {"type": "Sequence", "processors": extended}
    raise ExportError(
        f"expected a tokenizer whose post-processor is a template, byte-level or none, got {kind}: soft tokens cannot "
        "be put in front of what it builds. Export with --to prefix or --to peft, which do not touch the tokenizer."
    )


def _extended(template: dict[str, Any], names: tuple[str, ...], ids: tuple[int, ...]) -> dict[str, Any]:
    front = [{"SpecialToken": {"id": name, "type_id": 0}} for name in names]
    known = {name: {"id": name, "ids": [i], "tokens": [name]} for name, i in zip(names, ids, strict=True)}
    return {
        "type": "TemplateProcessing",
        "single": front + template["single"],
        "pair": front + template["pair"],
        "special_tokens": {**template["special_tokens"], **known},
    }


def _template(names: tuple[str, ...], ids: tuple[int, ...]) -> dict[str, Any]:
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in ("A", "B"))
    plain = {"single": [first], "pair": [first, second], "special_tokens": {}}
    return _extended(plain, names, ids)
