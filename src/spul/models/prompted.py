"""The prompted forward pass: a frozen base model with virtual tokens around every row's text.

Those in front are the same for every row, so they are run once a step at batch size 1 (or are given, for a deep
prompt); their keys and values are expanded over the batch, and gradients flow through the expansion. Those behind the
text run with every row. Only the answer positions reach the output head. Rows are right-padded in training, so no row
ever looks at padding; generation pads on the left, ``[pad][prompt][text]``, with explicit positions and a mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from spul.data.batches import Batch
from spul.errors import ModelError
from spul.models.cache import expanded_cache
from spul.models.loading import pad_token_id
from spul.models.passes import AnswerLogits, Rows, answer_pass, front_pass
from spul.models.surroundings import Surroundings, insert_behind, text_lengths
from spul.prompts import PromptEncoder, PromptInit
from spul.types import AnswerScores, Query

__all__ = ["AnswerLogits", "PromptedModel", "WithoutPrompt"]


class PromptedModel(nn.Module):
    """A base model with a soft prompt, or with none.

    Args:
        base: causal language model of transformers; its weights are used, never copied.
        tokenizer: its tokenizer.
        encoder: makes the virtual tokens; without one this is the plain base model.
        batch_size: rows of one forward pass when scoring.
        chat: whether texts to continue go through the tokenizer's chat template as a user's message, as posed ones did.
    """

    def __init__(
        self,
        base: PreTrainedModel,
        tokenizer: PreTrainedTokenizerFast,
        encoder: PromptEncoder | None = None,
        *,
        batch_size: int = 64,
        chat: bool = False,
    ) -> None:
        super().__init__()
        self.base = base
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.batch_size = batch_size
        self.chat = chat
        self.pad_id = pad_token_id(tokenizer)
        self._enabled = True
        self._kept: _Kept | None = None
        if encoder is not None:
            self.freeze_base()

    def freeze_base(self) -> None:
        """Take the base model's weights out of training, and its dropout with them."""
        self.base.requires_grad_(False)
        self.base.eval()

    def train(self, mode: bool = True) -> PromptedModel:
        """Switch the trained part; a frozen base model stays in eval mode, so that its dropout stays off."""
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.base.parameters()):
            self.base.eval()
        return self

    def forward(self, batch: Batch, surroundings: Surroundings | None = None) -> AnswerLogits:
        """Return :meth:`answer_logits`."""
        return self.answer_logits(batch, surroundings)

    @property
    def device(self) -> torch.device:
        """Where the base model's weights are."""
        return self.base.device

    @property
    def num_virtual_tokens(self) -> int:
        """How many virtual tokens stand around a row's text right now; 0 without a prompt or with it disabled."""
        return self.encoder.num_virtual_tokens if self.encoder is not None and self._enabled else 0

    @contextmanager
    def prompt_disabled(self) -> Iterator[PromptedModel]:
        """Within the context this is the base model, bit for bit: the reference model, without a copy."""
        before, self._enabled = self._enabled, False
        try:
            yield self
        finally:
            self._enabled = before

    def surroundings(self) -> Surroundings:
        """Return the prompt, run once where it can be, with its graph; nothing where there is no prompt.

        Without gradients what was run is kept, and is run anew only when the virtual tokens or the base have changed.
        """
        if self.encoder is None or not self._enabled:
            return Surroundings()
        values = self.encoder().to(dtype=self.base.dtype, device=self.device)
        if torch.is_grad_enabled():
            return self._run_prompt(values)
        versions = sum(0 if weight.is_inference() else weight._version for weight in self.base.parameters())
        kept = self._kept
        if kept is None or kept.versions != versions or not torch.equal(kept.values, values):
            # Outside inference mode, so that what is kept may later stand in a graph.
            with torch.inference_mode(False), torch.no_grad():
                values = values.clone()
                kept = self._kept = _Kept(values, versions, self._run_prompt(values))
        return kept.surroundings

    def _run_prompt(self, values: Tensor) -> Surroundings:
        assert self.encoder is not None
        if self.encoder.level == "deep":
            return Surroundings(tuple((layer[0].unsqueeze(0), layer[1].unsqueeze(0)) for layer in values))
        front, behind = values[: self.encoder.num_front], values[self.encoder.num_front :]
        return Surroundings(
            front_pass(self.base, inputs_embeds=front.unsqueeze(0)) if len(front) else None,
            behind if len(behind) else None,
        )

    def extended(self, surroundings: Surroundings, ids: Int[Tensor, " n"]) -> Surroundings:
        """Return the prompt and, in front, tokens that every row begins with."""
        if len(ids) == 0:
            return surroundings
        p = surroundings.num_front
        positions = torch.arange(p, p + len(ids), device=ids.device).unsqueeze(0)
        cache = expanded_cache(surroundings.front, 1)
        return surroundings._replace(
            front=front_pass(self.base, cache, input_ids=ids.unsqueeze(0), position_ids=positions)
        )

    def answer_logits(self, batch: Batch, surroundings: Surroundings | None = None) -> AnswerLogits:
        """Return the logits that predict the batch's answer tokens.

        Args:
            batch: right-padded rows of prompt and answer, on this model's device.
            surroundings: all that stands around the rows, where it is at hand; else the prompt is computed.
        """
        around = self.surroundings() if surroundings is None else surroundings
        s = around.num_behind
        texts = text_lengths(batch.rows, batch.positions, len(batch)) if s else batch.lengths
        inputs = self.inputs(batch.input_ids, texts, around)
        # What stands behind a text moves all that predicts its answer: the last of it predicts the first token.
        return answer_pass(self.base, Rows(inputs, batch.lengths + s, batch.rows, batch.positions + s), around.front)

    @torch.inference_mode()
    def score(self, queries: Sequence[Query], answers: Sequence[Sequence[tuple[int, ...]]]) -> list[list[AnswerScores]]:
        """Score, for every query, each of its given answers by teacher forcing.

        Answers that share all but their last token share a row, so a task of one-token labels costs one row a query.

        Raises:
            ModelError: a logit is not finite.
        """
        from spul.models.scoring import score_answers

        return score_answers(self, queries, answers, batch_size=self.batch_size)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids, special tokens left out."""
        text = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        assert isinstance(text, str)
        return text

    def generate(
        self,
        texts: str | Sequence[str],
        *,
        max_new_tokens: int = 32,
        temperature: float = 0.0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> list[str]:
        """Continue each text under the prompt; greedy at temperature 0, else sampled from the given seed.

        A continuation ends before the end-of-sequence token and before any of the ``stop`` texts.

        Raises:
            DataError: a text is empty, or too long for the context with the prompt and the new tokens.
        """
        from spul.models.generation import generate

        batch = [texts] if isinstance(texts, str) else list(texts)
        return generate(
            self, batch, max_new_tokens=max_new_tokens, temperature=temperature, top_p=top_p, seed=seed, stop=stop
        )

    def complete(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> list[str]:
        """Continue every prompt (token ids, as posed) as :meth:`generate` does, in batches of ``batch_size``."""
        from spul.models.generation import complete

        return complete(
            self,
            prompts,
            batch_size=self.batch_size,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_p=top_p,
            stop=stop,
            seed=seed,
        )

    def continue_greedily(self, prompts: Sequence[Sequence[int]], *, max_new_tokens: int) -> list[tuple[int, ...]]:
        """Return the most probable continuation of every prompt as token ids, the end of the sequence left out."""
        from spul.models.generation import continue_greedily

        return continue_greedily(self, prompts, batch_size=self.batch_size, max_new_tokens=max_new_tokens)

    def prompt_init(self, text: str | None = None) -> PromptInit:
        """Return what the base model offers as a starting point for a prompt."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"] if text is not None else None
        embed = self.base.get_input_embeddings()
        with torch.no_grad():
            # Through the module, not its weight: some architectures scale there.
            rows = embed(torch.arange(self.base.config.get_text_config(decoder=True).vocab_size, device=self.device))
        return PromptInit(
            embeddings=rows.float().cpu(),
            text_ids=tuple(ids) if ids is not None else None,
            key_values=self._key_values_of_tokens,
            # Rows beyond the tokenizer fill the matrix up to a round size and were never trained.
            special_ids=frozenset([*self.tokenizer.all_special_ids, *range(len(self.tokenizer), len(rows))]),
        )

    @torch.no_grad()
    def _key_values_of_tokens(self, ids: Int[Tensor, " p"]) -> Float[Tensor, "layers 2 heads p head_dim"]:
        pairs = front_pass(self.base, input_ids=ids.to(self.device).unsqueeze(0))
        if len({key.shape for key, _ in pairs}) != 1:
            raise ModelError(
                f"a deep prompt needs keys and values of one shape in every layer; {type(self.base).__name__} has "
                f"{sorted({tuple(key.shape) for key, _ in pairs})}. Use an input-level prompt (direct, mlp, lstm)."
            )
        return torch.stack([torch.cat([key, value]) for key, value in pairs]).float().cpu()

    def inputs(
        self, input_ids: Int[Tensor, "B T"], lengths: Int[Tensor, " B"], around: Surroundings
    ) -> dict[str, Tensor]:
        """Return what the base model reads behind the front: token ids, or embeddings where something stands behind.

        Args:
            input_ids: right-padded rows.
            lengths: tokens of every row before its answer.
            around: the prompt.
        """
        if around.behind is None:
            return {"input_ids": input_ids}
        embeddings = self.base.get_input_embeddings()(input_ids)
        return {"inputs_embeds": insert_behind(embeddings, lengths, around.behind)}


