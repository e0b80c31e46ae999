"""The whole run's batches, fixed before the first step, so that a resumed run goes on with the very same rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch.utils.data import Dataset

from spul.config import TrainSettings
from spul.data.batches import collate
from spul.data.sampling import ForgetRetainSampler
from spul.errors import DataError
from spul.training.curriculum import Curriculum
from spul.training.step import MicroBatch
from spul.types import Query

__all__ = ["TrainingPlan"]


class TrainingPlan(Dataset[MicroBatch]):
    """Item i is the i-th forward pass of the run; ``passes_per_step`` of them make an optimiser step.

    Args:
        forget: posed forget rows, their answers the objective's targets; empty if the method leaves them out.
        retain: posed retain rows.
        settings: batch size, forget ratio, number of steps.
        seed: of the order of rows.
        pad_id: fills the rows of a pass to one length.

    Raises:
        DataError: there are no rows, or there is a curriculum and no groups to follow it by.
    """

    def __init__(
        self, forget: Sequence[Query], retain: Sequence[Query], settings: TrainSettings, *, seed: int, pad_id: int
    ) -> None:
        if not forget and not retain:
            raise DataError("expected rows to train on, got none")
        self._queries = [*forget, *retain]
        self._num_forget = len(forget)
        self._pad_id = pad_id
        # Without rows on one side there is no balance to hold.
        ratio = settings.forget_ratio if forget and retain else "natural"
        self._sampler = ForgetRetainSampler(
            len(forget),
            len(retain),
            settings.batch_size,
            ratio,
            seed,
            lengths=[len(q.prompt_ids) + len(q.answer_ids) for q in self._queries],
            group_by_length=settings.group_by_length,
        )
        self.steps_per_epoch: int = self._sampler.steps_per_epoch
        self.num_steps = settings.max_steps or max(1, math.ceil(settings.num_epochs * self.steps_per_epoch))
        self._curriculum = (
            Curriculum(forget, settings.curriculum, self.num_steps, seed) if settings.curriculum else None
        )
        self.passes_per_step = settings.batch_size // (settings.micro_batch_size or settings.batch_size)
        self._epoch = -1
        self._batches: list[list[int]] = []

    def __len__(self) -> int:
        return self.num_steps * self.passes_per_step

    def __getitem__(self, index: int) -> MicroBatch:
        """Return the ``index``-th forward pass.

        Raises:
            IndexError: there are fewer.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        step, part = divmod(index, self.passes_per_step)
        rows = self.rows_of_step(step)
        mine = rows[part :: self.passes_per_step]
        step_forget = sum(row < self._num_forget for row in rows)
        flags = [i < self._num_forget for i in mine]
        batch = collate([self._queries[i] for i in mine], flags, self._pad_id) if mine else None
        return MicroBatch(batch, step_forget, len(rows) - step_forget)

    def rows_of_step(self, step: int) -> list[int]:
        """Return the rows of one optimiser step; those below the number of forget rows are forget rows."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._sampler.batches_for(epoch)
        rows = self._batches[position]
        return rows if self._curriculum is None else self._curriculum.admit(step, rows)
