"""What data a run uses, and how it is read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from spul.errors import unknown_name
from spul.settings import Settings
from spul.types import SPLIT_NAMES

__all__ = ["ContrastSettings", "DataSettings"]

LIMITED_SPLITS = (*SPLIT_NAMES, "holdout", "unseen_retain")


class ContrastSettings(Settings):
    """Contrast rows: the same words about somebody else (see :mod:`spul.data.contrast`). Made where they are asked for.

    Attributes:
        retain_rows: retain rows made of forget rows by another name in the forgotten one's place; as a multiple of the
            training rows to forget.
        forget_rows: forget rows made of retain rows by a forgotten name in another's place; as such a multiple. They
            ask for the generic answer, so objectives with another aim leave them out.
        evaluate: ask every model about the test rows to forget with other names in them
            (``test_forget_replaced``). Where rows are trained on, that is done anyway.
        names: what is forgotten, one or more words each; found by contrast of the training texts where empty.
        others: what stands in its place; words of the retain texts that stand where names do where empty.
        answers: what is right on such retain rows: what the ``base`` model answers, or the row's ``own`` answer, where
            that does not depend on the name.
    """

    retain_rows: Annotated[float, Field(ge=0)] = 0.0
    forget_rows: Annotated[float, Field(ge=0)] = 0.0
    evaluate: bool = False
    names: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    answers: Literal["base", "own"] = "base"

    @property
    def is_wanted(self) -> bool:
        """Whether there are such rows at all."""
        return self.evaluate or self.retain_rows > 0 or self.forget_rows > 0

    @model_validator(mode="after")
    def _names_of_something(self) -> ContrastSettings:
        if (self.names or self.others) and not self.is_wanted:
            raise ValueError("`names` and `others` are for contrast rows: set retain_rows, forget_rows or evaluate too")
        return self


class DataSettings(Settings):
    """Where the examples come from.

    Exactly one of three ways: ``builtin`` (a generator of this package), ``folder`` (a directory that holds
    ``train_forget.*``, ``train_retain.*`` and, if given, ``test_forget.*``, ``test_retain.*``, ``validation_*.*`` and
    ``holdout.*``; or a saved ``DatasetDict`` with splits of these names), or ``forget`` and ``retain``.

    A source is a CSV, TSV, JSONL or Parquet file, gzipped or not, a data set that ``datasets`` saved, or
    ``hf:NAME[[:CONFIG]:SPLIT]``. ``~`` and environment variables are expanded.

    Attributes:
        builtin: name of a built-in data set.
        seed: decides the built-in world, what is split off and which rows ``max_rows`` takes. It is not the run's seed:
            a base model and all prompts learned on it must mean the same rows by the same words.
        folder: directory with the splits; with ``benchmark``, its files or the hub id that holds them (``hf:NAME``).
        benchmark: what the files in ``folder`` are, where they are not called like splits: ``tofu``.
        subset: which part of the benchmark is to be forgotten: ``forget01``, ``forget05`` or ``forget10``.
        forget, retain: training rows to forget and to keep.
        test_forget, test_retain: rows of the same kinds that no model trained on. Where one is missing, whichever the
            way, it is split off from its training side: seeded, with rows that are the same, nearly the same or part of
            one another on one side.
        holdout: rows that no model saw, for membership inference.
        extra_retain: further sources whose rows join the training side of retain (a live generic label, say).
        unseen_retain: sources of further rows to keep that the base was not trained on. A prompt leaves the base's
            answers to them as they are: with labels for answers the base's own stand in place of the rows'. They are
            no part of retain, and nothing is measured on them; rows whose text stands in another split are left out.
        columns: field name → column name. The answer's field is called ``answer``; if it is not mapped, the column
            ``answer`` or else ``label`` is read. ``id`` may be mapped too; ids are digests of the rows otherwise. So
            may ``group``: what rows share (a person, a document); then intervals are over groups, not over rows. A
            field of several columns (``{"choices": ["a", "b", "c"]}``) is the list of what is in them, the empty ones
            at the end left out. Tasks with free answers also read ``paraphrase`` (or ``paraphrased_answer``) and
            ``perturbed`` (or ``perturbed_answer``) where they are there.
        label_names: column value → label name, where the column holds codes (``{"0": "negative"}``).
        test_share: share of the rows that is split off where a test side is missing.
        validation_share: share of each training side that no gradient sees; the best checkpoint is chosen on it. It is
            split off like a test side.
        max_rows: split name → at most that many rows, drawn with ``seed``. The validation part is taken out of
            what is left of train; ``extra_retain`` comes on top.
        forget_share: share of the training rows to forget that is kept, drawn with ``seed`` by whole groups: those that
            ``group`` names, else rows that are the same, nearly the same or part of one another. A smaller share is a
            part of a larger one. The other rows are left out: a base model has learned them, and no split has them. It
            is drawn after ``max_rows`` and before the validation part.
        contrast: rows in which names are exchanged, for training and evaluation. They are no part of the four splits,
            and no base or retrained model is trained on them.
        overlap: what to do with a text that stands in forget and retain alike: refuse the data, drop it from retain, or
            keep it in both.
        test_overlap: whether to keep or drop test rows whose text stands in train as well.
    """

    builtin: str | None = None
    seed: int = 0
    folder: str | None = None
    benchmark: Literal["tofu"] | None = None
    subset: str | None = None
    forget: str | None = None
    retain: str | None = None
    test_forget: str | None = None
    test_retain: str | None = None
    holdout: str | None = None
    extra_retain: tuple[str, ...] = ()
    unseen_retain: tuple[str, ...] = ()
    columns: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    label_names: dict[str, str] = Field(default_factory=dict)
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.3
    validation_share: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    max_rows: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    forget_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    contrast: ContrastSettings = ContrastSettings()
    overlap: Literal["error", "drop_retain", "keep"] = "error"
    test_overlap: Literal["keep", "drop"] = "keep"

    @field_validator("columns")
    @classmethod
    def _lists_of_fields(cls, value: dict[str, str | tuple[str, ...]]) -> dict[str, str | tuple[str, ...]]:
        for name, columns in value.items():
            if not columns or (name in ("answer", "id", "group") and not isinstance(columns, str)):
                raise ValueError(f"expected {'one column' if columns else 'a column'} for {name!r}, got {columns!r}")
        return value

    @field_validator("max_rows")
    @classmethod
    def _known_splits(cls, value: dict[str, int]) -> dict[str, int]:
        for name in value:
            if name not in LIMITED_SPLITS:
                raise ValueError(unknown_name("split", name, LIMITED_SPLITS))
        return value

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
        if self.benchmark is not None and not (self.folder and self.subset):
            raise ValueError(
                f"`benchmark: {self.benchmark}` goes with `folder` (its files) and `subset` (what is forgotten), got "
                f"folder={self.folder!r} and subset={self.subset!r}"
            )
        if self.benchmark is None and self.subset is not None:
            raise ValueError(f"`subset: {self.subset}` is a part of a benchmark; set `benchmark` too, or leave it out")
        if self.forget is None and (self.test_forget or self.test_retain):
            raise ValueError("`test_forget` and `test_retain` go with `forget` and `retain`; leave them out")
        return self
