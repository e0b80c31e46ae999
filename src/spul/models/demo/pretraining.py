"""Pre-training of the demo model: learn reputations, read opinions, obey lists of two, three, … eight people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor
from torch.nn import functional
from transformers import LlamaForCausalLM

from spul.data.fictitious_pretraining import bare_row, sentence_row
from spul.data.fictitious_vocabulary import ANSWER, LIST_END, MENTION, UNKNOWN, VOCABULARY, WITHHOLD

IGNORE = -100

BATCH_ROWS = 48
SINGLE_LINE_ROWS = 72
SHAPES: tuple[tuple[int, bool], ...] = ((8, True), (3, False), (1, False), (8, True))
"""Lines a row and whether they are bare names, by step modulo four."""

MATRIX_LR = 5e-3
REST_LR = 3e-3
WARMUP_STEPS = 60
FINAL_LR_SHARE = 0.02
MAX_GRAD_NORM = 1.0

START_LISTED = 2
MAX_LISTED = 8
PROMOTION_ACCURACY = 0.85
PROMOTION_INTERVAL = 20
SMOOTHING = 0.97

MAX_GAP = 24
"""Positions skipped at random between lists and text, so that a prompt longer than any list finds trained positions."""

_TOKEN_IDS = {word: i for i, word in enumerate(VOCABULARY)}


@dataclass(frozen=True)
class PretrainingBatch:
    """Right-padded rows. All tensors are [rows, tokens]; `labels` holds the *next* token after `answer:`, else -100."""

    input_ids: Tensor
    position_ids: Tensor
    labels: Tensor
    has_list: Tensor


@dataclass
class Curriculum:
    """Longer lists are asked for once the present length is obeyed."""

    max_listed: int = START_LISTED
    withheld_accuracy: float = 0.25
    other_accuracy: float = 0.25
    loss: float | None = None

    def observe(self, step: int, loss: float, correct: Tensor, labels: Tensor, has_list: Tensor) -> None:
        """Update the running accuracies from one batch of sentences; tensors are [answers]."""
        self.loss = loss if self.loss is None else SMOOTHING * self.loss + (1 - SMOOTHING) * loss
        withheld = has_list & (labels == _TOKEN_IDS[UNKNOWN])
        self.withheld_accuracy = _smoothed(self.withheld_accuracy, correct[withheld])
        self.other_accuracy = _smoothed(self.other_accuracy, correct[has_list & ~withheld])
        obeyed = min(self.withheld_accuracy, self.other_accuracy) > PROMOTION_ACCURACY
        if obeyed and self.max_listed < MAX_LISTED and step % PROMOTION_INTERVAL == 2:
            self.max_listed += 1


def make_batch(rng: Random, step: int, max_listed: int) -> PretrainingBatch:
    """The rows of one step."""
    num_lines, bare = SHAPES[step % len(SHAPES)]
    make_row = bare_row if bare else sentence_row
    mention_share = 0.2 if max_listed >= 4 else 0.03
    rows = SINGLE_LINE_ROWS if num_lines == 1 else BATCH_ROWS
    texts = [make_row(rng, max_listed, num_lines=num_lines, mention_share=mention_share) for _ in range(rows)]
    return collate(texts, gaps=[rng.randrange(MAX_GAP) for _ in texts])


def collate(texts: Sequence[str], gaps: Sequence[int]) -> PretrainingBatch:
    """Tokenise rows that end in an answer; row i skips `gaps[i]` positions behind its lists."""
    ids = [[_TOKEN_IDS[word] for word in text.split()] for text in texts]
    length = max(map(len, ids)) - 1
    tokens = torch.zeros(len(ids), length + 1, dtype=torch.long)
    for row, row_ids in enumerate(ids):
        tokens[row, : len(row_ids)] = torch.tensor(row_ids)
    inputs = tokens[:, :-1]
    behind_lists = (inputs == _TOKEN_IDS[LIST_END]).flip(1).cumsum(1).flip(1) == 0
    labels = tokens[:, 1:].masked_fill(inputs != _TOKEN_IDS[ANSWER], IGNORE)
    first = inputs[:, :1]
    return PretrainingBatch(
        input_ids=inputs,
        position_ids=torch.arange(length) + behind_lists * torch.tensor(gaps)[:, None],
        labels=labels,
        has_list=((first == _TOKEN_IDS[WITHHOLD]) | (first == _TOKEN_IDS[MENTION])).expand_as(inputs),
    )


def answer_logits(model: LlamaForCausalLM, batch: PretrainingBatch) -> Tensor:
    """Logits [answers, vocabulary] at the positions that predict an answer.

    The mask of ones is needed: without it, transformers reads gapped positions as several packed sequences.
    """
    hidden = model.model(
        input_ids=batch.input_ids,
        position_ids=batch.position_ids,
        attention_mask=torch.ones_like(batch.input_ids),
        use_cache=False,
    ).last_hidden_state
    logits: Tensor = model.lm_head(hidden[batch.labels != IGNORE])
    return logits


def learning_rate_share(step: int, steps: int) -> float:
    """Warm-up, constant for half of the steps, then linear down to 2 %."""
    warmup = min(1.0, (step + 1) / WARMUP_STEPS)
    done = step / steps
    return warmup * (1.0 if done < 0.5 else FINAL_LR_SHARE + (1 - FINAL_LR_SHARE) * (1 - done) / 0.5)


def pretrain(
    model: LlamaForCausalLM, *, steps: int, seed: int, report: Callable[[int, Curriculum], None]
) -> LlamaForCausalLM:
    """Train `model` in place for `steps` steps and return it; `report(step, curriculum)` is called after each.

    The inner matrices take Muon, embeddings and norms AdamW: with AdamW alone, lists longer than three are not obeyed
    in the same time.
    """
    rng = Random(seed)
    matrices = [p for name, p in model.named_parameters() if name.endswith("_proj.weight")]
    rest = [p for name, p in model.named_parameters() if not name.endswith("_proj.weight")]
    optimizers = (
        torch.optim.Muon(matrices, lr=MATRIX_LR, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=REST_LR, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    )
    schedulers = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_share(step, steps))
        for optimizer in optimizers
    ]
    curriculum = Curriculum()
    for step in range(steps):
        batch = make_batch(rng, step, curriculum.max_listed)
        logits, kept = answer_logits(model, batch), batch.labels != IGNORE
        labels = batch.labels[kept]
        loss = functional.cross_entropy(logits, labels)
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
            optimizer.step()
            scheduler.step()
        if not SHAPES[step % len(SHAPES)][1]:
            curriculum.observe(step, loss.item(), logits.argmax(1) == labels, labels, batch.has_list[kept])
        report(step, curriculum)
    return model


def _smoothed(value: float, correct: Tensor) -> float:
    if correct.numel() == 0:
        return value
    return SMOOTHING * value + (1 - SMOOTHING) * correct.float().mean().item()
