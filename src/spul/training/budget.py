"""Retain weights from a budget: what forgetting may cost is said in nats, and the weights follow from it.

Bhaila et al. 2025 leave the weights α and β to the user, and name weights from constraints in a footnote. Here the
problem is to minimise L_f subject to

    R(θ) − R(base) ≤ budget,

where R is the cross-entropy of the true answers of the validation part of retain, in nats per answer token: the sum
over all its rows' answer tokens, divided by their number. No gradient sees these rows. A multiplier λ takes the place
of the dual variable: L = L_f + λ·(α·L_r + β·L_kl), with the method's own α and β, so that their ratio stays. Between
steps of the optimiser, λ climbs the dual (:func:`ascended`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from spul.models.prompted import PromptedModel
from spul.stats import Resamples, percentile_interval
from spul.types import Query

__all__ = ["BUDGET_FACT", "AnswerLoss", "BudgetOutcome", "RetainBudget", "answer_loss", "ascended", "rank"]

BUDGET_FACT = "retain_budget"
"""Key of the manifest's facts under which the :class:`BudgetOutcome` stands."""

STEP = math.log(2)
"""Most that the multiplier's logarithm moves at one check: it doubles, or halves."""
BOUNDS = (1e-2, 1e2)
"""The multiplier stays within: beyond, one side of the loss drowns the other in rounding and in the clipped norm."""
CHECKS = 50
"""Checks of a run where the settings do not say how many steps lie between two."""


class AnswerLoss(NamedTuple):
    """The loss of the true answers of some rows: nats of every row, and its answer tokens."""

    nats: Float[np.ndarray, " n"]
    tokens: Float[np.ndarray, " n"]

    @property
    def per_token(self) -> float:
        """The sum of the nats over the sum of the tokens."""
        return float(self.nats.sum() / self.tokens.sum())


@dataclass(frozen=True)
class BudgetOutcome:
    """What became of a budget; losses are nats per answer token on ``validation_retain``.

    Attributes:
        budget: the most by which the loss may rise.
        base_loss: of the model that training started from.
        loss: of what is kept.
        rise: the difference of the two, with its 95 % bootstrap interval over rows (null where all resamples agree).
        within: whether the rise is at most the budget.
        multiplier: λ at the end.
        n, tokens: rows and answer tokens behind the losses.
    """

    budget: float
    base_loss: float
    loss: float
    rise: float
    low: float | None
    high: float | None
    within: bool
    multiplier: float
    n: int
    tokens: int

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self)


def answer_loss(model: PromptedModel, queries: Sequence[Query]) -> AnswerLoss:
    """Return the loss of the true answers, with dropout off; the model is in its former mode then."""
    was_training = model.training
    model.eval()
    scores = model.score(queries, [[query.answer_ids] for query in queries])
    model.train(was_training)
    nats = np.array([-sum(answer.logprobs) for (answer,) in scores])
    return AnswerLoss(nats, np.array([len(query.answer_ids) for query in queries], dtype=np.float64))


def ascended(multiplier: float, excess: float, budget: float) -> float:
    """Return the multiplier after one step of dual ascent.

    The step is taken in the logarithm, with the excess in units of the budget and cut at ±1: so no scale of losses has
    to be known, λ stays positive, and an excess of hundreds of budgets, as of a prompt that has just begun, does not
    throw it far beyond what will be needed.

    Args:
        multiplier: λ.
        excess: measured rise of the loss minus the budget, in nats per token.
        budget: in nats per token, positive.
    """
    low, high = BOUNDS
    return min(high, max(low, multiplier * math.exp(STEP * min(1.0, max(-1.0, excess / budget)))))


def rank(score: float, excess: float | None) -> float:
    """Return by what validations are compared: those within the budget by their score, above all others.

    Of those beyond it the one that is least beyond is best. Without a budget it is the score.
    """
    return score if excess is None or excess <= 0 else -excess


@dataclass(eq=False)
class RetainBudget(TrainerCallback):
    """Measures the excess every few steps and moves the multiplier.

    Attributes:
        model: what is trained.
        queries: the validation part of retain.
        budget: in nats per answer token.
        every: steps between two checks.
        base: loss of the model that training starts from.
        multiplier: λ of the coming step; checkpoints keep it.
        last_excess: of the check after the present step, if there was one.
    """

    model: PromptedModel
    queries: Sequence[Query]
    budget: float
    every: int
    base: AnswerLoss
    multiplier: float = 1.0
    last_excess: float | None = field(default=None, init=False)

    @classmethod
    def of(
        cls, model: PromptedModel, queries: Sequence[Query], budget: float, *, every: int | None, num_steps: int
    ) -> RetainBudget:
        """Take the model as it stands, without its prompt if it has one, as what the budget is counted from."""
        with model.prompt_disabled():
            base = answer_loss(model, queries)
        return cls(model, queries, budget, every or max(1, num_steps // CHECKS), base)

    def excess(self) -> float:
        """Return by how many nats per answer token the model is beyond the budget now; negative within it."""
        return answer_loss(self.model, self.queries).per_token - self.base.per_token - self.budget

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Check, and move the multiplier."""
        self.last_excess = None
        if state.global_step % self.every == 0:
            self.last_excess = self.excess()
            self.multiplier = ascended(self.multiplier, self.last_excess, self.budget)

    def outcome(self, resamples: int, seed: int) -> BudgetOutcome:
        """Return what the model as it stands has become of the budget."""
        now = answer_loss(self.model, self.queries)
        rise = now.per_token - self.base.per_token
        drawn = Resamples(len(self.queries), resamples, np.random.default_rng(seed))
        nats, tokens = drawn.means(np.stack([now.nats - self.base.nats, now.tokens], axis=1)).T
        interval = percentile_interval(nats / tokens)
        low, high = interval if interval is not None else (None, None)
        return BudgetOutcome(
            budget=self.budget,
            base_loss=self.base.per_token,
            loss=now.per_token,
            rise=rise,
            low=low,
            high=high,
            within=rise <= self.budget,
            multiplier=self.multiplier,
            n=len(self.queries),
            tokens=int(now.tokens.sum()),
        )