class _Kept(NamedTuple):
    """A prompt that was run: its virtual tokens, how often the base had been changed, and what came of it."""

    values: Tensor
    versions: int
    surroundings: Surroundings


class WithoutPrompt:
    """The base model behind a prompted one: what is left when the prompt is removed. Shares the weights.

    Args:
        model: whose prompt is disabled for every call.
    """

    def __init__(self, model: PromptedModel) -> None:
        self._model = model

    def score(self, queries: Sequence[Query], answers: Sequence[Sequence[tuple[int, ...]]]) -> list[list[AnswerScores]]:
        """Score as :meth:`PromptedModel.score` does, without the prompt."""
        with self._model.prompt_disabled():
            return self._model.score(queries, answers)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids."""
        return self._model.decode(ids)

    def complete(self, prompts: Sequence[Sequence[int]], **how: Any) -> list[str]:
        """Continue every prompt as :meth:`PromptedModel.complete` does, without the soft prompt."""
        with self._model.prompt_disabled():
            return self._model.complete(prompts, **how)

    def continue_greedily(self, prompts: Sequence[Sequence[int]], *, max_new_tokens: int) -> list[tuple[int, ...]]:
        """Continue every prompt as :meth:`PromptedModel.continue_greedily` does, without the soft prompt."""
        with self._model.prompt_disabled():
            return self._model.continue_greedily(prompts, max_new_tokens=max_new_tokens)
