"""What a run's own forward pass says on calibration text: the measure of every export, and what masks are fitted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spul.data.batches import Batch, collate
from spul.data.posing import encode_prompts
from spul.errors import DataError
from spul.models.head import head_of
from spul.models.loading import context_length
from spul.models.prompted import PromptedModel
from spul.tasks import Task
from spul.types import Query, Splits

__all__ = ["Calibration", "Greedy", "Reference", "from_file", "from_task", "take_reference"]

Ids = tuple[int, ...]

MAX_ROWS = 32
"""Rows of the user's calibration text."""
RANDOM_ROWS = 16
RANDOM_LENGTH = 24
"""Rows of random tokens, and their length: text that nobody thought of."""
MAX_LENGTH = 128
"""Rows are cut to that many tokens."""
COMPARED = 8
"""Logits are compared at the last positions of every row; all would not fit in memory with a real vocabulary."""
GREEDY_ROWS = 4
GREEDY_TOKENS = 8
BATCH = 4


@dataclass(frozen=True)
class Calibration:
    """Text that the model is likely to see.

    Attributes:
        rows: token ids as the run poses them, without the prompt.
        origin: where they come from, for the record; no text of theirs.
    """

    rows: tuple[Ids, ...]
    origin: str


@dataclass(frozen=True)
class Greedy:
    """A greedy continuation and, at every step, by how much its token led over the second."""

    tokens: Ids
    leads: tuple[float, ...]


@dataclass(frozen=True)
class Reference:
    """What the run's model says.

    Attributes:
        origin: of the rows.
        rows: token ids, the first ones with their greedy continuation.
        logits: for every row, those at its last positions over the tokenizer's vocabulary, [k, V], float32 on CPU.
            Rows of the head beyond it are no tokens.
        hidden: [N, d] what goes into the output head at every position of every row, float32 on CPU.
        logsumexp: [N] of the head's output there.
        greedy: continuations of the first rows, which hold them at their end.
    """

    origin: str
    rows: tuple[Ids, ...]
    logits: tuple[Float[Tensor, "_ V"], ...]
    hidden: Float[Tensor, "N d"]
    logsumexp: Float[Tensor, " N"]
    greedy: tuple[Greedy, ...]

    @property
    def prompts(self) -> list[Ids]:
        """The rows that were continued, without what was generated."""
        return [row[: len(row) - len(said.tokens)] for row, said in zip(self.rows, self.greedy, strict=False)]

    @property
    def every_other_row(self) -> Bool[Tensor, " N"]:
        """Which of the N positions belong to rows 0, 2, 4, …"""
        return torch.tensor([i % 2 == 0 for i, row in enumerate(self.rows) for _ in row])

    @property
    def scale(self) -> float:
        """Largest absolute logit."""
        return max(logits.abs().max().item() for logits in self.logits)

    @torch.inference_mode()
    def logits_of(self, model: PromptedModel) -> list[Float[Tensor, "_ V"]]:
        """Return what another model says at the positions that are compared."""
        found: list[Tensor] = []
        _run(model, self.rows, lambda own, _: found.append(own[-COMPARED:].float().cpu()))
        return found

    def difference(self, found: Sequence[Float[Tensor, "_ W"]]) -> float:
        """Return the largest absolute difference of logits over the vocabulary; infinite where not finite."""
        pairs = zip(found, self.logits, strict=True)
        largest = torch.stack([(own[:, : ref.shape[1]].float().cpu() - ref).abs().max() for own, ref in pairs]).max()
        return largest.item() if torch.isfinite(largest) else float("inf")


def from_task(task: Task, splits: Splits) -> Calibration:
    """Take the run's retain rows, test before train, as its task poses them."""
    examples = (*splits.test_retain, *splits.train_retain)[:MAX_ROWS]
    return Calibration(tuple(query.prompt_ids for query in task.pose_all(examples)), "the run's retain rows")


