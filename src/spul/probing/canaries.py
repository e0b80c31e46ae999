"""Canaries: rows that the model answers in one way behind the prompt and in another without it.

::

    probe/expected.json   ids of rows, and both answers to each in every shape; no text that was asked

What they are asked stands in the run's data alone. The answers are the model's own, greedy, of a few tokens, taken
once.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerFast

from spul.api import load_gated_model, load_model
from spul.data.loading import load_splits
from spul.data.templates import Template
from spul.errors import DataError, RunError
from spul.files import file_digest, write_json
from spul.models.loading import context_length, load_outline
from spul.models.prompted import PromptedModel
from spul.probing.shapes import SHAPES, Shaped, shaped
from spul.runs import Run
from spul.scopes import GatedModel
from spul.types import Example, Splits

__all__ = ["Canaries", "Canary", "Expected", "load_canaries", "words"]

logger = logging.getLogger(__name__)

SCHEMA = 1
FOLDER, FILE = "probe", "expected.json"
NEW_TOKENS = 8
CANDIDATES = 64
"""Rows of a split that are tried until there are enough."""
CANARIES, CONTROLS = 6, 3


class Expected(NamedTuple):
    """Answers to one shape, one a reading: behind the prompt, and by the bare base."""

    prompted: tuple[str, ...]
    bare: tuple[str, ...]

    @property
    def part(self) -> int | None:
        """At which word the two part, of all readings the first; ``None`` where they never do."""
        parts = [_part(words(a), words(b)) for a, b in zip(self.prompted, self.bare, strict=True)]
        return min((part for part in parts if part is not None), default=None)

    @property
    def tells(self) -> bool:
        """Whether the two are told apart."""
        return self.part is not None


@dataclass(frozen=True)
class Canary:
    """One row.

    Attributes:
        text: what is asked.
        shapes: every shape of it.
        expected: what is answered to each.
    """

    text: str
    shapes: Mapping[str, Shaped]
    expected: Mapping[str, Expected]


@dataclass(frozen=True)
class Canaries:
    """What an endpoint is asked.

    Attributes:
        canaries: rows whose answers differ with the prompt.
        controls: rows that the prompt is to leave alone.
        num_virtual_tokens: p.
        tokenizer: the base's.
        chat: whether the run itself was posed as a talk.
    """

    canaries: tuple[Canary, ...]
    controls: tuple[Canary, ...]
    num_virtual_tokens: int
    tokenizer: PreTrainedTokenizerFast
    chat: bool


def _part(one: Sequence[str], other: Sequence[str]) -> int | None:
    pairs = zip_longest(one, other)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), None)


def words(text: str) -> list[str]:
    """Return what answers are compared by."""
    return re.findall(r"\w+|[^\w\s]", text)


def load_canaries(run: Run) -> Canaries:
    """Return the run's canaries; where they were not taken yet, the run's model is loaded for it.

    Raises:
        DataError: the run's data is not what it was, or not there.
        RunError: it learned no soft prompt, or no row tells whether it is applied.
    """
    config = run.config
    if config.trainable != "prompt":
        raise RunError(f"expected a run that learned a soft prompt, but run {run.path} trained weights")
    splits = load_splits(
        config.data, fields=config.task.fields, generic=config.task.generic_answers, continued=config.task.continued
    )
    found = _read(run)
    if found is None:
        logger.info("taking the answers that the run's own model gives, once")
        found = _taken(run, splits)
        _write(run, found)
    tokenizer = load_outline(config.model).tokenizer
    rows = {example.id: example for name in splits.names for example in splits[name]}
    parts, template = {}, Template.parse(config.task.template)
    for part in ("canaries", "controls"):
        missing = [row["id"] for row in found[part] if row["id"] not in rows]
        if missing:
            raise DataError(
                f"the data of run {run.path} has no row {missing[0]!r} any more; restore it, or delete "
                f"{run.path / FOLDER} to choose other canaries"
            )
        posed = ((row, template.render_prompt(rows[row["id"]].fields)) for row in found[part])
        parts[part] = tuple(_canary(row, text, tokenizer, found["room"]) for row, text in posed)
    return Canaries(parts["canaries"], parts["controls"], found["num_virtual_tokens"], tokenizer, config.task.chat)


def _canary(row: Mapping[str, Any], text: str, tokenizer: PreTrainedTokenizerFast, room: int) -> Canary:
    shapes = {shape: shaped(shape, text, tokenizer, room) for shape in SHAPES}
    expected = {name: Expected(tuple(both["prompted"]), tuple(both["bare"])) for name, both in row["expected"].items()}
    return Canary(text, shapes, expected)


def _read(run: Run) -> dict[str, Any] | None:
    """Return what was taken before, unless it was of another schema or gate."""
    file = run.path / FOLDER / FILE
    if not file.is_file():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found if found.get("schema") == SCHEMA and found.get("gate") == _gate_digest(run) else None


def _write(run: Run, found: Mapping[str, Any]) -> None:
    try:
        write_json(run.path / FOLDER / FILE, found)
    except OSError as error:
        logger.warning("the answers are not kept, since the run cannot be written: %s", error)


def _gate_digest(run: Run) -> str | None:
    return file_digest(run.scope_dir / "scope.json") if run.config.scope.name == "gate" else None


def _taken(run: Run, splits: Splits) -> dict[str, Any]:
    gated = load_gated_model(run) if run.config.scope.name == "gate" else None
    model = gated.model if gated is not None else load_model(run)
    room = context_length(model.base) - model.num_virtual_tokens - NEW_TOKENS
    main = "chat" if run.config.task.chat else "plain"
    asking = _Asking(model, gated, Template.parse(run.config.task.template), room)
    parts: dict[str, list[dict[str, Any]]] = {}
    for part, kind, most in (("canaries", "forget", CANARIES), ("controls", "retain", CONTROLS)):
        examples = _different([*splits[f"test_{kind}"], *splits[f"train_{kind}"]])[:CANDIDATES]
        answers = asking.answers(examples, main)
        wanted = _telling(answers) if part == "canaries" else [n for n, both in enumerate(answers) if both.part != 0]
        chosen = [examples[n] for n in wanted[:most]]
        by_shape = {shape: asking.answers(chosen, shape) for shape in SHAPES}
        parts[part] = [
            {"id": example.id, "expected": {shape: by_shape[shape][n]._asdict() for shape in SHAPES}}
            for n, example in enumerate(chosen)
        ]
    if not parts["canaries"]:
        raise RunError(
            f"none of {CANDIDATES} rows that run {run.path} was to forget is answered otherwise behind its prompt than "
            "without it, so no answer tells whether the prompt is applied: it does not suppress anything there"
        )
    rest = {"num_virtual_tokens": model.num_virtual_tokens, "room": room}
    return {"schema": SCHEMA, "gate": _gate_digest(run), **rest, **parts}


def _different(examples: Sequence[Example]) -> list[Example]:
    """Return the examples without those that ask the same as one before."""
    return list({tuple(example.fields.values()): example for example in reversed(examples)}.values())[::-1]


def _telling(answers: Sequence[Expected]) -> list[int]:
    """Return which answers tell, those first that part the earliest: the later, the more of it is rounding."""
    parts = {n: both.part for n, both in enumerate(answers)}
    return sorted((n for n in parts if parts[n] is not None), key=lambda n: parts[n] or 0)


class _Asking(NamedTuple):
    """The run's own model, asked with and without its prompt."""

    model: PromptedModel
    gated: GatedModel | None
    template: Template
    room: int

    def answers(self, examples: Sequence[Example], shape: str) -> list[Expected]:
        texts = [self.template.render_prompt(example.fields) for example in examples]
        shapes = [shaped(shape, text, self.model.tokenizer, self.room) for text in texts]
        fits = [[ids for ids in each.readings if len(ids) <= self.room] for each in shapes]
        flat = [ids for readings in fits for ids in readings]
        with self.model.prompt_disabled():
            bare = iter(self._written(flat))
        prompted = iter(self._written(flat))
        found = []
        for each, readings in zip(shapes, fits, strict=True):
            without, behind = tuple(next(bare) for _ in readings), tuple(next(prompted) for _ in readings)
            inside = self.gated is None or any(self.gated.in_scope(each.said))
            found.append(Expected(behind if inside else without, without))
        return found

    def _written(self, rows: Sequence[tuple[int, ...]]) -> list[str]:
        return self.model.complete(rows, max_new_tokens=NEW_TOKENS) if rows else []
