"""Whether a prompt stands in front of every query or only in front of those in its scope."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from spul.settings import Settings

__all__ = ["ScopeSettings"]


class ScopeSettings(Settings):
    """The scope gate: a detector of in-scope queries decides whether the prompt is applied.

    ``scope: gate`` is short for ``scope: {name: gate}``.

    Attributes:
        name: ``gate``, or ``none`` for a prompt in front of every query.
        detector: registered detector of in-scope queries (``spul list scopes``).
        epsilon: at most that share of retain queries is touched, in expectation over calibration rows and query.
        calibration: source of retain queries like those that will be asked; the threshold is set on them, and no
            detector learns on them. Where missing, a part of the retain rows is held out for it.
        calibration_share: share of the retain rows that is held out where there is no ``calibration``. Rows that are
            parts of one another, or of one forget row, stay together, as in every split.
        retain: further sources of retain rows for the detector and its calibration; no model is trained on them.
        fields: the example's fields that the detector reads; all of the template's where empty. It never sees the text
            around them.
        embedder: a sentence-transformers model, for the detector ``embeddings``.
        seed: which rows are held out.
    """

    name: Literal["none", "gate"] = "none"
    detector: str = "token_max"
    epsilon: Annotated[float, Field(gt=0, lt=1)] = 0.02
    calibration: str | None = None
    calibration_share: Annotated[float, Field(gt=0, lt=1)] = 0.25
    retain: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    embedder: str = "sentence-transformers/all-MiniLM-L6-v2"
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, values: Any) -> Any:
        return {"name": values} if isinstance(values, str) else values

    @model_validator(mode="after")
    def _set_for_a_gate(self) -> ScopeSettings:
        changed = [name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default]
        if self.name == "none" and changed:
            raise ValueError(f"`{changed[0]}` is a gate's setting, and there is no gate; set scope.name=gate")
        return self
