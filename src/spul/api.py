"""The public functions: one for each thing that is done with a run."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import ValidationError

from spul.advice import Advice, Facts, look, weigh
from spul.config import RunConfig
from spul.data.loading import load_splits
from spul.data.settings import DataSettings
from spul.data.templates import Template
from spul.errors import ConfigError, DataError, RunError, SpulError
from spul.methods import METHODS
from spul.models.adapter import check_base, load_adapter
from spul.models.features import text_vectors
from spul.models.identity import BaseIdentity, base_identity
from spul.models.loading import LoadedBase, context_length, load_base
from spul.models.prompted import PromptedModel, WithoutPrompt
from spul.progress import progress_bars
from spul.prompts import PROMPTS, FixedPrompt, PromptEncoder
from spul.runs import Run
from spul.scopes import SCOPES, Encode, Gate, GatedModel, learn_gate, load_gate, save_gate
from spul.tasks import TASKS, Task, build_task, score_split
from spul.tasks.settings import TaskSettings
from spul.training.parts import TrainedPart, prompt_part, weights_part
from spul.training.plan import TrainingPlan
from spul.training.rate_range import RangeTest, range_test
from spul.training.search import search_learning_rate
from spul.training.step import Objective
from spul.training.targets import prepare_targets
from spul.training.train import pose_rows, teacher_answers, train
from spul.types import LanguageModel, Sample, Splits

if TYPE_CHECKING:
    from spul.exports import ExportResult
    from spul.exports.reference import Calibration

__all__ = [
    "add_gate",
    "advise",
    "evaluate",
    "export",
    "finetune",
    "load_gated_model",
    "load_model",
    "report",
    "score_on",
    "unlearn",
]

logger = logging.getLogger(__name__)


class Advised(NamedTuple):
    """What was found, and what is advised because of it."""

    facts: Facts
    advice: Advice


class _Setting(NamedTuple):
    """What a run stands on."""

    base: LoadedBase
    identity: BaseIdentity
    splits: Splits
    task: Task


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
    setting = _set_up(config)
    part = _part(config, setting)
    # Before the training, so that too few calibration rows are found out before it, and kept after it.
    gate = None
    if config.scope.name == "gate":
        gate = _learn_gate(config, setting.splits, setting.task.answers.generic, _prompted(config, setting.base))
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
    setting = _set_up(config)
    part = weights_part(config, setting.base)
    run = _open_or_create(config, "finetune", setting, resume, directory)
    return _train(run, part, setting, resume=resume is not None)


def learning_rate_range(
    config: RunConfig, *, lowest: float = 1e-5, highest: float = 1.0, steps: int = 100
) -> RangeTest:
    """Train for some steps at a learning rate that rises from ``lowest`` to ``highest``, and keep nothing.

    The suggestion is where the training loss falls fastest; nothing is validated.

    Raises:
        ConfigError: the range is empty, or settings do not do.
    """
    if not 0 < lowest < highest:
        raise ConfigError(f"expected a first learning rate below the last one, got {lowest:g} and {highest:g}")
    setting = _set_up(config)
    part = _part(config, setting)
    short = config.train.model_copy(update={"max_steps": steps})
    rows = pose_rows(config, part.model, setting.task, setting.splits)
    plan = TrainingPlan(rows.forget, rows.retain, short, seed=config.seed, pad_id=part.model.pad_id)
    with tempfile.TemporaryDirectory() as directory:
        run = Run.create(config, "unlearn", path=Path(directory))
        targets = prepare_targets(run, part.model, setting.task, setting.splits)
        file = run.checkpoints_dir / "teacher.safetensors"
        digest = setting.identity.digest
        teacher = teacher_answers(file, config, part.model, rows.retain, digest) if config.retain.beta else None
        objective = Objective(config.objective, config.retain.alpha, config.retain.beta, targets)
        return range_test(
            part.model,
            plan,
            objective,
            teacher,
            lowest=lowest,
            highest=highest,
            max_grad_norm=short.max_grad_norm,
            betas=(short.adam_beta1, short.adam_beta2),
        )


def advise(config: RunConfig, *, seconds: float = 60.0) -> Advised:
    """Look at base and data, train short probes, and say which form of unlearning is likely to work.

    Nothing is kept, and no test row is looked at.

    Args:
        config: of the run that is meant; with a method that asks for generic answers.
        seconds: by the clock, for the probes together; looking and scoring come on top.

    Raises:
        SpulError: settings, data or model that do not do.
    """
    if seconds <= 0:
        raise ConfigError(f"expected seconds above 0 for the probes, got {seconds:g}")
    setting = _set_up(config)
    facts = look(config, setting.base, setting.identity, setting.task, setting.splits, seconds)
    return Advised(facts, weigh(facts))


def load_model(run: Run | str | Path) -> PromptedModel:
    """Return the run's model: the base behind its soft prompt, or the checkpoint of trained weights.

    Raises:
        AdapterError: the base model is not the one that the prompt was learned on.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    if run.config.trainable != "prompt":
        return _prompted(run.config, load_base(run.config.model, str(run.model_dir)))
    base = load_base(run.config.model)
    adapter = load_adapter(run.adapter_dir)
    check_base(adapter, base_identity(base.model, run.config.model.path))
    encoder = FixedPrompt(adapter.values, adapter.level, adapter.placement).to(base.model.device)
    return _prompted(run.config, base, encoder)


