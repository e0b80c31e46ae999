"""What data a run uses, and how it is read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from spul.settings import Settings

__all__ = ["DataSettings"]


class DataSettings(Settings):
    """Where the examples come from.

    Exactly one of three ways: ``builtin`` (a generator of this package), ``folder`` (a directory that holds
    ``train_forget.*`` … ``test_retain.*``), or ``forget`` and ``retain`` (a file or a Hugging Face data set each).

    Attributes:
        builtin: name of a built-in data set.
        builtin_seed: which world the built-in generator makes.
        folder: directory with the four splits; environment variables and ``~`` are expanded.
        forget, retain: training rows to forget and to keep.
        test_forget, test_retain: rows of the same kinds that no model trained on; split off from ``forget`` and
            ``retain`` where missing (seeded, near-duplicates kept on one side).
        holdout: rows that no model saw, for membership inference.
        extra_retain: further files whose rows join the training side of retain (a live generic label, say).
        columns: field name → column name; the answer's field is called ``answer``.
        label_names: column value → label name, where the column holds codes (``{"0": "negative"}``).
        test_share: share of the rows that is split off where a test side is missing.
        validation_share: share of each training side that no gradient sees; the best checkpoint is chosen on it.
        max_rows: split name → at most that many rows, drawn with the run's seed.
        overlap: what to do with a row that stands in forget and retain alike.
        test_overlap: what to do with a test row that stands in train as well.
    """

    builtin: str | None = None
    builtin_seed: int = 0
    folder: str | None = None
    forget: str | None = None
    retain: str | None = None
    test_forget: str | None = None
    test_retain: str | None = None
    holdout: str | None = None
    extra_retain: tuple[str, ...] = ()
    columns: dict[str, str] = Field(default_factory=dict)
    label_names: dict[str, str] = Field(default_factory=dict)
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.3
    validation_share: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    max_rows: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    overlap: Literal["error", "drop_retain"] = "error"
    test_overlap: Literal["keep", "drop"] = "keep"

    @model_validator(mode="after")
    def _one_source(self) -> DataSettings:
        ways = [bool(self.builtin), bool(self.folder), bool(self.forget or self.retain)]
        if sum(ways) != 1:
            raise ValueError(
                "expected exactly one source of data: `builtin`, `folder`, or `forget` together with `retain`; "
                f"got {sum(ways)} of them. Set one and leave the others out."
            )
        if (self.forget is None) != (self.retain is None):
            missing = "forget" if self.forget is None else "retain"
            raise ValueError(f"expected both `forget` and `retain`; `{missing}` is missing. Name its file.")
        return self
