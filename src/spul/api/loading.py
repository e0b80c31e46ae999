"""A run's model, as it was trained."""

from __future__ import annotations

from pathlib import Path

from spul.config import RunConfig
from spul.data.templates import Template
from spul.errors import RunError
from spul.models.adapter import check_base, load_adapter
from spul.models.features import text_vectors
from spul.models.identity import base_identity
from spul.models.loading import LoadedBase, load_base
from spul.models.prompted import PromptedModel
from spul.prompts import FixedPrompt, PromptEncoder
from spul.runs import Run
from spul.scopes import Encode, GatedModel, load_gate


def opened(run: Run | str | Path) -> Run:
    """Return the run itself, or the one that lies at the path.

    Raises:
        RunError: there is no complete run.
    """
    return run if isinstance(run, Run) else Run.open(run)


def load_model(run: Run | str | Path) -> PromptedModel:
    """Return the run's model: the base behind its soft prompt, or the checkpoint of trained weights.

    Raises:
        AdapterError: the base model is not the one that the prompt was learned on.
    """
    run = opened(run)
    if run.config.trainable != "prompt":
        return prompted(run.config, load_base(run.config.model, str(run.model_dir)))
    base = load_base(run.config.model)
    adapter = load_adapter(run.adapter_dir)
    check_base(adapter, base_identity(base.model, run.config.model.path))
    encoder = FixedPrompt(adapter.values, adapter.level, adapter.placement).to(base.model.device)
    return prompted(run.config, base, encoder)


def load_gated_model(run: Run | str | Path) -> GatedModel:
    """Return the run's model behind its scope gate: the prompt for queries in scope, the base for all others.

    Raises:
        RunError: the run has no gate.
        AdapterError: the base model is not the one that the prompt was learned on.
    """
    run = opened(run)
    if run.config.scope.name != "gate":
        raise RunError(f"run {run.path} has no scope gate; give it one with `spul gate {run.path}`")
    model = load_model(run)
    return GatedModel(model, load_gate(run.scope_dir, encoder_of(model)), Template.parse(run.config.task.template))


def prompted(config: RunConfig, base: LoadedBase, encoder: PromptEncoder | None = None) -> PromptedModel:
    """Return the base behind what the encoder puts in front, asked in batches and turns as the configuration says."""
    rows, chat = config.evaluation.batch_size, config.task.chat
    return PromptedModel(base.model, base.tokenizer, encoder, batch_size=rows, chat=chat)


def encoder_of(model: PromptedModel) -> Encode:
    """Return what turns texts into the base model's vectors, for a detector."""
    return lambda texts: text_vectors(model, texts)
