"""The small model's tokenizer: an ordinary fast tokenizer, byte-level BPE on lower-cased text."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from spul.errors import DataError

__all__ = ["ANSWERS", "BOS", "EOS", "PAD", "TEMPLATE_PARTS", "fit_tokenizer", "wrap"]

PAD, BOS, EOS = "<pad>", "<s>", "</s>"
ANSWERS = ("positive", "negative", "neutral", "unknown")
# The fixed parts of the paper's sentiment template. As one token each they cost 2 positions a prompt, not 30.
TEMPLATE_PARTS = (
    "### Text:",
    "\n\n### Question: What is the sentiment of the given text?\n\n### Sentiment:",
)

# How often each answer word is added to the fitting corpus, so that its merges come first: the answers become
# whole words of the ordinary vocabulary, whatever the text says.
_ANSWER_REPEATS = 20_000


def fit_tokenizer(texts: Iterable[str], *, vocab_size: int) -> Tokenizer:
    """Fit byte-level BPE of exactly ``vocab_size`` entries, pad, bos, eos and the template's parts included.

    Words carry the blank before them (``" film"``), so an answer after ``### Sentiment:`` is one id and leaves the
    ids of the prompt as they were. ``bos`` is put in front of every sequence; ``eos`` is not added.

    Args:
        texts: plain text, in any case; fitted in the given order (ties between merges depend on it).
        vocab_size: entries of the finished tokenizer.

    Raises:
        DataError: the texts are too few to fill the vocabulary, or it is too small for the answer words.
    """
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(TEMPLATE_PARTS),
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    answers = (f" {answer}" * _ANSWER_REPEATS for answer in ANSWERS)
    bpe.train_from_iterator(chain((f" {text}" for text in texts), answers), trainer)
    # Matched before lower-casing and kept as they are written, so decoding gives the template back.
    bpe.add_tokens([AddedToken(part, normalized=False, special=False) for part in TEMPLATE_PARTS])
    _check(bpe, vocab_size)
    bpe.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, bpe.token_to_id(BOS))]
    )
    return bpe


def wrap(bpe: Tokenizer, *, context: int) -> PreTrainedTokenizerFast:
    """Return ``bpe`` as transformers knows tokenizers: special tokens named, padding on the right.

    Args:
        bpe: from ``fit_tokenizer``.
        context: ``model_max_length``, in tokens.
    """
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        padding_side="right",
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


def _check(bpe: Tokenizer, vocab_size: int) -> None:
    if bpe.get_vocab_size() != vocab_size:
        raise DataError(
            f"expected text enough for a vocabulary of {vocab_size}, came {bpe.get_vocab_size()} entries; "
            "give more text or a smaller vocabulary"
        )
    split = [answer for answer in ANSWERS if len(bpe.encode(f" {answer}").ids) != 1]
    if split:
        raise DataError(
            f"expected every answer to be one token, came several for {', '.join(split)}; "
            f"a vocabulary of {vocab_size} is too small"
        )
