"""docs/configuration.md: every setting with its default and where the default comes from."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any, get_args

from pydantic.fields import FieldInfo

from docs_pages.default_sources import SOURCES
from spul.config import RunConfig
from spul.methods import METHODS
from spul.settings import Settings

__all__ = ["fields_of", "page"]

INTRODUCTION = """# Configuration

Made from the typed models by `make docs`; `make check` fails where it is out of date.

A run is decided by one typed configuration, `RunConfig`. It is put together in this order, later wins: the defaults
below, the method's defaults (last section), the YAML file, flags, `key=value`. Unknown keys are refused, with the
closest known one suggested. Keys are dotted: `train.learning_rate=0.001` on the command line is

```yaml
train:
  learning_rate: 0.001
```

in a file. The resolved configuration is kept as `config.yaml` in the run directory; running that again repeats the run.

"Paper" is Bhaila, Van, Wu: *Soft Prompting for Unlearning in Large Language Models*, NAACL 2025 (arXiv:2406.12038).
"""


def page() -> str:
    """Return the page.

    Raises:
        RuntimeError: a setting has no description in its class's docstring, or no source in ``SOURCES``.
    """
    found = dict(fields_of(RunConfig))
    if wrong := sorted(found.keys() ^ SOURCES.keys()):
        raise RuntimeError(f"settings and default_sources.py do not agree on: {', '.join(wrong)}")
    parts = [INTRODUCTION, _table("Top level", RunConfig, "")]
    parts += _sections(RunConfig, "")
    parts.append(_methods())
    return "\n".join(parts)


def _sections(model: type[Settings], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if section := _settings_of(field):
            yield _table(f"`{prefix}{name}`", section, f"{prefix}{name}.")
            yield from _sections(section, f"{prefix}{name}.")


def fields_of(model: type[Settings], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield every leaf of the configuration by its dotted key."""
    for name, field in model.model_fields.items():
        if nested := _settings_of(field):
            yield from fields_of(nested, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def _settings_of(field: FieldInfo) -> type[Settings] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Settings) and not inspect.isabstract(kind) else None


def _table(title: str, model: type[Settings], prefix: str) -> str:
    meanings = _attributes(model)
    summary = (inspect.getdoc(model) or "").partition("\n\n")[0].replace("\n", " ")
    lines = [
        f"## {title}",
        "",
        summary,
        "",
        "| key | type | default | what it is | where the default comes from |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        if _settings_of(field):
            lines.append(f"| `{key}` | section | | {meanings[name]} | |")
        elif name not in meanings:
            raise RuntimeError(f"{model.__name__} does not say in its docstring what {name} is")
        else:
            lines.append(f"| `{key}` | {_type(field)} | {_default(field)} | {meanings[name]} | {SOURCES[key]} |")
    return "\n".join(lines) + "\n"


def _attributes(model: type[Settings]) -> dict[str, str]:
    """Read the ``Attributes:`` section of a docstring: name → description in Markdown."""
    section = (inspect.getdoc(model) or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    meanings: dict[str, str] = {}
    for entry in re.split(r"\n(?= {4}\w)", section.rstrip()):
        names, _, text = " ".join(entry.split()).partition(": ")
        meanings |= {name.strip(): _markdown(text) for name in names.split(",")}
    return meanings


def _markdown(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def _type(field: FieldInfo) -> str:
    return _spell(field.annotation).replace("|", "\\|")


def _spell(kind: Any) -> str:
    if arguments := get_args(kind):
        origin = getattr(kind, "__name__", "")
        if origin == "Literal":
            return ", ".join(f"`{value}`" for value in arguments)
        if origin in {"dict", "tuple"}:
            return "mapping" if origin == "dict" else "list"
        if origin == "Annotated":
            return _spell(arguments[0])
        return " or ".join(_spell(part) for part in arguments if part is not type(None))
    if isinstance(kind, type) and issubclass(kind, Settings):
        return "name, or mapping with `name`"
    return {"str": "text", "int": "integer", "float": "number", "bool": "yes or no"}[kind.__name__]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}):
        return "none"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | tuple | bool) else f"{value:g}"
    return f"`{text.replace('|', chr(92) + '|')}`"


def _methods() -> str:
    lines = ["## What the methods set", "", "A recipe's values stand in place of the defaults above.", ""]
    for name in METHODS.names():
        recipe = METHODS.get(name)
        settings = ", ".join(f"`{key}={_yaml(value)}`" for key, value in _leaves(recipe.defaults(), ""))
        entry = f"- **{name}**: {recipe.summary} {settings}."
        lines += textwrap.wrap(entry, 120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def _leaves(values: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _yaml(value: Any) -> str:
    return "null" if value is None else str(value)
