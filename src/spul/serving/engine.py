"""One thread that owns the model: rows join the running batch between two steps and leave it when they are done."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from spul.errors import ModelError
from spul.models.surroundings import Surroundings
from spul.serving.batch import MixedBatch, Started, read
from spul.serving.loading import Served, ServedSet
from spul.serving.rows import Echo, Piece, Row, Sampling, TokenScore
from spul.serving.scored import read_scored

__all__ = ["Busy", "Engine", "Job", "TooLate"]

logger = logging.getLogger(__name__)

PREFILL_TOKENS = 4096
"""Tokens, padding included, that are read at once while other rows wait for their next token."""
IDLE_SECONDS = 0.5
"""How often a thread with nothing to do looks for jobs that nobody waits for any more."""


class Busy(Exception):  # noqa: N818
    """The queue is full."""


class TooLate(Exception):  # noqa: N818
    """The answer was not finished in time."""


@dataclass(eq=False)
class Job:
    """One prompt text and the answers that are wanted to it.

    Attributes:
        served: the model that is asked.
        ids: what it reads, virtual tokens left out.
        texts: what a scope gate reads.
        samplings: one an answer.
        stream: whether pieces are delivered as they come; else each answer comes as one.
        deadline: of :func:`time.monotonic`.
        deliver: called from the engine's thread with the answer's number and a piece, or what went wrong with the job.
        echo: what stands in front of every answer; scored where the samplings ask for log-probabilities.
    """

    served: Served
    ids: tuple[int, ...]
    texts: tuple[str, ...]
    samplings: tuple[Sampling, ...]
    stream: bool
    deadline: float
    deliver: Callable[[int, Piece | Exception], None]
    echo: Echo | None = None
    cancelled: bool = False

    def cancel(self) -> None:
        """Let the engine drop what is left of the job; nothing is delivered any more."""
        self.cancelled = True

    @property
    def is_scored(self) -> bool:
        """Whether the text's own tokens are to be scored."""
        return self.echo is not None and self.samplings[0].top_logprobs is not None


@dataclass
class _Running:
    job: Job
    index: int
    row: Row
    token: int = 0
    held: list[Piece] = field(default_factory=list)
    done: bool = False


