"""RunConfig, the one typed configuration.

Precedence, lowest first: the defaults here, the method's defaults (:mod:`spul.methods`), the YAML file,
``key=value`` overrides. The result is validated, frozen and passed on explicitly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BeforeValidator,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from spul.data.settings import DataSettings
from spul.errors import ConfigError, unknown_name
from spul.methods import METHODS
from spul.models.settings import LoraSettings, ModelSettings
from spul.objectives import OBJECTIVES, ForgetObjective, Sought
from spul.prompts.settings import PromptSettings
from spul.scopes.settings import ScopeSettings
from spul.settings import Settings
from spul.tasks.settings import TaskSettings

__all__ = [
    "EvalSettings",
    "RetainSettings",
    "RunConfig",
    "TrainSettings",
    "explain",
    "read_yaml",
    "with_overrides",
]


def _resolve_objective(value: Any) -> Any:
    if isinstance(value, ForgetObjective):
        return value
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping) or "name" not in value:
        raise ValueError("expected an objective's name, or a mapping with `name` and its settings")
    return OBJECTIVES.get(value["name"]).model_validate(dict(value))


Objective = Annotated[SerializeAsAny[ForgetObjective], BeforeValidator(_resolve_objective)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class RetainSettings(Settings):
    """Weights of the retain terms: L = L_f + alpha·L_r + beta·L_kl (Bhaila et al. 2025).

    Attributes:
        alpha: weight of the cross-entropy to the true answer on retain rows.
        beta: weight of the KL divergence from the unprompted base model on retain rows.
        budget: in place of weights, what forgetting may cost: the rise of the retain loss over that of the base model,
            in nats per answer token on the validation part of retain. A multiplier of the method's own ``alpha`` and
            ``beta`` is moved so that it is kept (see docs/adr/0006-retain-budget.md).
        budget_steps: steps between two measurements of that rise; a fiftieth of the run if missing.
    """

    alpha: Annotated[float, Field(ge=0)] = 1.0
    beta: Annotated[float, Field(ge=0)] = 0.5
    budget: Positive | None = None
    budget_steps: Count | None = None

    @model_validator(mode="after")
    def _something_to_scale(self) -> RetainSettings:
        if self.budget_steps is not None and self.budget is None:
            raise ValueError("`budget_steps` goes with `budget`; leave it out, or say what forgetting may cost")
        if self.budget is not None and not (self.alpha or self.beta):
            raise ValueError(
                "a budget scales the method's retain terms, and this method has none (alpha = beta = 0); choose one "
                "that has (spul, ga_gd, ga_kl), or leave the budget out"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_weights_that_follow(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Where a budget is given the weights are the method's, and to give both is an error; so a file has one of them.
        values: dict[str, Any] = serialize(self)
        weights = ("alpha", "beta") if self.budget is not None else ()
        return {name: value for name, value in values.items() if name not in weights}


class TrainSettings(Settings):
    """How the trainable part is trained; defaults are the paper's unless said.

    Attributes:
        learning_rate: peak learning rate. The paper's 1e-4 is for 1 B parameters and more; small models want far more.
        learning_rate_search: peak learning rates to try first, one short run each from the same start; the run goes on
            with the one that scores best on validation (on train where ``validation_share`` is 0, never on test), and
            ``learning_rate`` is not used.
        search_max_steps: steps of such a short run; those of the run if missing.
        embedding_learning_rate: of the token embeddings, when all weights are trained; ``learning_rate`` if missing.
        num_epochs: passes; an epoch is ceil((forget + retain rows) / batch_size) steps whatever ``forget_ratio`` is.
        max_steps: stop after that many steps; overrides ``num_epochs``.
        batch_size: rows of one optimiser step.
        micro_batch_size: rows of one forward pass; ``batch_size`` if missing, else gradients are accumulated.
        forget_ratio: share of forget rows in every batch, or ``natural`` for shuffled rows as in the paper (there the
            batch size silently sets the balance, so our default is one half).
        curriculum: share of the steps within which the groups of forget rows (``data.columns.group``: a person, say)
            come in one after another, in an order drawn by the seed; all are there from the first step if missing.
            Until then, a row of a group that is still out is replaced by one of those that are in.
        warmup_ratio: share of the steps in which the learning rate rises linearly.
        schedule: shape after warm-up.
        min_lr_ratio: the cosine ends at that share of the peak.
        weight_decay: of AdamW.
        max_grad_norm: gradients are clipped to that norm.
        adam_beta1, adam_beta2: decay rates of AdamW's two averages.
        precision: ``auto`` is bf16 where an accelerator has it, else fp32.
        eval_steps: steps between validations; a tenth of the run if missing.
        save_steps: steps between checkpoints; ``eval_steps`` if missing.
        patience: stop after that many validations without a better one; never if missing.
        keep: what is kept: the trained part as of the ``best`` validation, or the ``last``.
        average_last: with ``keep: last``, keep the mean of the trained part over that many last steps instead.
        validate_forget: which answers to validation-forget rows are a success: ``generic`` ones, ``wrong`` ones (any
            but the truth), ``right`` ones or those of a target (``matched``); ``auto`` is what the objective seeks. A
            validation's score is the harmonic mean of their share (of ``matched``, their overlap) and the accuracy on
            validation-retain rows; without an objective, that accuracy alone.
        report_to: trackers, passed to transformers (``tensorboard``, ``wandb``, ``mlflow``, ``trackio``).
        num_threads: CPU threads; ``auto`` measures one against all at start-up, and says so.
        group_by_length: put rows of like length in one batch.
    """

    learning_rate: Positive = 1e-4
    learning_rate_search: tuple[Positive, ...] = ()
    search_max_steps: Count | None = None
    embedding_learning_rate: Positive | None = None
    num_epochs: Positive = 10.0
    max_steps: Count | None = None
    batch_size: Count = 32
    micro_batch_size: Count | None = None
    forget_ratio: Annotated[float, Field(gt=0, lt=1)] | Literal["natural"] = 0.5
    curriculum: Annotated[float, Field(gt=0, le=1)] | None = None
    warmup_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    min_lr_ratio: Annotated[float, Field(ge=0, le=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    max_grad_norm: Positive = 0.3
    adam_beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    adam_beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    eval_steps: Count | None = None
    save_steps: Count | None = None
    patience: Count | None = None
    keep: Literal["best", "last"] = "best"
    average_last: Count | None = None
    validate_forget: Sought | Literal["auto"] = "auto"
    report_to: tuple[str, ...] = ()
    num_threads: Count | Literal["auto"] = "auto"
    group_by_length: bool = True

    @model_validator(mode="after")
    def _micro_divides(self) -> TrainSettings:
        if self.micro_batch_size is not None and self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"expected batch_size to be a multiple of micro_batch_size, got {self.batch_size} and "
                f"{self.micro_batch_size}"
            )
        return self

    @model_validator(mode="after")
    def _averages_the_last(self) -> TrainSettings:
        if self.average_last is not None and self.keep != "last":
            raise ValueError("train.average_last keeps the mean of the last steps; it goes with `keep: last` only")
        return self

    @model_validator(mode="after")
    def _rates_differ(self) -> TrainSettings:
        if len(set(self.learning_rate_search)) < len(self.learning_rate_search):
            raise ValueError(f"expected learning_rate_search to name each rate once, got {self.learning_rate_search}")
        return self


class EvalSettings(Settings):
    """How models are evaluated.

    Attributes:
        batch_size: rows of one forward pass.
        bootstrap: resamples behind every 95 % interval.
        max_rows: most rows of a split that are scored, drawn with the run's seed; all if missing.
    """

    batch_size: Count = 64
    bootstrap: Annotated[int, Field(ge=100)] = 1000
    max_rows: Count | None = None


class RunConfig(Settings):
    """Everything that decides what a run does; the same file rerun gives the same run.

    Attributes:
        method: registered recipe; it sets the defaults of much below.
        model: the base model.
        data: where the examples come from.
        task: how they are posed and answered.
        trainable: a soft prompt in front of a frozen model, LoRA matrices (merged at the end), all weights, or those
            with certain names.
        trainable_names: with ``trainable: named``, patterns of parameter names as in a shell (``*.mlp.down_proj.*``).
        prompt: the soft prompt.
        scope: whether a gate decides which queries the prompt is applied to.
        lora: the LoRA matrices.
        objective: registered forget objective, by name or with its settings; none leaves the forget set out.
        retain: weights of the retain terms.
        train: how training goes.
        evaluation: how models are evaluated.
        seed: of generic answers, first values, order of the rows and intervals; the data have a seed of their own.
        output_dir: directory in which run directories are made.
        name: part of the run directory's name; the method's where missing.
    """

    method: str = "spul"
    model: ModelSettings
    data: DataSettings
    task: TaskSettings = TaskSettings()
    trainable: Literal["prompt", "lora", "all", "named"] = "prompt"
    trainable_names: tuple[str, ...] = ()
    prompt: PromptSettings = PromptSettings()
    scope: ScopeSettings = ScopeSettings()
    lora: LoraSettings = LoraSettings()
    objective: Objective | None = None
    retain: RetainSettings = RetainSettings()
    train: TrainSettings = TrainSettings()
    evaluation: EvalSettings = EvalSettings()
    seed: int = 0
    output_dir: str = "runs"
    name: Annotated[str, Field(pattern=r"^[\w.-]+$")] | None = None

    @model_validator(mode="after")
    def _names_go_with_named(self) -> RunConfig:
        if (self.trainable == "named") != bool(self.trainable_names):
            raise ValueError(
                "expected trainable_names with `trainable: named` and only there, got "
                f"trainable={self.trainable} and {len(self.trainable_names)} name(s)"
            )
        return self

    @model_validator(mode="after")
    def _targets_are_made(self) -> RunConfig:
        if self.train.validate_forget == "matched" and not (self.objective and self.objective.needs_target):
            raise ValueError("train.validate_forget=matched compares with targets, which only objective=matched makes")
        return self

    @model_validator(mode="after")
    def _gate_goes_with_a_prompt(self) -> RunConfig:
        if self.scope.name == "gate" and self.trainable != "prompt":
            raise ValueError(f"scope.name=gate stands in front of a soft prompt, not of trainable={self.trainable}")
        return self

    @classmethod
    def build(cls, values: Mapping[str, Any], overrides: Sequence[str] = ()) -> RunConfig:
        """Merge the method's defaults, ``values`` and ``key=value`` overrides, and validate.

        Raises:
            ConfigError: an unknown method or key, or a value of the wrong type or out of range.
        """
        merged = with_overrides(values, overrides)
        _budget_or_weights(merged.get("retain"))
        recipe = METHODS.get(str(merged.get("method", "spul")))
        objective = merged.get("objective")
        if isinstance(objective, Mapping) and "name" not in objective and recipe.objective is not None:
            # Settings alone are those of the method's own objective.
            merged["objective"] = {"name": recipe.objective, **objective}
        try:
            return cls.model_validate(_merge(recipe.defaults(), merged))
        except ValidationError as error:
            raise ConfigError(explain(error, cls)) from error

    @classmethod
    def from_yaml(cls, path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
        """Read a YAML file, apply ``key=value`` overrides, validate.

        Raises:
            ConfigError: the file is missing, is no YAML mapping, or does not validate.
        """
        return cls.build(read_yaml(path), overrides)

    def to_yaml(self) -> str:
        """Return the resolved configuration as YAML; reading it back gives an equal one."""
        values = self.model_dump(mode="json")
        text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        if yaml.safe_load(text) != values:
            # Written as they are, the line breaks U+0085, U+2028 and U+2029 are folded when read; escapes are not.
            text = yaml.safe_dump(values, sort_keys=False)
        return text


def _budget_or_weights(retain: Any) -> None:
    given = [name for name in ("alpha", "beta") if isinstance(retain, Mapping) and retain.get(name) is not None]
    if given and retain.get("budget") is not None:
        raise ConfigError(
            f"expected retain.budget or retain.{' and retain.'.join(given)}, got both: weights follow from a "
            "budget. Leave one of them out."
        )


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        ConfigError: the file is missing, or is no YAML mapping.
    """
    file = Path(path)
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"expected a YAML file at {file}, but it cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"expected a mapping at the top of {file}, got {type(values).__name__}")
    return values