def load_gated_model(run: Run | str | Path) -> GatedModel:
    """Return the run's model behind its scope gate: the prompt for queries in scope, the base for all others.

    Raises:
        RunError: the run has no gate.
        AdapterError: the base model is not the one that the prompt was learned on.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    if run.config.scope.name != "gate":
        raise RunError(f"run {run.path} has no scope gate; give it one with `spul gate {run.path}`")
    model = load_model(run)
    return GatedModel(model, load_gate(run.scope_dir, _encoder(model)), Template.parse(run.config.task.template))


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

    run = run if isinstance(run, Run) else Run.open(run)
    config = RunConfig.build(run.config.model_dump(mode="json"), ["scope.name=gate", *overrides])
    with run.lock():
        splits = load_splits(config.data, fields=config.task.fields, generic=config.task.generic_answers)
        _check_data(run, splits)
        model = load_model(run) if SCOPES.get(config.scope.detector).reads_base else None
        gate = _learn_gate(config, splits, config.task.generic_answers, model)
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

    run = run if isinstance(run, Run) else Run.open(run)
    config = run.config
    with run.lock():
        splits = _splits(config)
        _check_data(run, splits)
        model = load_model(run)
        task = _task(config, LoadedBase(model.base, model.tokenizer), splits)
        run.unseal("eval", "metrics.json", "report.html")
        with progress_bars() as progress:
            gate = load_gate(run.scope_dir, _encoder(model)) if config.scope.name == "gate" else None
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
    run = run if isinstance(run, Run) else Run.open(run)
    config = run.config.model_copy(update={"data": data, "task": task})
    rows = _splits(config)
    model = load_model(run)
    posed = _task(config, LoadedBase(model.base, model.tokenizer), rows)
    return {
        split: score_split(model, posed, posed.pose_all(rows[split]), write=True, seed=config.seed) for split in splits
    }


def report(runs: Sequence[Run | str | Path], output: str | Path | None = None) -> Path:
    """Write one self-contained HTML page over evaluated runs and return its path.

    Without ``output`` a single run's report goes into its directory.

    Raises:
        RunError: a run was not evaluated.
    """
    from spul.reports import write_report

    opened = [run if isinstance(run, Run) else Run.open(run) for run in runs]
    if output is None and len(opened) != 1:
        raise ConfigError(f"a report over {len(opened)} runs needs an output path")
    if output is not None:
        return write_report(opened, Path(output))
    run = opened[0]
    with run.lock():
        run.unseal("report.html")
        path = write_report(opened, run.path / "report.html")
        run.seal()
    return path


def export(
    run: Run | str | Path,
    to: str,
    output: str | Path | None = None,
    *,
    calibration: str | Path | None = None,
    max_soft_mass: float = 1e-6,
    keep_tied: bool = False,
    base_name: str | None = None,
    push: str | None = None,
) -> ExportResult:
    """Make what others load or serve from a run's soft prompt, and check it against the run's own forward pass.

    Args:
        run: a complete run that learned a soft prompt.
        to: registered format (``peft``, ``prefix``, ``baked``, ``gguf``).
        output: directory to make; ``exports/<format>`` in the run's if missing.
        calibration: text file, one text a line, that the export is checked on; the run's retain rows if missing.
        max_soft_mass: most probability that soft tokens may get as output.
        keep_tied: leave tied embeddings tied in a checkpoint.
        base_name: what the export calls its base model.
        push: repository on a hub that it is uploaded to, as OWNER/NAME.

    Raises:
        ExportError: the run or its base model does not do for the format, there is something at the output already, or
            a check failed. Nothing is left behind then.
    """
    from spul.exports import ExportSettings, Source, check_exportable, write_export
    from spul.exports.push import check_repository, push_export
    from spul.exports.reference import take_reference

    run = run if isinstance(run, Run) else Run.open(run)
    destination = Path(output) if output is not None else run.exports_dir / to
    check_exportable(run, to, destination)
    if push is not None:
        check_repository(push)
    try:
        settings = ExportSettings(max_soft_mass=max_soft_mass, keep_tied=keep_tied, base_name=base_name)
    except ValidationError as error:
        raise ConfigError(f"expected max_soft_mass above 0 and at most 1, got {max_soft_mass}") from error
    model = load_model(run)
    reference = take_reference(model, _calibration(run, model, calibration))
    source = Source(run, model, load_adapter(run.adapter_dir), reference, settings)
    result = write_export(source, to, destination)
    return result if push is None else replace(result, address=push_export(result.path, push))


def _calibration(run: Run, model: PromptedModel, file: str | Path | None) -> Calibration:
    """Return the text that an export of the run is checked on.

    Raises:
        DataError: neither the file nor the run's data can be read.
    """
    from spul.exports.reference import from_file, from_task

    if file is not None:
        return from_file(Path(file), model)
    try:
        splits = load_splits(run.config.data, fields=run.config.task.fields)
    except DataError as error:
        raise DataError(f"{error} (to check an export without the run's data, give --calibration FILE)") from error
    return from_task(_task(run.config, LoadedBase(model.base, model.tokenizer), splits), splits)


def _learn_gate(config: RunConfig, splits: Splits, generic_answers: Sequence[str], model: PromptedModel | None) -> Gate:
    return learn_gate(
        config.scope,
        splits,
        config.data,
        fields=config.task.fields,
        generic_answers=generic_answers,
        encode=None if model is None else _encoder(model),
    )


def _encoder(model: PromptedModel) -> Encode:
    return lambda texts: text_vectors(model, texts)


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
            models[name] = _prompted(run.config, load_base(settings, path))
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
    return _prompted(run.config, base)


def _set_up(config: RunConfig) -> _Setting:
    # What cannot work is found before anything large is loaded.
    if config.trainable in ("all", "named") and config.model.quantization != "none":
        raise ConfigError("quantised weights cannot be trained; set trainable=lora (QLoRA), or model.quantization=none")
    PROMPTS.get(config.prompt.kind)
    SCOPES.get(config.scope.detector)
    TASKS.get(config.task.name)
    splits = _splits(config)
    base = load_base(config.model)
    identity = base_identity(base.model, config.model.path)
    return _Setting(base, identity, splits, _task(config, base, splits))


def _part(config: RunConfig, setting: _Setting) -> TrainedPart:
    if config.trainable == "prompt":
        return prompt_part(config, setting.base, setting.identity, setting.task.answers.generic)
    return weights_part(config, setting.base)


def _splits(config: RunConfig) -> Splits:
    task = config.task
    return load_splits(
        config.data,
        fields=task.fields,
        generic=task.generic_answers,
        continued=task.continued,
        alternatives=task.is_free_text,
    )


def _prompted(config: RunConfig, base: LoadedBase, encoder: PromptEncoder | None = None) -> PromptedModel:
    rows, chat = config.evaluation.batch_size, config.task.chat
    return PromptedModel(base.model, base.tokenizer, encoder, batch_size=rows, chat=chat)


def _task(config: RunConfig, base: LoadedBase, splits: Splits) -> Task:
    context = context_length(base.model)
    wanted = config.task.max_length or context
    if wanted > context:
        raise ConfigError(f"task.max_length={wanted} exceeds the model's context of {context} tokens; lower it")
    virtual = config.prompt.num_virtual_tokens if config.trainable == "prompt" else 0
    if virtual >= wanted:
        raise ConfigError(
            f"{virtual} virtual tokens leave no room for text in {wanted} tokens; lower prompt.num_virtual_tokens"
        )
    answers = {example.answer for example in (*splits.train_forget, *splits.train_retain)}
    return build_task(config.task, base.tokenizer, max_length=wanted - virtual, labels=sorted(answers))


def _open_or_create(
    config: RunConfig,
    kind: Literal["unlearn", "finetune"],
    setting: _Setting,
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
    _check_data(run, setting.splits)
    return run


def _check_data(run: Run, splits: Splits) -> None:
    found = splits.digests()
    recorded = run.manifest.split_digests
    changed = sorted(name for name in found.keys() | recorded.keys() if found.get(name) != recorded.get(name))
    if changed:
        raise RunError(
            f"the data of run {run.path} has changed since it was started ({', '.join(changed)}); restore it, or start "
            "a new run"
        )


def _train(run: Run, part: TrainedPart, setting: _Setting, *, resume: bool, gate: Gate | None = None) -> Run:
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
