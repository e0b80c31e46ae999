"""Scoring a run's model, and those that it is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spul.api.loading import encoder_of, load_model, opened, prompted
from spul.api.setting import check_data, splits_of, task_of
from spul.data.settings import DataSettings
from spul.errors import RunError
from spul.models.identity import base_identity
from spul.models.loading import LoadedBase, load_base
from spul.models.prompted import PromptedModel, WithoutPrompt
from spul.progress import progress_bars
from spul.runs import Run
from spul.scopes import load_gate
from spul.tasks import score_split
from spul.tasks.settings import TaskSettings
from spul.types import LanguageModel, Sample


def evaluate(run: Run | str | Path, *, beside: bool = True) -> Run:
    """Score the run's model on the four splits, with base, retrained and pre-trained models beside it.

    Writes samples and metrics into the run.

    Args:
        run: what was trained.
        beside: whether the other models are scored too. Where other runs have their samples on the same examples, they
            need not be; a gated model is made of the base's samples, so there they are.

    Raises:
        SpulError: the run, its data or a model does not load, or the data is not what the run was trained on.
    """
    from spul.evaluation import evaluate_run

    run = opened(run)
    config = run.config
    with run.lock():
        splits = splits_of(config)
        check_data(run, splits)
        model = load_model(run)
        task = task_of(config, LoadedBase(model.base, model.tokenizer), splits)
        run.unseal("eval", "metrics.json", "report.html")
        with progress_bars() as progress:
            gate = load_gate(run.scope_dir, encoder_of(model)) if config.scope.name == "gate" else None
            models = _models_beside(run, model) if beside or gate is not None else {_own_name(run): model}
            evaluate_run(run, models, task, splits, progress, gate)
        run.seal()
    return run


def score_on(
    run: Run | str | Path, data: DataSettings, task: TaskSettings, splits: Sequence[str]
) -> dict[str, list[Sample]]:
    """Score and have written a run's own model on other data, or posed in another way, than it was trained on.

    Args:
        run: what was trained.
        data: where the rows are.
        task: how they are posed.
        splits: which of them.

    Returns:
        Samples by split; nothing is kept in the run.

    Raises:
        SpulError: the run, the data or a model does not load, or there is no such split.
    """
    run = opened(run)
    config = run.config.model_copy(update={"data": data, "task": task})
    rows = splits_of(config)
    model = load_model(run)
    posed = task_of(config, LoadedBase(model.base, model.tokenizer), rows)
    return {
        split: score_split(model, posed, posed.pose_all(rows[split]), write=True, seed=config.seed) for split in splits
    }


def _models_beside(run: Run, model: PromptedModel) -> dict[str, LanguageModel]:
    """Return the models that a run is judged by, under the names of the glossary."""
    settings = run.config.model
    models: dict[str, LanguageModel]
    if run.manifest.kind == "unlearn":
        models = {"unlearned": model, "base": _base_of(run, model)}
        others = {"retrained": settings.retrained, "pretrained": settings.pretrained}
    else:
        models = {_own_name(run): model}
        others = {"pretrained": settings.path}
    for name, path in others.items():
        if path is not None:
            models[name] = prompted(run.config, load_base(settings, path))
    return models


def _own_name(run: Run) -> str:
    if run.manifest.kind == "unlearn":
        return "unlearned"
    return "retrained" if run.config.method == "retrain" else "base"


def _base_of(run: Run, model: PromptedModel) -> LanguageModel:
    """Return the model that was unlearned on: without its prompt, or where weights were trained loaded beside."""
    if run.config.trainable == "prompt":
        return WithoutPrompt(model)
    base = load_base(run.config.model)
    if base_identity(base.model, run.config.model.path).digest != run.manifest.base_digest:
        raise RunError(
            f"{run.config.model.path} is not the base model that run {run.path} started from, or is loaded in another "
            "precision; restore it, or start a new run"
        )
    return prompted(run.config, base)
