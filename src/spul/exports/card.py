"""The model card of an export. It says what the prompt does in general words, and nothing of whom or what it hides."""

from __future__ import annotations

from collections.abc import Sequence

from huggingface_hub import ModelCard, ModelCardData

from spul.exports._base import Source
from spul.exports._names import hub_id_of_base, public_base_name
from spul.exports.self_check import Check
from spul.types import MetricResult

__all__ = ["model_card"]

MODELS = ("unlearned", "base", "retrained")
"""Models whose numbers are shown. Constant predictors are left out: they go by the names of labels."""

METRICS = ("accuracy", "choice_accuracy", "generic_rate", "restricted_accuracy", "membership_auc", "unlearning_gap")

LIBRARIES = {"peft": "peft", "prefix": "peft", "baked": "transformers", "gguf": "gguf"}

ABOUT = """A soft prompt of {p} virtual tokens ({level}) stands in front of every input of a frozen language model. It
was learned by soft prompting for unlearning (method `{method}`; [arXiv:2406.12038](https://arxiv.org/abs/2406.12038)),
so that the model gives a generic answer where it would otherwise draw on some records of its training data, and answers
as before where it would not. Which records these are is not disclosed here."""

LIMITS = """- The prompt **suppresses; it does not remove anything.** Whoever has the weights and leaves the prompt out
  has the old model back. What is to stay hidden has to be served, with the prompt put in front on the server's side.
- A generic answer can itself give away that a record was among those to be hidden.
- The most probable answer can be generic while the knowledge is still there underneath; sampling, long talks and
  instructions to ignore what came before were not tried here unless a number above says so.
- The numbers are about the task and the data that the prompt was evaluated on, and about this base model in this
  precision; in another precision or after quantisation they have to be measured anew."""


def model_card(source: Source, name: str, usage: str, checks: Sequence[Check], notes: Sequence[str]) -> str:
    """Return the card as Markdown with a YAML head, as hubs read it."""
    adapter, config = source.adapter, source.run.config
    base = adapter.base
    data = ModelCardData(
        base_model=hub_id_of_base(source),
        library_name=LIBRARIES.get(name),
        pipeline_tag="text-generation",
        tags=["unlearning", "soft-prompt", "spul"],
    )
    level = "at the input embeddings" if adapter.level == "input" else "keys and values in every layer"
    about = ABOUT.format(p=source.model.num_virtual_tokens, level=level, method=config.method)
    parts = [
        f"---\n{data.to_yaml()}\n---",
        f"# {public_base_name(source)} behind a soft prompt ({name})",
        about,
        f"## Use\n\n{usage.strip()}",
        "## Know before you serve it\n\n" + _bullets(notes) if notes else "",
        f"## What it was measured at\n\n{_metrics(source)}",
        f"## What this export was checked for\n\n{_checks(checks)}\n\nCalibration text: {source.reference.origin}, and "
        "random tokens.",
        f"## Limits\n\n{LIMITS}",
        "## Base model\n\n"
        f"{base.architecture}, {base.precision}; digest of its weights and settings `{base.digest}`. The prompt fits "
        "this model and no other.",
    ]
    return str(ModelCard("\n\n".join(part for part in parts if part) + "\n", ignore_metadata_errors=False))


def _bullets(notes: Sequence[str]) -> str:
    return "\n".join(f"- {note}" for note in notes)


def _checks(checks: Sequence[Check]) -> str:
    rows = [f"| {c.name} | {c.value:.3g} | {c.bound:.3g} | {c.unit} | {c.n} |" for c in checks]
    return "\n".join(["| check | measured | at most | unit | n |", "| --- | --- | --- | --- | --- |", *rows])


def _metrics(source: Source) -> str:
    if not (source.run.path / "metrics.json").exists():
        return "Nothing yet: the run was not evaluated."
    rows = [_row(key, result) for key, result in source.run.metrics.items() if _is_shown(key)]
    if not rows:
        return "None of the numbers that a card shows."
    head = "| model / split / metric | value | 95 % interval | n | unit |"
    return "\n".join([head, "| --- | --- | --- | --- | --- |", *rows])


def _is_shown(key: str) -> bool:
    return key.partition("/")[0] in MODELS and key.rpartition("/")[2] in METRICS


def _row(key: str, result: MetricResult) -> str:
    value = f"{result.value:.3f}" if result.value is not None else f"undefined: {result.reason}"
    interval = f"{result.low:.3f} to {result.high:.3f}" if result.low is not None and result.high is not None else "–"
    return f"| {key} | {value} | {interval} | {result.n} | {result.unit} |"
