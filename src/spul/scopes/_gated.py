"""The prompt for queries in its scope, the base model for all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spul.data.templates import Template
from spul.models.prompted import PromptedModel
from spul.scopes.gate import Gate
from spul.types import AnswerScores, Query

__all__ = ["GatedModel"]


@dataclass(frozen=True)
class GatedModel:
    """A prompted model behind a scope gate.

    A query out of scope gets the base model's answer bit for bit: what :class:`~spul.models.prompted.WithoutPrompt` and
    :meth:`~spul.models.prompted.PromptedModel.prompt_disabled` give when asked the same queries in the same call. So in
    a call with queries of both kinds the base model runs on all of them; where all are of one kind, nothing runs twice.

    Attributes:
        model: the prompted model.
        gate: decides.
        template: around the text that the gate reads, in what is generated from.
    """

    model: PromptedModel
    gate: Gate
    template: Template

    def score(self, queries: Sequence[Query], answers: Sequence[Sequence[tuple[int, ...]]]) -> list[list[AnswerScores]]:
        """Score as the prompted model does in scope, and as the base model does out of it."""
        inside = self.gate.in_scope([self._text_of(query) for query in queries])
        scores: list[list[AnswerScores]] = [[] for _ in queries]
        if not all(inside):
            with self.model.prompt_disabled():
                scores = self.model.score(queries, answers)
        chosen = [i for i, within in enumerate(inside) if within]
        prompted = self.model.score([queries[i] for i in chosen], [answers[i] for i in chosen]) if chosen else []
        for i, row in zip(chosen, prompted, strict=True):
            scores[i] = row
        return scores

    def generate(self, texts: str | Sequence[str], **options: Any) -> list[str]:
        """Continue each text, under the prompt where it is in scope.

        Args:
            texts: what a user would send. The gate reads what stands in the template's fields; a text that does not
                have the template's form, it reads whole.
            options: as of :meth:`spul.models.prompted.PromptedModel.generate`.
        """
        batch = [texts] if isinstance(texts, str) else list(texts)
        return self._written(batch, self.in_scope(batch), self.model.generate, options)

    def complete(self, prompts: Sequence[Sequence[int]], **options: Any) -> list[str]:
        """Continue every prompt (token ids), under the soft prompt where it is in scope; the gate reads its text.

        Args:
            prompts: as posed; of a document that was cut, the gate reads what is left.
            options: as of :meth:`spul.models.prompted.PromptedModel.complete`.
        """
        inside = self.in_scope([self.decode(ids) for ids in prompts])
        return self._written(prompts, inside, self.model.complete, options)

    def _written(
        self, batch: Sequence[Any], inside: Sequence[bool], write: Callable[..., list[str]], options: Mapping[str, Any]
    ) -> list[str]:
        out = [""] * len(batch)
        if not all(inside):
            with self.model.prompt_disabled():
                out = write(list(batch), **options)
        chosen = [i for i, within in enumerate(inside) if within]
        prompted = write([batch[i] for i in chosen], **options) if chosen else []
        for i, text in zip(chosen, prompted, strict=True):
            out[i] = text
        return out

    def in_scope(self, texts: Sequence[str]) -> list[bool]:
        """Return for which of the texts that a user would send the prompt is applied."""
        return self.gate.in_scope([self._inner(text) for text in texts])

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids."""
        return self.model.decode(ids)

    def _text_of(self, query: Query) -> str:
        return self.gate.text(query.fields) if query.fields else self._inner(self.decode(query.prompt_ids))

    def _inner(self, text: str) -> str:
        fields = self.template.read_prompt(text)
        return text if fields is None or not set(self.gate.fields) <= fields.keys() else self.gate.text(fields)