def from_file(path: Path, model: PromptedModel) -> Calibration:
    """Take the lines of a UTF-8 text file.

    Raises:
        DataError: it cannot be read, or has no text.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"expected a text file with one text a line at {path}, but it does not read: {error}"
        ) from error
    if not lines:
        raise DataError(f"expected one text a line in {path}, found none")
    return Calibration(tuple(encode_prompts(model.tokenizer, lines[:MAX_ROWS])), "a file")


@torch.inference_mode()
def take_reference(model: PromptedModel, calibration: Calibration) -> Reference:
    """Run the model on calibration rows and on rows of random tokens, and continue the first ones greedily."""
    room = min(MAX_LENGTH, context_length(model.base) - model.num_virtual_tokens - GREEDY_TOKENS)
    rows = [row[-room:] for row in (*calibration.rows, *_random_rows(model)) if row]
    greedy = _continue(model, rows[:GREEDY_ROWS])
    extended = [row + said.tokens for row, said in zip(rows, greedy, strict=False)] + rows[len(greedy) :]
    logits: list[Tensor] = []
    hidden: list[Tensor] = []
    sums: list[Tensor] = []

    def keep(own: Tensor, states: Tensor) -> None:
        logits.append(own[-COMPARED:, : len(model.tokenizer)].float().cpu())
        hidden.append(states.float().cpu())
        sums.append(head_of(model.base)(states).float().logsumexp(dim=-1).cpu())

    _run(model, extended, keep)
    return Reference(
        calibration.origin, tuple(extended), tuple(logits), torch.cat(hidden), torch.cat(sums), tuple(greedy)
    )


def _random_rows(model: PromptedModel) -> list[Ids]:
    """Return rows of ordinary tokens that decode and encode to themselves as far as the tokenizer lets them."""
    special = set(model.tokenizer.all_special_ids)
    ordinary = torch.tensor([i for i in range(len(model.tokenizer)) if i not in special])
    generator = torch.Generator().manual_seed(0)
    drawn = ordinary[torch.randint(len(ordinary), (RANDOM_ROWS, RANDOM_LENGTH), generator=generator)]
    texts = [model.decode(row) for row in drawn.tolist()]
    return encode_prompts(model.tokenizer, texts)


def _continue(model: PromptedModel, rows: Sequence[Ids]) -> list[Greedy]:
    tokens: list[list[int]] = [[] for _ in rows]
    leads: list[list[float]] = [[] for _ in rows]
    ends = ends_of(model)
    running = set(range(len(rows)))
    for _ in range(GREEDY_TOKENS):
        order = sorted(running)
        for i, own in zip(order, _last(model, [rows[i] + tuple(tokens[i]) for i in order]), strict=True):
            best = own.topk(2)
            if int(best.indices[0]) in ends:
                running.discard(i)
                continue
            tokens[i].append(int(best.indices[0]))
            leads[i].append((best.values[0] - best.values[1]).item())
        if not running:
            break
    return [Greedy(tuple(ids), tuple(lead)) for ids, lead in zip(tokens, leads, strict=True)]


def _last(model: PromptedModel, rows: Sequence[Ids]) -> list[Float[Tensor, " V"]]:
    found: list[Tensor] = []
    _run(model, rows, lambda own, _: found.append(own[-1, : len(model.tokenizer)].float()))
    return found


def ends_of(model: PromptedModel) -> frozenset[int]:
    """Return the tokens that end a text."""
    config = model.base.generation_config
    said = config.eos_token_id if config is not None else None
    ends = said if isinstance(said, list) else [said]
    return frozenset(i for i in (*ends, model.tokenizer.eos_token_id) if isinstance(i, int))


def _run(model: PromptedModel, rows: Sequence[Ids], keep: Callable[[Tensor, Tensor], None]) -> None:
    """Call ``keep`` with the logits [T, V] and hidden states [T, d] of every row, in order."""
    around = model.surroundings()
    for start in range(0, len(rows), BATCH):
        chunk = rows[start : start + BATCH]
        answers = model.answer_logits(_whole(chunk, model), around)
        lengths = [len(row) for row in chunk]
        for own, states in zip(answers.logits.split(lengths), answers.hidden.split(lengths), strict=True):
            keep(own, states)


def _whole(rows: Sequence[Ids], model: PromptedModel) -> Batch:
    """Return a batch that asks for the logits at every position: what stands behind the first token is an answer."""
    queries = [Query(id="", prompt_ids=row[:1], answer_ids=(*row[1:], 0), answer="") for row in rows]
    return collate(queries, [False] * len(rows), model.pad_id).to(model.device)
