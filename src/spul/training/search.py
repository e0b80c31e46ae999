"""Which learning rate to train with: one short run each from the same start, scored on validation parts of train.

The paper searches the rates of its full fine-tuning baselines and does not say how (Bhaila et al. 2025, section 4).
Here the rule is that of :mod:`spul.training.validation`, and every try stays in the run: rate, score, or why it failed.
"""

from __future__ import annotations

import logging
import random
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from spul.errors import ConfigError, DivergedError, ModelError
from spul.models.prompted import PromptedModel
from spul.runs import Run
from spul.tasks import Task
from spul.training.budget import BUDGET_FACT, rank
from spul.training.checkpoints import load_trained, save_trained
from spul.training.targets import Targets
from spul.training.train import train
from spul.training.validation import resolve_sought, rule_in_words, validate
from spul.types import Example, Splits

__all__ = ["SEARCH_FACT", "search_learning_rate"]

logger = logging.getLogger(__name__)

SEARCH_FACT = "learning_rate_search"
"""Key of the manifest's facts under which the rule, every try and the chosen rate stand."""

TRAIN_ROWS = 100
"""So many rows of either side of train are scored where there are no validation parts."""


def search_learning_rate(
    run: Run,
    model: PromptedModel,
    task: Task,
    splits: Splits,
    *,
    base_digest: str,
    targets: Targets | None = None,
) -> float:
    """Try every rate of ``train.learning_rate_search`` and return the best; the model is as before then.

    A try that was finished, or that diverged, is not run again; one that was cut short goes on. Of equal scores the
    smaller rate is taken, since it changes less.

    Args:
        run: an open run directory, locked by the caller.
        model: in its first state; its trained parameters require gradients, all others do not.
        task: poses the examples.
        splits: the data. Without validation parts the choice is made on rows of train themselves, which the fact says:
            where all of a forget set is to be unlearned, none of it can be held back.
        base_digest: binds the teacher's answers to the base model.
        targets: what forget rows are to be answered like, where the objective asks for it.

    Raises:
        ConfigError: one of the validation parts is empty, and the other is not.
        DivergedError: every rate diverged.
    """
    chosen_on = _rows_to_choose_on(run, splits)
    start = run.checkpoints_dir / "start.safetensors"
    save_trained(model, start)
    tries = []
    for rate in run.config.train.learning_rate_search:
        trial = _trial(run, rate)
        if trial.status == "started":
            _try(trial, run, model, task, splits, chosen_on, base_digest, targets)
            load_trained(model, start)
        tries.append(_outcome(trial))
    scored = [found for found in tries if found["score"] is not None]
    if not scored:
        rates = ", ".join(str(found["learning_rate"]) for found in tries)
        raise DivergedError(
            f"every rate of train.learning_rate_search diverged ({rates}); give smaller ones, then start anew"
        )
    winner = max(scored, key=lambda found: (found["score"], -found["learning_rate"]))
    best: float = winner["learning_rate"]
    if winner["score"] == 0:
        logger.warning("every learning rate scores 0 on validation; the smallest, %g, is taken", best)
    else:
        logger.info("of %d learning rates %g scores best on validation", len(tries), best)
    budgeted = run.config.retain.budget is not None
    rule = rule_in_words(resolve_sought(run.config), budgeted=budgeted).replace("validation", chosen_on.part)
    fact = {"rule": rule, "tries": tries, "chosen": best}
    run.record(
        facts={**run.manifest.facts, SEARCH_FACT: fact},
        cost={**run.manifest.cost, "search_seconds": sum(found["seconds"] for found in tries)},
    )
    return best


class _ChosenOn(NamedTuple):
    """The rows that a try is scored on, and the part that they are of: ``validation`` or ``train``."""

    part: str
    forget: Sequence[Example]
    retain: Sequence[Example]


def _rows_to_choose_on(run: Run, splits: Splits) -> _ChosenOn:
    if splits.validation_forget and splits.validation_retain:
        return _ChosenOn("validation", splits.validation_forget, splits.validation_retain)
    if run.config.data.validation_share or splits.validation_forget or splits.validation_retain:
        raise ConfigError(
            "train.learning_rate_search chooses on validation parts of forget and retain, but at least one is empty: "
            "raise data.validation_share (the forget set may be too small for it), set it to 0 to choose on rows of "
            "train, or name one train.learning_rate"
        )
    generator = random.Random(run.config.seed)
    drawn = [generator.sample(rows, min(len(rows), TRAIN_ROWS)) for rows in (splits.train_forget, splits.train_retain)]
    return _ChosenOn("train", *drawn)


def _trial(run: Run, rate: float) -> Run:
    path = run.search_dir / str(rate)
    if (path / "manifest.json").exists():
        return Run.open(path, incomplete=True)
    settings = run.config.train
    short = {
        "learning_rate": rate,
        "learning_rate_search": (),
        "max_steps": settings.search_max_steps or settings.max_steps,
    }
    config = run.config.model_copy(update={"train": settings.model_copy(update=short)})
    manifest = run.manifest
    return Run.create(
        config, manifest.kind, base_digest=manifest.base_digest, split_digests=manifest.split_digests, path=path
    )


def _try(
    trial: Run,
    run: Run,
    model: PromptedModel,
    task: Task,
    splits: Splits,
    chosen_on: _ChosenOn,
    base_digest: str,
    targets: Targets | None,
) -> None:
    teacher_file: Path = run.checkpoints_dir / "teacher.safetensors"
    try:
        train(
            trial,
            model,
            task,
            splits,
            base_digest=base_digest,
            resume=True,
            teacher_file=teacher_file,
            targets=targets,
        )
        found = validate(
            model,
            task,
            task.pose_all(chosen_on.forget),
            task.pose_all(chosen_on.retain),
            resolve_sought(run.config),
            targets,
        )
    # Weights that are no longer finite show in the loss, or only in the logits of the validation.
    except (DivergedError, ModelError) as error:
        trial.record(status="failed", reason=str(error))
        logger.warning("learning rate %g: %s", trial.config.train.learning_rate, error)
    else:
        budget = trial.manifest.facts.get(BUDGET_FACT)
        if budget is not None:
            found = replace(found, score=rank(found.score, budget["rise"] - budget["budget"]))
        trial.record(status="complete", facts={**trial.manifest.facts, "validation": asdict(found)})
        logger.info("learning rate %g: validation score %.4f", trial.config.train.learning_rate, found.score)
    shutil.rmtree(trial.checkpoints_dir, ignore_errors=True)


def _outcome(trial: Run) -> dict[str, Any]:
    validation = trial.manifest.facts.get("validation", {"score": None})
    return {
        "learning_rate": trial.config.train.learning_rate,
        **validation,
        "seconds": sum(row["seconds"] for row in trial.train_log()),
        "reason": trial.manifest.reason,
    }
