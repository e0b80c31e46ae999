"""The flags that make a :class:`~spul.config.RunConfig`: one table, shared by the verbs that need one."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from spul.errors import ConfigError

if TYPE_CHECKING:
    from spul.config import RunConfig

__all__ = ["ConfigFlags", "takes_config"]


@dataclass(frozen=True)
class Key:
    """Where a flag's value goes in the configuration, and how it is read.

    Attributes:
        path: the dotted key.
        form: ``"plain"``; ``"list"`` for comma-separated values; ``"mapping"`` for repeated NAME=VALUE.
    """

    path: str
    form: str = "plain"


def _option(panel: str, description: str, *names: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=description, rich_help_panel=panel, metavar=metavar, show_default=False)


_model = functools.partial(_option, "Base model")
_data = functools.partial(_option, "Data")
_task = functools.partial(_option, "Task")
_run = functools.partial(_option, "Run")

Text = str | None
Texts = list[str] | None


@dataclass(frozen=True, kw_only=True)
class ConfigFlags:
    """What the user said of the configuration: a YAML file, flags over it, ``key=value`` over both."""

    overrides: Annotated[
        Texts,
        typer.Argument(
            metavar="KEY=VALUE",
            help="Any setting by its dotted key, say train.num_epochs=3 prompt.kind=direct; wins over file and flags.",
            show_default=False,
        ),
    ] = None
    config: Annotated[
        Path | None, _run("YAML file with the run's settings; flags win over it.", "--config", "-c", metavar="FILE")
    ] = None

    model: Annotated[
        Text, _model("Directory or hub id of the base model.", metavar="PATH_OR_HUB_ID"), Key("model.path")
    ] = None
    revision: Annotated[Text, _model("Branch, tag or commit of a hub id."), Key("model.revision")] = None
    retrained: Annotated[
        Text,
        _model("The model trained on retain alone, to compare with.", metavar="PATH_OR_HUB_ID"),
        Key("model.retrained"),
    ] = None
    pretrained: Annotated[
        Text,
        _model("The model before any fine-tuning, to compare with.", metavar="PATH_OR_HUB_ID"),
        Key("model.pretrained"),
    ] = None
    dtype: Annotated[Text, _model("Of the frozen weights: auto, float32, bfloat16 or float16."), Key("model.dtype")] = (
        None
    )
    quantization: Annotated[
        Text, _model("Load the weights quantised: none, nf4 or int8."), Key("model.quantization")
    ] = None
    device: Annotated[Text, _model("auto, cpu, cuda, cuda:1, …"), Key("model.device")] = None
    trust_remote_code: Annotated[
        bool | None,
        _model("Run code that comes with a hub repository. Only if you trust its authors.", "--trust-remote-code"),
        Key("model.trust_remote_code"),
    ] = None

    forget: Annotated[Text, _data("Training rows to forget.", metavar="SOURCE"), Key("data.forget")] = None
    retain: Annotated[Text, _data("Training rows to keep.", metavar="SOURCE"), Key("data.retain")] = None
    test_forget: Annotated[
        Text,
        _data("Rows like those to forget that no model trained on; split off where missing.", metavar="SOURCE"),
        Key("data.test_forget"),
    ] = None
    test_retain: Annotated[
        Text,
        _data("Rows like those to keep that no model trained on; split off where missing.", metavar="SOURCE"),
        Key("data.test_retain"),
    ] = None
    holdout: Annotated[
        Text, _data("Rows that no model ever saw, for membership inference.", metavar="SOURCE"), Key("data.holdout")
    ] = None
    extra_retain: Annotated[
        Texts,
        _data("Further rows for the training side of retain; repeat for more.", metavar="SOURCE"),
        Key("data.extra_retain"),
    ] = None
    folder: Annotated[
        Text,
        _data("Directory with train_forget.*, train_retain.*, test_forget.*, test_retain.*.", metavar="DIR"),
        Key("data.folder"),
    ] = None
    column: Annotated[
        Texts,
        _data(
            "Which column a field of the template is read from; `answer` is the true answer. Repeat for more.",
            metavar="FIELD=COLUMN",
        ),
        Key("data.columns", "mapping"),
    ] = None
    label_name: Annotated[
        Texts,
        _data(
            "The name of a label that the data holds as a code, say 0=negative. Repeat for more.", metavar="CODE=NAME"
        ),
        Key("data.label_names", "mapping"),
    ] = None

    task: Annotated[Text, _task("Registered task; see `spul list tasks`."), Key("task.name")] = None
    template: Annotated[
        Text,
        _task("Text with {field} placeholders and {answer} last. Newlines must be real: $'…\\n…' in bash."),
        Key("task.template"),
    ] = None
    labels: Annotated[
        Text,
        _task("The task's answers, comma-separated; read from the data where missing."),
        Key("task.labels", "list"),
    ] = None
    generic_answers: Annotated[
        Text,
        _task("Answers outside the labels that the forget set gets, comma-separated."),
        Key("task.generic_answers", "list"),
    ] = None

    method: Annotated[Text, _run("Registered recipe; see `spul list methods`."), Key("method")] = None
    trainable: Annotated[
        Text,
        _run(
            "What is trained: prompt, lora, all weights, or named ones (then trainable_names='[PATTERN, …]' too); the "
            "method's where missing."
        ),
        Key("trainable"),
    ] = None
    retain_budget: Annotated[
        float | None,
        _run(
            "Most by which the retain loss may rise over the base model's, in nats per answer token on the validation "
            "part of retain, say 0.01; the weights of the retain terms follow from it.",
            metavar="NATS",
        ),
        Key("retain.budget"),
    ] = None
    seed: Annotated[int | None, _run("Seed of the training; splits follow data.seed."), Key("seed")] = None
    output_dir: Annotated[
        Text, _run("Directory in which run directories are made.", metavar="DIR"), Key("output_dir")
    ] = None
    name: Annotated[Text, _run("Name of the run, part of its directory's name."), Key("name")] = None

    def given(self) -> list[str]:
        """Return the names of the flags that the user gave."""
        return [field.name for field in fields(self) if getattr(self, field.name) not in (None, [], ())]

    def names_a_model(self) -> bool:
        """Return whether the base model is said somewhere; a file that validates says it."""
        pairs = self.overrides or []
        return bool(self.config or self.model or any(item.startswith("model.path=") for item in pairs))

    def build(self, *forced: str) -> RunConfig:
        """Return the validated configuration; ``forced`` overrides of the verb stand between flags and key=value.

        Raises:
            ConfigError: no base model is named, or something does not validate.
        """
        from spul.config import RunConfig

        items = [*self._as_overrides(), *forced, *(self.overrides or [])]
        if self.config is not None:
            return RunConfig.from_yaml(self.config, items)
        if not (self.names_a_model() or any(item.startswith("model.path=") for item in forced)):
            raise ConfigError(
                "expected a base model, got none. Give --model PATH_OR_HUB_ID with --forget and --retain (or "
                "--folder), or --config FILE. `spul demo` needs neither."
            )
        return RunConfig.build({}, items)

    def _as_overrides(self) -> Iterator[str]:
        # An override's value is YAML, and JSON is YAML: a name such as "1e5" or "no" stays text.
        for name, key in _KEYS.items():
            value = getattr(self, name)
            if value in (None, [], ()):
                continue
            if key.form == "list":
                value = [part.strip() for part in value.split(",")]
            elif key.form == "mapping":
                value = _pairs(name, value)
            yield f"{key.path}={json.dumps(value, ensure_ascii=False)}"


def _pairs(flag: str, items: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in items:
        left, separator, right = item.partition("=")
        if not (left and separator and right):
            raise ConfigError(f"expected --{flag.replace('_', '-')} NAME=VALUE, got {item!r}")
        if left in pairs:
            raise ConfigError(
                f"--{flag.replace('_', '-')} names {left!r} twice: {pairs[left]!r} and {right!r}. Keep one."
            )
        pairs[left] = right
    return pairs


_HINTS = get_type_hints(ConfigFlags, include_extras=True)
_KEYS = {
    field.name: key for field in fields(ConfigFlags) for key in _HINTS[field.name].__metadata__ if isinstance(key, Key)
}


def takes_config(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the flags of :class:`ConfigFlags` in place of its first parameter."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=_HINTS[field.name]
        )
        for field in fields(ConfigFlags)
    ]

    def run(**values: Any) -> None:
        flags = ConfigFlags(**{parameter.name: values.pop(parameter.name) for parameter in shared})
        command(flags, **values)

    # typer reads a command's options from its signature.
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature([*shared, *own])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*shared, *own)}
    return run
