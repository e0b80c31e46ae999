"""One answer in the making: which token comes next, what of it can be shown already, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from spul.models.generation import choose

__all__ = ["Echo", "Finish", "Piece", "Row", "Sampling", "TokenScore", "token_names"]

Finish = Literal["stop", "length"]
UNFINISHED = "�"
"""What a tokenizer decodes a part of a character to."""


@dataclass(frozen=True)
class Sampling:
    """How an answer is written.

    Attributes:
        max_tokens: most new tokens.
        temperature: 0 is greedy.
        top_p: share of the probability that is drawn from.
        seed: of this row's own random numbers; rows beside it do not matter.
        stop: the answer ends before any of these texts.
        top_logprobs: how many of the likeliest tokens are reported beside each; ``None`` reports nothing.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    top_logprobs: int | None = None


@dataclass(frozen=True)
class Echo:
    """A text that stands in front of the answers to it.

    Attributes:
        text: as it came.
        offsets: where each of its own tokens begins in it, in characters. What a tokenizer puts in front of them (BOS)
            and the virtual tokens are not among them.
    """

    text: str
    offsets: tuple[int, ...]


@dataclass(frozen=True)
class TokenScore:
    """A token that was read or written, with the model's own log-probabilities (natural, at temperature 1).

    Attributes:
        token: its text.
        logprob: its log-probability; ``None`` for the first token of a text that was read.
        top: the likeliest tokens there, by text.
        offset: where it begins in the answer, in characters.
    """

    token: str
    logprob: float | None
    top: tuple[tuple[str, float], ...]
    offset: int


@dataclass(frozen=True)
class Piece:
    """More of an answer.

    Attributes:
        text: what can be shown now.
        tokens: how many tokens were written since the last piece.
        scores: of the tokens that are shown now, where they were asked for.
        finish: why the answer ended, with the last piece.
    """

    text: str
    tokens: int
    scores: tuple[TokenScore, ...] = ()
    finish: Finish | None = None


@dataclass
class Row:
    """The state of one answer.

    Text that may be the beginning of a stop text, and bytes that are no whole character yet, are held back.

    Args:
        tokenizer: decodes.
        sampling: how it is written.
        ends: tokens that end an answer.
        begins: characters that stand in front of the answer.
    """

    tokenizer: PreTrainedTokenizerFast
    sampling: Sampling
    ends: frozenset[int]
    begins: int = 0
    text: str = ""
    _ids: list[int] = field(default_factory=list)
    _from: int = 0
    _read: int = 0
    _shown: int = 0
    _unreported: int = 0
    _scores: list[TokenScore] = field(default_factory=list)
    _generator: torch.Generator | None = None

    def choose(self, logits: Float[Tensor, " V"]) -> int:
        """Return the next token."""
        sampling = self.sampling
        if sampling.temperature == 0:
            return int(logits.argmax())
        if self._generator is None:
            self._generator = torch.Generator(device=logits.device).manual_seed(sampling.seed)
        return int(choose(logits.unsqueeze(0), sampling.temperature, sampling.top_p, self._generator))

    def accept(self, token: int, logits: Float[Tensor, " V"]) -> Piece | None:
        """Take a token that was chosen; return what can be shown now, ``None`` where that is nothing.

        After a piece with a ``finish`` no further token is taken.
        """
        self._unreported += 1
        ended = token in self.ends
        # The token that ends an answer has no text, but a log-probability as the others have.
        if self.sampling.top_logprobs is not None:
            self._scores.append(self._score(token, logits))
        if not ended:
            self._ids.append(token)
        full = len(self._ids) >= self.sampling.max_tokens
        self._decode(all_of_it=ended or full)
        cut = self._stop_at()
        if cut is not None:
            self.text = self.text[:cut]
            self._scores = [score for score in self._scores if score.offset < cut]
            return self._piece("stop")
        return self._piece("stop" if ended else "length" if full else None)

    def _decode(self, *, all_of_it: bool) -> None:
        """Append what the last tokens add to the text; some tokenizers decode a token by those before it."""
        before = self.tokenizer.decode(self._ids[self._from : self._read], skip_special_tokens=True)
        now = self.tokenizer.decode(self._ids[self._from :], skip_special_tokens=True)
        assert isinstance(before, str) and isinstance(now, str)
        if len(now) > len(before) and (all_of_it or not now.endswith(UNFINISHED)):
            self.text += now[len(before) :]
            self._from, self._read = self._read, len(self._ids)

    def _stop_at(self) -> int | None:
        found = [at for mark in self.sampling.stop if (at := self.text.find(mark)) >= 0]
        return min(found) if found else None

    def _held_back(self) -> int:
        """Return how many characters at the end may be the beginning of a stop text."""
        most = max((len(mark) for mark in self.sampling.stop), default=1) - 1
        for length in range(min(most, len(self.text)), 0, -1):
            if any(len(mark) > length and self.text.endswith(mark[:length]) for mark in self.sampling.stop):
                return length
        return 0

    def _piece(self, finish: Finish | None) -> Piece | None:
        until = len(self.text) if finish else len(self.text) - self._held_back()
        text = self.text[self._shown : until]
        if not text and finish is None:
            return None
        self._shown = until
        ready = [score for score in self._scores if finish or score.offset < until]
        self._scores = self._scores[len(ready) :]
        tokens, self._unreported = self._unreported, 0
        shown = (replace(score, offset=score.offset + self.begins) for score in ready)
        return Piece(text, tokens, tuple(shown), finish)

    def _score(self, token: int, logits: Float[Tensor, " V"]) -> TokenScore:
        logprobs = torch.log_softmax(logits.float(), dim=-1)
        best = logprobs.topk(min(self.sampling.top_logprobs or 0, len(logprobs)))
        top = zip(token_names(self.tokenizer, best.indices.tolist()), best.values.tolist(), strict=True)
        (name,) = token_names(self.tokenizer, [token])
        return TokenScore(name, float(logprobs[token]), tuple(top), len(self.text))


def token_names(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> list[str]:
    """Return the text of each token by itself."""
    return [str(tokenizer.decode([i])) for i in ids]