def with_overrides(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a copy of ``values`` in which each ``key=value`` stands at its dotted key.

    Raises:
        ConfigError: an override is not of that form.
    """
    merged = _merge({}, values)
    for item in overrides:
        _apply_override(merged, item)
    return merged


def _merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings recursively into new ones; ``top`` wins.

    An objective is replaced whole, since its settings go by its name.
    """
    out = dict(base)
    for key, value in top.items():
        below = out.get(key) if key != "objective" else None
        if isinstance(value, Mapping):
            out[key] = _merge(below if isinstance(below, Mapping) else {}, value)
        else:
            out[key] = value
    return out


def _apply_override(values: dict[str, Any], item: str) -> None:
    key, separator, text = item.partition("=")
    if not separator or not key:
        raise ConfigError(f"expected an override of the form key=value, got {item!r}")
    *parents, leaf = key.split(".")
    here = values
    for part in parents:
        if not isinstance(here.get(part), dict):
            here[part] = {} if here.get(part) is None else {"name": here[part]}
        here = here[part]
    try:
        here[leaf] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"the value of override {item!r} is not valid YAML: {error}") from error


def explain(error: ValidationError, settings: type[Settings]) -> str:
    """Return what is wrong with values for ``settings``, a line each, with the closest name for an unknown one."""
    lines = []
    for detail in error.errors():
        # Of a setting that may be one of several things, pydantic names the alternative too; that is not a key.
        key = ".".join(str(part) for part in detail["loc"] if not re.match(r"constrained-|[\w-]+\[", str(part)))
        if detail["type"] == "extra_forbidden":
            parent, _, leaf = key.rpartition(".")
            message = unknown_name("setting", leaf, _fields_at(parent, settings)) + (
                f" (in `{parent}`)" if parent else ""
            )
        else:
            came = "" if detail["type"] in {"missing", "value_error"} else f", got {detail['input']!r}"
            message = f"{key or 'configuration'}: {detail['msg'].removeprefix('Value error, ')}{came}"
        lines.append(message)
    return "\n".join(lines)


def _fields_at(dotted: str, settings: type[Settings]) -> list[str]:
    model: Any = settings
    for part in dotted.split(".") if dotted else []:
        annotation = model.model_fields[part].annotation if part in getattr(model, "model_fields", {}) else None
        if not (isinstance(annotation, type) and issubclass(annotation, Settings)):
            return []
        model = annotation
    return list(model.model_fields)
