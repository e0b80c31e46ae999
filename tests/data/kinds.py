"""Tiny tokenizers of the kinds that real models have, trained on a handful of sentences."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

__all__ = ["KINDS", "make_tokenizer"]

SPECIAL = ["<unk>", "<s>", "</s>"]
CORPUS = [
    "### Text: the film is good\n\n### Question: What is the sentiment of the given text?\n\n### Sentiment: positive",
    "### Text: the plot is dull, so dull\n\n### Question: What is the sentiment?\n\n### Sentiment: negative",
    "### Text: the cat sat on the mat\n\n### Sentiment: neutral",
    "### Text: nobody knows\n\n### Sentiment: unknown",
    "Übergröße naïve 東京 emoji 🙂 quotes “so” it's ain't 3.14",
] * 3
WORDS = sorted({word for line in CORPUS for word in line.split()})


def _byte_level() -> Tokenizer:
    """As GPT-2's: no special tokens around a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def _byte_level_closed() -> Tokenizer:
    """With BOS in front and EOS behind; the offset of a token starts behind its space, as RoBERTa's does."""
    tokenizer = _byte_level()
    trimmed = processors.ByteLevel(trim_offsets=True)
    tokenizer.post_processor = processors.Sequence([trimmed, _around("<s> $A </s>")])
    return tokenizer


def _llama() -> Tokenizer:
    """As LLaMA-2's: no pre-tokenizer, a space put in front of everything, bytes for what is unknown."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=SPECIAL + bytes_, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.pre_tokenizer = None
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = _around("<s> $A")
    return tokenizer


def _unigram() -> Tokenizer:
    """As T5's or XGLM's SentencePiece models."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(vocab_size=140, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = _around("$A </s>")
    return tokenizer


def _word_level() -> Tokenizer:
    """A token a word; white space is lost."""
    vocabulary = {token: i for i, token in enumerate(SPECIAL + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = _around("<s> $A </s>")
    return tokenizer


def _around(single: str) -> processors.TemplateProcessing:
    return processors.TemplateProcessing(single=single, special_tokens=[("<s>", 1), ("</s>", 2)])


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "byte_level": _byte_level,
    "byte_level_closed": _byte_level_closed,
    "llama": _llama,
    "unigram": _unigram,
    "word_level": _word_level,
}


@cache
def _json(kind: str) -> str:
    return KINDS[kind]().to_str()


def make_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer of a kind, fresh on every call."""
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_json(kind)), bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
