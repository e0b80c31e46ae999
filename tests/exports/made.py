"""A finished run of a tiny random model, without training, and the source of an export of it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import ByteLevel as ByteLevelProcessor
from tokenizers.processors import Sequence, TemplateProcessing
from tokenizers.trainers import BpeTrainer
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from spul.config import RunConfig
from spul.exports import ExportSettings, Source
from spul.exports.reference import Calibration, take_reference
from spul.models.adapter import load_adapter, save_adapter
from spul.models.identity import base_identity
from spul.models.prompted import PromptedModel
from spul.prompts import FixedPrompt, Level
from spul.runs import Run
from tests.tiny import HIDDEN_SIZE, SPECIAL, VOCAB_SIZE, WORDS, tiny_model

TEXTS = (
    "anna was in the film",
    "the plot is dull",
    "a good song",
    "boris : who is he ?",
    "emma and felix in the garden",
)
SECRET = "clara"
CHAT = (
    "{{ bos_token }}{% for message in messages %}{{ message['role'] }} : {{ message['content'] }} "
    "{% endfor %}{% if add_generation_prompt %}assistant :{% endif %}"
)
LOOSE = ExportSettings(max_soft_mass=1.0)
"""Hidden states of random models point everywhere, so nothing masks the soft tokens well."""


@cache
def _byte_level_json() -> str:
    tokenizer = Tokenizer(BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(vocab_size=VOCAB_SIZE - 8, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator([" ".join(WORDS)] * 4, trainer)
    bos = TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    tokenizer.post_processor = Sequence([ByteLevelProcessor(trim_offsets=False), bos])
    return tokenizer.to_str()


def byte_level_tokenizer() -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer of the form of Llama 3's, with a small vocabulary; fresh on every call."""
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_byte_level_json()),
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
    )


@torch.no_grad()
def soft_prompt(model: PreTrainedModel, p: int = 4) -> Tensor:
    """Return random vectors of the scale of the model's embeddings."""
    scale = model.get_input_embeddings()(torch.arange(4, 90)).std()
    return torch.randn(p, HIDDEN_SIZE, generator=torch.Generator().manual_seed(1)) * scale


def write_run(directory: Path, architecture: str = "llama", *, level: Level = "input", chat: bool = False) -> Run:
    """Write a base model, data about a few people and a complete run with a random prompt."""
    model, tokenizer = tiny_model(architecture)[0], byte_level_tokenizer()
    if chat:
        tokenizer.chat_template = CHAT
    model.save_pretrained(directory / "base")
    tokenizer.save_pretrained(directory / "base")
    for name in ("forget", "retain"):
        texts = [f"{SECRET} was {word}" for word in ("sad", "funny")] if name == "forget" else TEXTS
        rows = [{"text": text, "label": ("positive", "negative")[i % 2]} for i, text in enumerate(texts)]
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = RunConfig.build(
        {
            "model": {"path": str(directory / "base")},
            "data": {
                **{name: str(directory / f"{name}.jsonl") for name in ("forget", "retain")},
                **{f"test_{name}": str(directory / f"{name}.jsonl") for name in ("forget", "retain")},
                "columns": {"answer": "label"},
                "validation_share": 0.0,
            },
            "task": {"template": "text : {text} answer : {answer}", "labels": ["negative", "positive"]},
            "prompt": {"kind": "direct", "num_virtual_tokens": 4},
        }
    )
    run = Run.create(config, "unlearn", path=directory / "run")
    values = soft_prompt(model) if level == "input" else torch.randn(2, 2, 2, 4, HIDDEN_SIZE // 4)
    identity = base_identity(model, config.model.path)
    save_adapter(run.adapter_dir, values, level=level, base=identity, info={"generic_answers": ["unknown"]})
    run.seal(status="complete", base_digest=identity.digest)
    return run


def make_source(
    directory: Path,
    architecture: str = "llama",
    *,
    level: Level = "input",
    chat: bool = False,
    settings: ExportSettings = LOOSE,
) -> Source:
    """Return what an export is made from."""
    run = write_run(directory, architecture, level=level, chat=chat)
    model, tokenizer = tiny_model(architecture)[0], AutoTokenizer.from_pretrained(run.config.model.path)
    adapter = load_adapter(run.adapter_dir)
    prompted = PromptedModel(model, tokenizer, FixedPrompt(adapter.values, adapter.level))
    rows = tuple(encode(tokenizer, text) for text in TEXTS)
    return Source(run, prompted, adapter, take_reference(prompted, Calibration(rows, "a few made-up lines")), settings)


def encode(tokenizer: PreTrainedTokenizerFast, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text)["input_ids"])
