"""Making a run: unlearning, or training a model to start from or to compare with."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from spul.api.gating import gate_for
from spul.api.loading import prompted
from spul.api.setting import Setting, check_data, part_of, set_up
from spul.config import RunConfig
from spul.errors import ConfigError, RunError, SpulError
from spul.methods import METHODS
from spul.runs import Run
from spul.scopes import Gate, save_gate
from spul.training.parts import TrainedPart, weights_part
from spul.training.search import search_learning_rate
from spul.training.targets import prepare_targets
from spul.training.train import train


def unlearn(config: RunConfig, resume: str | Path | None = None, *, directory: str | Path | None = None) -> Run:
    """Learn to suppress the forget set, by a soft prompt or in the weights, and keep what was learned in a run.

    ``config.trainable`` says what is trained: a soft prompt is kept in ``adapter/`` of the run directory; weights (all,
    some by name, or LoRA merged at the end) are kept as an ordinary checkpoint in ``model/``. Either starts from
    ``config.model.path``.

    Args:
        config: what to do; with a method that unlearns.
        resume: a run of the same configuration that was stopped; it goes on from its newest checkpoint.
        directory: where the run is made; a directory of its own under ``config.output_dir`` if missing.

    Returns:
        The complete run.

    Raises:
        SpulError: settings, data or model that do not do; a started run is then marked as failed.
    """
    if METHODS.get(config.method).stage != "unlearn":
        raise ConfigError(f"expected a method that unlearns, got {config.method!r}: it belongs to `spul finetune`")
    setting = set_up(config)
    part = part_of(config, setting)
    # Before the training, so that too few calibration rows are found out before it, and kept after it.
    gate = None
    if config.scope.name == "gate":
        gate = gate_for(config, setting.splits, setting.task.answers.generic, prompted(config, setting.base))
    run = _open_or_create(config, "unlearn", setting, resume, directory)
    return _train(run, part, setting, resume=resume is not None, gate=gate)


def finetune(config: RunConfig, resume: str | Path | None = None, *, directory: str | Path | None = None) -> Run:
    """Make a model to start from or to compare with, and keep it as an ordinary checkpoint in ``model/`` of a run.

    With ``method: finetune`` that is the base model, trained on forget ∪ retain; with ``method: retrain`` the retrained
    model, trained on retain alone from the same start by the same recipe. Trained are weights: all, some by name, or
    LoRA merged at the end. ``resume`` and ``directory`` are as for :func:`unlearn`.

    Raises:
        SpulError: settings, data or model that do not do; a started run is then marked as failed.
    """
    if METHODS.get(config.method).stage != "base":
        raise ConfigError(
            f"expected method finetune or retrain, got {config.method!r}: what unlearns belongs to `spul unlearn`"
        )
    if config.trainable == "prompt":
        raise ConfigError("expected `trainable: all`, `lora` or `named`, got 'prompt': a base model is made of weights")
    setting = set_up(config)
    part = weights_part(config, setting.base)
    run = _open_or_create(config, "finetune", setting, resume, directory)
    return _train(run, part, setting, resume=resume is not None)


def _open_or_create(
    config: RunConfig,
    kind: Literal["unlearn", "finetune"],
    setting: Setting,
    resume: str | Path | None,
    directory: str | Path | None,
) -> Run:
    if resume is None:
        path = None if directory is None else Path(directory)
        digests = setting.splits.digests()
        return Run.create(config, kind, base_digest=setting.identity.digest, split_digests=digests, path=path)
    if directory is not None:
        raise ConfigError("a resumed run stays where it is; leave `directory` out")
    run = Run.open(resume, incomplete=True)
    if run.status == "complete":
        raise RunError(f"run {run.path} is complete; there is nothing to resume")
    if run.config != config or run.manifest.kind != kind:
        raise RunError(
            f"run {run.path} has another configuration than the one given; resume it with its own config.yaml"
        )
    if run.manifest.base_digest != setting.identity.digest:
        raise RunError(f"the base model of run {run.path} has changed since it was started; start a new run")
    check_data(run, setting.splits)
    return run


def _train(run: Run, part: TrainedPart, setting: Setting, *, resume: bool, gate: Gate | None = None) -> Run:
    """Train, keep the artefact, drop the checkpoints and seal the run; say in the manifest if that fails."""
    of_run = (run, part.model, setting.task, setting.splits)
    digest = setting.identity.digest
    with run.lock():
        run.record(status="started", reason=None)
        try:
            targets = prepare_targets(*of_run)
            searched = run.config.train.learning_rate_search
            rate = search_learning_rate(*of_run, base_digest=digest, targets=targets) if searched else None
            train(*of_run, base_digest=digest, resume=resume, learning_rate=rate, targets=targets)
            artefact = part.keep(run)
            if gate is not None:
                save_gate(run.scope_dir, gate)
        except SpulError as error:
            run.record(status="failed", reason=str(error))
            raise
        shutil.rmtree(run.checkpoints_dir, ignore_errors=True)
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        cost = {**run.manifest.cost, "artefact_bytes": _size(artefact)}
        run.seal(status="complete", finished=finished, cost=cost)
    return run


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
