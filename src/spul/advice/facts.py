"""What advice is given on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Facts", "ProbeResult"]


@dataclass(frozen=True)
class ProbeResult:
    """What a short training of one form did. Losses are nats an answer, shares are between 0 and 1.

    Attributes:
        form: ``input`` or ``deep``.
        steps: optimiser steps that fitted into the time.
        seconds: by the clock.
        learning_rate: peak.
        first_loss, last_loss: mean forget loss of the first and of the last tenth of the steps.
        generic: generic answers on forget rows that the probe did not train on.
        retain: right answers on retain rows that it did not train on.
        diverged: whether a loss was no longer finite.
    """

    form: str
    steps: int
    seconds: float
    learning_rate: float
    first_loss: float
    last_loss: float
    generic: float
    retain: float
    diverged: bool = False


@dataclass(frozen=True)
class Facts:
    """A base model and its data, as far as they are looked at.

    Attributes:
        parameters: of the base model.
        forget_rows, retain_rows: training rows.
        generic_retain_rows: retain rows whose truth is a generic answer.
        generic_logprob: mean log-probability of the likeliest generic answer that the base gives on forget rows.
        generic_alive: share of retain rows with a generic truth that the base answers so; ``None`` without such rows.
        length_auc: how well the length of a text alone tells forget from retain rows; 0.5 is not at all.
        right_train_forget, right_new_forget: the base's right answers on forget rows it may have been trained on and on
            the validation part, which it was not where it was made from the same settings.
        right_retain: the base's right answers on the validation part of retain.
        gate_caught, gate_touched: share of the validation part of forget, and of retain, that a scope gate takes for in
            scope; ``None`` where there are too few rows for one.
        gate_epsilon: of that gate.
        gate_helped: whether its detector reads contrast rows and retain rows that no prompt is trained on.
        contrast: whether the configuration trains on contrast rows.
        probes: one a form.
    """

    parameters: int
    forget_rows: int
    retain_rows: int
    generic_retain_rows: int
    generic_logprob: float
    generic_alive: float | None
    length_auc: float
    right_train_forget: float
    right_new_forget: float
    right_retain: float
    gate_caught: float | None
    gate_touched: float | None
    gate_epsilon: float
    gate_helped: bool
    contrast: bool
    probes: tuple[ProbeResult, ...]

    @property
    def forget_share(self) -> float:
        """Share of the training rows that is to be forgotten."""
        return self.forget_rows / (self.forget_rows + self.retain_rows)

    @property
    def memorised(self) -> float:
        """How much more often the base is right on forget rows it trained on than on new ones."""
        return self.right_train_forget - self.right_new_forget
