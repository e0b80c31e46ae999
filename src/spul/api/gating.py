"""A gate that decides which queries a run's prompt is applied to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spul.api.loading import encoder_of, load_model, opened
from spul.api.setting import check_data
from spul.config import RunConfig
from spul.data.loading import load_splits
from spul.models.prompted import PromptedModel
from spul.runs import Run
from spul.scopes import SCOPES, Gate, learn_gate, save_gate
from spul.types import Splits


def add_gate(run: Run | str | Path, overrides: Sequence[str] = ()) -> Run:
    """Give a finished run a scope gate, or another one; nothing is trained anew.

    Where the run was evaluated, the gated model's samples and metrics are written beside the others, from the samples
    that are stored.

    Args:
        run: of a soft prompt.
        overrides: settings of the gate, ``scope.epsilon=0.01`` say, over those that the run has.

    Raises:
        SpulError: the run or its data does not load, there are too few calibration rows, or the settings do not do.
    """
    from spul.evaluation import recompute_metrics, write_gated_samples

    run = opened(run)
    config = RunConfig.build(run.config.model_dump(mode="json"), ["scope.name=gate", *overrides])
    with run.lock():
        splits = load_splits(config.data, fields=config.task.fields, generic=config.task.generic_answers)
        check_data(run, splits)
        model = load_model(run) if SCOPES.get(config.scope.detector).reads_base else None
        gate = gate_for(config, splits, config.task.generic_answers, model)
        run.unseal("scope", "config.yaml", "eval/unlearned_gated", "metrics.json", "report.html")
        save_gate(run.scope_dir, gate)
        run.reconfigure(config)
        if run.sample_places():
            write_gated_samples(run, gate, splits)
            recompute_metrics(run)
        # It shows the numbers from before.
        (run.path / "report.html").unlink(missing_ok=True)
        run.seal()
    return run


def gate_for(config: RunConfig, splits: Splits, generic_answers: Sequence[str], model: PromptedModel | None) -> Gate:
    """Learn the gate that the configuration asks for; the model is for detectors that read the base."""
    return learn_gate(
        config.scope,
        splits,
        config.data,
        fields=config.task.fields,
        generic_answers=generic_answers,
        encode=None if model is None else encoder_of(model),
    )