class Engine:
    """Continuous batching over one set of weights.

    Args:
        served: base model, tokenizer and prompts.
        max_batch: most rows of a step.
        max_queue: most rows that wait.
        on_step: called after every step with its number of rows.
    """

    def __init__(
        self, served: ServedSet, *, max_batch: int, max_queue: int, on_step: Callable[[int], None] = lambda rows: None
    ) -> None:
        self._served = served
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._on_step = on_step
        self._waiting: deque[Job] = deque()
        self._running: list[_Running] = []
        self._batch: MixedBatch | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="spul-engine", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether jobs are worked on."""
        return self._thread.is_alive() and not self._closed

    @property
    def num_running(self) -> int:
        """Rows of the running batch."""
        return len(self._running)

    @property
    def num_waiting(self) -> int:
        """Rows that wait to join it."""
        return sum(len(job.samplings) for job in tuple(self._waiting))

    def submit(self, *jobs: Job) -> None:
        """Queue jobs, all of them or none.

        Raises:
            Busy: there are too many already, or the engine is closed.
        """
        rows = sum(len(job.samplings) for job in jobs)
        with self._changed:
            if self._closed or self.num_waiting + rows > self._max_queue:
                raise Busy
            self._waiting.extend(jobs)
            self._changed.notify()

    def close(self) -> None:
        """Stop the thread; what is not finished fails."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        with torch.inference_mode():
            while not self._closed:
                with self._changed:
                    if not self._waiting and not self._running:
                        self._changed.wait(IDLE_SECONDS)
                self._turn()
        for job in {id(job): job for job in [*self._waiting, *(each.job for each in self._running)]}.values():
            self._fail(job, Busy())

    def _turn(self) -> None:
        self._drop_lost()
        # Whatever goes wrong in one turn ends the rows of that turn, never the thread.
        try:
            if self._running:
                self._step()
        except Exception as error:
            self._fail_all([each.job for each in self._running], error)
            self._running, self._batch = [], None
        jobs = self._admitted()
        try:
            if jobs:
                self._join(jobs)
        except Exception as error:
            self._fail_all(jobs, error)

    def _drop_lost(self) -> None:
        """Let go of jobs whose client has left or whose time is over."""
        now = time.monotonic()
        for job in {id(job): job for job in [*self._waiting, *(each.job for each in self._running)]}.values():
            if not job.cancelled and job.deadline <= now:
                self._fail(job, TooLate())
        with self._changed:
            self._waiting = deque(job for job in self._waiting if not job.cancelled)
        self._keep([not each.job.cancelled for each in self._running])

    def _admitted(self) -> list[Job]:
        """Take the jobs that join now, first come first served."""
        room, taken, longest = self._max_batch - len(self._running), list[Job](), 0
        with self._changed:
            while self._waiting and len(self._waiting[0].samplings) <= room:
                longest = max(longest, len(self._waiting[0].ids))
                if taken and longest * (len(taken) + 1) > PREFILL_TOKENS:
                    break
                # What is scored is read by itself: its logits over the whole vocabulary take memory.
                if taken and (self._waiting[0].is_scored or taken[-1].is_scored):
                    break
                job = self._waiting.popleft()
                room -= len(job.samplings)
                taken.append(job)
        return taken

    def _join(self, jobs: list[Job]) -> None:
        """Read the jobs' texts, each behind its own prompt, and let their rows join the batch."""
        prompts = list[Surroundings]()
        for job in list(jobs):
            try:
                prompts.append(job.served.surroundings_for(job.texts))
            except Exception as error:
                self._fail_all([job], error)
                jobs.remove(job)
        if not jobs:
            return
        started, scores = self._read(jobs, prompts)
        rows = [
            _running(job, i, Row(self._served.tokenizer, sampling, self._served.ends), scores)
            for job in jobs
            for i, sampling in enumerate(job.samplings)
        ]
        # Several answers to one text share its reading.
        order = [n for n, job in enumerate(jobs) for _ in job.samplings]
        self._advance(rows, started.logits[order])
        alive = [n for n, each in enumerate(rows) if not each.done]
        if alive:
            batch = started.batch.keep([order[n] for n in alive])
            self._batch = batch if self._batch is None else self._batch.joined(batch)
            self._running += [rows[n] for n in alive]

    def _read(self, jobs: list[Job], prompts: list[Surroundings]) -> tuple[Started, tuple[TokenScore, ...]]:
        base, job = self._served.base, jobs[0]
        top = job.samplings[0].top_logprobs
        if job.echo is None or top is None:
            return read(base, [job.ids for job in jobs], prompts, self._served.pad_id), ()
        assert len(jobs) == 1
        return read_scored(base, self._served.tokenizer, job.ids, prompts[0], job.echo, top)

    def _step(self) -> None:
        assert self._batch is not None
        tokens = torch.tensor([each.token for each in self._running], device=self._served.base.device)
        self._advance(self._running, self._batch.step(self._served.base, tokens))
        self._on_step(len(self._running))
        self._keep([not each.done for each in self._running])

    def _advance(self, rows: list[_Running], logits: Float[Tensor, "B V"]) -> None:
        """Choose every row's next token and deliver what it makes of it."""
        finite = logits.isfinite().all(dim=-1).tolist()
        # Greedy rows, the most of them, are chosen at once.
        best = logits.argmax(dim=-1).tolist()
        for n, each in enumerate(rows):
            if not finite[n]:
                self._fail(each.job, ModelError("the model's logits are not finite"))
            if each.job.cancelled:
                each.done = True
                continue
            if each.row.sampling.max_tokens == 0:
                each.done = True
                each.job.deliver(each.index, _merged([*each.held, Piece("", 0, (), "length")]))
                continue
            greedy = each.row.sampling.temperature == 0
            try:
                each.token = best[n] if greedy else each.row.choose(logits[n])
                piece = each.row.accept(each.token, logits[n])
            except Exception as error:
                # What is one row's own does not end those beside it.
                self._fail_all([each.job], error)
                each.done = True
                continue
            if piece is None:
                continue
            each.done = piece.finish is not None
            each.held.append(piece)
            if each.job.stream or each.done:
                each.job.deliver(each.index, _merged(each.held))
                each.held = []

    def _keep(self, wanted: list[bool]) -> None:
        if all(wanted):
            return
        kept = [n for n, stays in enumerate(wanted) if stays]
        self._batch = self._batch.keep(kept) if self._batch is not None and kept else None
        self._running = [self._running[n] for n in kept]

    def _fail_all(self, jobs: list[Job], error: Exception) -> None:
        # Without its message: that of a foreign error may hold what was asked.
        logger.error("a batch of %d jobs failed with %s", len(jobs), type(error).__name__)
        for job in jobs:
            self._fail(job, error)

    def _fail(self, job: Job, error: Exception) -> None:
        if not job.cancelled:
            job.cancelled = True
            job.deliver(0, error)


def _running(job: Job, index: int, row: Row, scores: tuple[TokenScore, ...]) -> _Running:
    if job.echo is None:
        return _Running(job, index, row)
    row.begins = len(job.echo.text)
    return _Running(job, index, row, held=[Piece(job.echo.text, 0, scores)])


def _merged(pieces: list[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    return Piece(
        "".join(piece.text for piece in pieces),
        sum(piece.tokens for piece in pieces),
        tuple(score for piece in pieces for score in piece.scores),
        pieces[-1].finish,
    )
