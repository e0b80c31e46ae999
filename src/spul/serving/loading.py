"""What is served: one base model, and the prompts of several runs, each computed once."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from spul.data.templates import Template
from spul.errors import AdapterError, ConfigError, ModelError, RunError
from spul.models.adapter import Adapter, check_base, load_adapter
from spul.models.features import text_vectors
from spul.models.identity import base_identity
from spul.models.loading import LoadedBase, context_length, load_base, pad_token_id
from spul.models.prompted import PromptedModel
from spul.models.settings import ModelSettings
from spul.models.surroundings import Surroundings
from spul.prompts import FixedPrompt
from spul.runs import Run
from spul.scopes import GatedModel, load_gate

__all__ = ["BASE_NAME", "Artefact", "Served", "ServedSet", "load_served", "open_artefact"]

logger = logging.getLogger(__name__)

BASE_NAME = "base"
"""What the model without any prompt is called; only keys with that right see it."""
SOFT_TOKEN = "<|spul_0|>"
ADAPTER_RECORD = "spul.json"
NAME = re.compile(r"[\w.:-]{1,100}")


@dataclass(frozen=True)
class Artefact:
    """A prompt before its base model is loaded.

    Attributes:
        name: what requests call it.
        adapter: the prompt.
        model: how its base is loaded.
        run: where it comes from; ``None`` for an adapter or an export.
    """

    name: str
    adapter: Adapter
    model: ModelSettings
    run: Run | None = None


@dataclass(frozen=True)
class Served:
    """One model that can be asked for.

    Attributes:
        name: what requests call it.
        around: the prompt, computed once; empty for the plain base.
        num_virtual_tokens: of the prompt.
        fingerprint: tells one artefact from another.
        gated: the model behind its scope gate; ``None`` where the prompt is applied to everything.
    """

    name: str
    around: Surroundings
    num_virtual_tokens: int
    fingerprint: str
    gated: GatedModel | None = None

    def surroundings_for(self, texts: Sequence[str]) -> Surroundings:
        """Return the prompt; behind a gate, nothing where none of the texts is in scope. Runs on the model's thread."""
        if self.gated is None or any(self.gated.in_scope(texts)):
            return self.around
        return Surroundings()


@dataclass(frozen=True)
class ServedSet:
    """One set of weights and all that is served from it.

    Attributes:
        base: the base model.
        tokenizer: its tokenizer.
        context: most positions.
        models: by name, the plain base included.
        ends: tokens that end an answer.
        pad_id: any token.
    """

    base: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    context: int
    models: dict[str, Served]
    ends: frozenset[int]
    pad_id: int
    created: int = field(default=0)


def open_artefact(argument: str, base: str | None = None, device: str = "auto") -> Artefact:
    """Open a run directory, or an adapter's (``adapter/`` of a run, an export to peft or prefix), and check its files.

    Args:
        argument: the directory, or ``NAME=DIRECTORY``; without a name that of the directory.
        base: base model in place of the one that the artefact names.
        device: where the base model goes.

    Raises:
        ConfigError: the name will not do.
        RunError: no complete, whole run is there, or it did not learn a soft prompt.
        AdapterError: the adapter is damaged, or names no base that can be loaded from it alone.
    """
    given, _, rest = argument.partition("=")
    named = bool(rest) and "/" not in given
    path = Path(rest if named else argument)
    name = given if named else _name_of(path)
    if not NAME.fullmatch(name) or name == BASE_NAME:
        raise ConfigError(
            f"expected a model name of letters, digits, '.', ':', '_' and '-' other than {BASE_NAME!r}, got {name!r}; "
            f"give one: NAME={path}"
        )
    if (path / ADAPTER_RECORD).is_file():
        adapter = load_adapter(path)
        return Artefact(name, adapter, _settings_of(adapter, base, device))
    run = Run.open(path)
    if run.config.trainable != "prompt":
        raise RunError(
            f"expected runs that learned a soft prompt, but run {run.path} trained weights (trainable: "
            f"{run.config.trainable}): it is an ordinary checkpoint. Serve {run.model_dir} with any engine."
        )
    changes = {"device": device} | ({} if base is None else {"path": base})
    return Artefact(name, load_adapter(run.adapter_dir), run.config.model.model_copy(update=changes), run)


