"""Samples from files: a run's own, and those that other tools wrote. The schema is in docs/samples.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import Field, StrictBool, ValidationError, model_validator

from spul.errors import DataError, RunError
from spul.runs import Run
from spul.settings import Settings
from spul.types import Continuation, FreeText, Sample, Wording

__all__ = ["SampleRow", "read_places", "with_retrained"]

SUFFIX = ".jsonl"
OWN = "samples.jsonl"
LogProb = Annotated[float, Field(le=1e-6, allow_inf_nan=False)]
"""In nats; a rounding above 0 is let pass."""


TokenId = Annotated[int, Field(ge=0)]


class WordingRow(Settings):
    """An answer in other words, or a false one: its summed log-probability and its tokens."""

    logprob: LogProb
    num_tokens: Annotated[int, Field(ge=1)]


class ContinuationRow(Settings):
    """What follows the first ``shown`` tokens of a text, as token ids."""

    shown: Annotated[int, Field(ge=1)]
    ids: tuple[TokenId, ...]


class SampleRow(Settings):
    """One line of a file of samples.

    Attributes:
        schema_version: of this format.
        model, split: where the sample belongs, in a file that holds several; else the file's path says it.
        id: the example's; the same in every file that is about it.
        answer: the true answer.
        generated: what the model wrote.
        token_logprobs: natural-log probability of every token of the true answer, teacher-forced.
        token_hits: whether the arg-max at that position is that token.
        ends: whether the last of these tokens is the end of the sequence.
        logprob, num_tokens: their sum and number, where the single tokens are not at hand.
        paraphrase: the true answer in other words.
        perturbed: false answers.
        context_hits: ``token_hits`` of the prompt's tokens after its first.
        text_ids: the tokens of the whole text, prompt and answer, of a text's own continuation.
        continuations: what the model goes on with after the first ``shown`` of these tokens, greedily.
        similarity: cosine of the embeddings of ``generated`` and ``answer``.
        prediction: the answer read from the model, where it is one of the generic ones or the truth.
        candidate_logprobs: summed log-probability of the generic answers.
        input_tokens: length of the prompt.
        group: what the example shares with others (a person), for intervals.
    """

    schema_version: Literal[1] = 1
    model: Annotated[str, Field(pattern=r"^[^/]+$")] | None = None
    split: Annotated[str, Field(pattern=r"^[^/]+$")] | None = None
    id: Annotated[str, Field(min_length=1)]
    answer: str
    generated: str | None = None
    token_logprobs: tuple[LogProb, ...] | None = None
    token_hits: tuple[StrictBool, ...] | None = None
    ends: StrictBool = False
    logprob: LogProb | None = None
    num_tokens: Annotated[int, Field(ge=1)] | None = None
    paraphrase: WordingRow | None = None
    perturbed: tuple[WordingRow, ...] = ()
    context_hits: tuple[StrictBool, ...] | None = None
    text_ids: tuple[TokenId, ...] | None = None
    continuations: tuple[ContinuationRow, ...] = ()
    similarity: Annotated[float, Field(ge=-1.000001, le=1.000001)] | None = None
    prediction: str | None = None
    candidate_logprobs: Mapping[str, LogProb] = Field(default_factory=dict)
    input_tokens: Annotated[int, Field(ge=0)] = 0
    group: str = ""

    @model_validator(mode="after")
    def _hangs_together(self) -> SampleRow:
        if not self.answer.strip():
            raise ValueError(f"expected the true answer in `answer`, got {self.answer!r}")
        lists = [each for each in (self.token_logprobs, self.token_hits) if each is not None]
        counts = {*map(len, lists), *([self.num_tokens] if self.num_tokens is not None else [])}
        if len(counts) > 1 or 0 in counts:
            raise ValueError(
                f"token_logprobs, token_hits, num_tokens: expected as many each, at least one; got {sorted(counts)}"
            )
        if any(each.shown >= len(self.text_ids or ()) for each in self.continuations):
            raise ValueError("`continuations` need `text_ids` beside them, more than any of them shows")
        if self.logprob is not None and not counts:
            raise ValueError("`logprob` needs `num_tokens` beside it")
        if self.logprob is not None and self.token_logprobs is not None:
            raise ValueError("expected `token_logprobs` or their sum as `logprob`, got both; leave out `logprob`")
        return self

    def sample(self) -> Sample:
        """Return the sample."""
        tokens = self.token_logprobs if self.token_logprobs is not None else self.token_hits
        paraphrase = self.paraphrase
        return Sample(
            id=self.id,
            answer=self.answer,
            prediction=self.prediction,
            prediction_text=self.generated or "",
            restricted_prediction=None,
            logprob=self.logprob if self.token_logprobs is None else sum(self.token_logprobs),
            num_tokens=self.num_tokens or len(tokens or ()),
            candidate_logprobs=self.candidate_logprobs,
            input_tokens=self.input_tokens,
            group=self.group,
            text=FreeText(
                token_logprobs=self.token_logprobs,
                token_hits=self.token_hits,
                ends=self.ends,
                generated=self.generated,
                paraphrase=None if paraphrase is None else Wording(paraphrase.logprob, paraphrase.num_tokens),
                perturbed=tuple(Wording(each.logprob, each.num_tokens) for each in self.perturbed),
                context_hits=self.context_hits,
                text_ids=self.text_ids,
                continuations=tuple(Continuation(each.shown, each.ids) for each in self.continuations),
                similarity=self.similarity,
            ),
        )


def read_places(path: Path) -> dict[str, list[Sample]]:
    """Return samples by ``<model>/<split>``.

    Args:
        path: a file whose rows name their model and split; or a directory with ``<model>/<split>.jsonl`` or
            ``<model>/<split>/samples.jsonl`` (a run's ``eval``, or the run itself).

    Raises:
        DataError: there is no such file, or a row does not read, is there twice or is of another schema version.
        RunError: a run directory is incomplete, changed, or of another schema version.
    """
    if path.is_file():
        return _checked(_read(path, None), path)
    if not path.is_dir():
        raise DataError(f"expected a run directory, a directory or a file of samples at {path}; there is none")
    if (path / "manifest.json").is_file():
        # Its schema version, and that its files are the ones it names.
        Run.open(path)
    root = path / "eval" if (path / "eval").is_dir() else path
    files = {str(file.relative_to(root).with_suffix("")): file for file in sorted(root.glob(f"*/*{SUFFIX}"))}
    files |= {str(file.parent.relative_to(root)): file for file in sorted(root.glob(f"*/*/{OWN}"))}
    if not files:
        raise DataError(f"expected MODEL/SPLIT{SUFFIX} or MODEL/SPLIT/{OWN} in {root}, found neither")
    found: dict[str, list[Sample]] = {}
    for where, file in files.items():
        found |= _checked(_read(file, where), file)
    return found


def with_retrained(
    samples: Mapping[str, Sequence[Sample]], others: Mapping[str, Sequence[Sample]]
) -> dict[str, Sequence[Sample]]:
    """Return the samples with another model's beside them as the retrained model.

    Args:
        samples: by ``<model>/<split>``.
        others: of the model called ``retrained``, or of one model under another name.

    Raises:
        DataError: the samples have a retrained model already, the others are several models, or the two are about
            different examples on a split that both have.
    """
    models = sorted({where.partition("/")[0] for where in others})
    name = "retrained" if "retrained" in models else models[0]
    if name != "retrained" and len(models) > 1:
        raise DataError(f"expected samples of the retrained model alone, or under the name retrained, got {models}")
    if any(where.startswith("retrained/") for where in samples):
        raise DataError("the samples have a retrained model of their own; leave out --retrained")
    out = dict(samples)
    for where, theirs in others.items():
        model, _, split = where.partition("/")
        if model != name:
            continue
        for mine in (rows for place, rows in samples.items() if place.partition("/")[2] == split):
            _same_examples(split, mine, theirs)
        ours = next((rows for place, rows in samples.items() if place.partition("/")[2] == split), theirs)
        # In one order, so that what is drawn of one model is drawn of the other.
        by_id = {sample.id: sample for sample in theirs}
        out[f"retrained/{split}"] = [by_id[sample.id] for sample in ours]
    return out


def _same_examples(split: str, ours: Sequence[Sample], theirs: Sequence[Sample]) -> None:
    mine, others = ({sample.id: sample.answer for sample in rows} for rows in (ours, theirs))
    if mine != others:
        differ = sorted({*mine.items()} ^ {*others.items()})
        raise DataError(
            f"expected both models to be scored on the same examples of {split}, but {len(mine)} and {len(others)} "
            f"differ, in {differ[0]} for one; score both on the same rows, with the same ids"
        )


def _read(file: Path, where: str | None) -> list[tuple[str, Sample]]:
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}") from error
    return [_row(line, where, f"{file}, line {i}") for i, line in enumerate(lines, start=1) if line.strip()]


def _row(line: str, where: str | None, place: str) -> tuple[str, Sample]:
    try:
        values = json.loads(line, parse_constant=lambda name: _refuse(name, place))
    except json.JSONDecodeError as error:
        raise DataError(f"{place}: expected a JSON object, got {line[:60]!r}: {error.msg}") from error
    if not isinstance(values, dict):
        raise DataError(f"{place}: expected a JSON object, got {line[:60]!r}")
    if where is not None and "prediction_text" in values:
        return where, _own(values, place)
    try:
        row = SampleRow.model_validate(values)
    except ValidationError as error:
        raise DataError(f"{place}: {_explained(error)} (the schema is in docs/samples.md)") from error
    if where is None:
        if row.split is None:
            raise DataError(f"{place}: expected `split` in every row of a single file, as its path does not say it")
        return f"{row.model or 'unlearned'}/{row.split}", row.sample()
    named = tuple(where.split("/"))
    if any(given not in (None, said) for given, said in zip((row.model, row.split), named, strict=True)):
        raise DataError(f"{place}: the row says {row.model}/{row.split}, and the file's path {where}; make them agree")
    return where, row.sample()


def _own(values: dict[str, Any], place: str) -> Sample:
    try:
        return Sample.from_json(values)
    except (TypeError, ValueError) as error:
        raise DataError(f"{place}: {error}; evaluate the run again") from error


def _refuse(name: str, place: str) -> NoReturn:
    raise DataError(f"{place}: {name} is no number of JSON; leave out what was not measured")


def _explained(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return f"{key}: {message}, got {str(first['input'])[:60]!r}" if key else message


def _checked(rows: Sequence[tuple[str, Sample]], file: Path) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    seen: set[tuple[str, str]] = set()
    for where, sample in rows:
        if (where, sample.id) in seen:
            raise DataError(f"{file}: the id {sample.id!r} is there twice for {where}; make ids unique")
        seen.add((where, sample.id))
        found.setdefault(where, []).append(sample)
    if not found:
        raise DataError(f"expected samples in {file}, but it has none")
    kinds = {sample.text is None for _, sample in rows}
    if len(kinds) > 1:
        raise DataError(f"{file} mixes samples of labels and of free text; keep them in files of their own")
    return found


def raise_if_labels(samples: Mapping[str, Sequence[Sample]]) -> None:
    """Refuse samples whose answers are labels, as these need the run's list of labels.

    Raises:
        RunError: there are some.
    """
    for where, rows in samples.items():
        if any(sample.text is None for sample in rows):
            raise RunError(f"{where} has samples of labels; give the run directory itself, which names its labels")