def load_served(artefacts: Sequence[Artefact]) -> ServedSet:
    """Load the base model once, refuse every prompt that was not learned on it, and compute the others.

    Raises:
        ConfigError: two artefacts have one name.
        AdapterError: a prompt was learned on another base, or in another precision.
        ModelError: the base does not load, or its tokenizer already has soft tokens.
        RunError: a gate is damaged.
    """
    names = [artefact.name for artefact in artefacts]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"expected one or more models of different names, got {names}; name them: NAME=RUN")
    settings = artefacts[0].model
    loaded = load_base(settings)
    if loaded.tokenizer.backend_tokenizer.token_to_id(SOFT_TOKEN) is not None:
        raise ModelError(
            f"the tokenizer of {settings.path!r} has soft tokens ({SOFT_TOKEN}), which a client could write: it is a "
            "baked export. Serve that with any engine, and runs from their original base."
        )
    identity = base_identity(loaded.model, settings.path)
    models = {BASE_NAME: Served(BASE_NAME, Surroundings(), 0, identity.digest[:12])}
    for artefact in artefacts:
        try:
            check_base(artefact.adapter, identity)
        except AdapterError as error:
            raise AdapterError(f"{artefact.name} cannot be served beside {artefacts[0].name}: {error}") from error
        models[artefact.name] = _served(artefact, loaded)
    base, tokenizer = loaded.model, loaded.tokenizer
    return ServedSet(base, tokenizer, context_length(base), models, _ends(loaded), pad_token_id(tokenizer))


@torch.inference_mode()
def _served(artefact: Artefact, loaded: LoadedBase) -> Served:
    adapter, run = artefact.adapter, artefact.run
    encoder = FixedPrompt(adapter.values, adapter.level, adapter.placement).to(loaded.model.device)
    model = PromptedModel(loaded.model, loaded.tokenizer, encoder)
    around = model.surroundings()
    if around.num_front + around.num_behind != encoder.num_virtual_tokens:
        raise ModelError(f"the prompt of {artefact.name} did not come out whole")
    if not all(bool(tensor.isfinite().all()) for tensor in around.tensors()):
        raise ModelError(f"the keys and values of {artefact.name} are not finite in {loaded.model.dtype}")
    gated = None
    if run is not None and run.config.scope.name == "gate":
        gate = load_gate(run.scope_dir, lambda texts: text_vectors(model, texts))
        gated = GatedModel(model, gate, Template.parse(run.config.task.template))
        logger.info("%s is served behind its scope gate", artefact.name)
    fingerprint = adapter.base.digest[:6] + _digest(around)
    return Served(artefact.name, around, encoder.num_virtual_tokens, fingerprint, gated)


def _digest(around: Surroundings) -> str:
    import hashlib

    digest = hashlib.sha256()
    for tensor in around.tensors():
        digest.update(tensor.float().cpu().contiguous().numpy().data)
    return digest.hexdigest()[:6]


def _name_of(path: Path) -> str:
    """Return the directory's name; for one inside a run (``adapter``, ``exports/prefix``), the run's."""
    resolved = path.resolve()
    for parent in (resolved, *resolved.parents[:2]):
        if (parent / "manifest.json").is_file():
            return parent.name
    return resolved.name


def _settings_of(adapter: Adapter, base: str | None, device: str) -> ModelSettings:
    precision = adapter.base.precision
    if precision not in ("float32", "bfloat16", "float16"):
        raise AdapterError(
            f"the prompt was learned on weights quantised to {precision}, and an adapter does not say how to load "
            "them; serve its run directory"
        )
    return ModelSettings(path=base or adapter.base.path, dtype=precision, device=device)


def _ends(loaded: LoadedBase) -> frozenset[int]:
    config = loaded.model.generation_config
    said = config.eos_token_id if config is not None else None
    ends = said if isinstance(said, list) else [said]
    return frozenset(i for i in (*ends, loaded.tokenizer.eos_token_id) if isinstance(i, int))
