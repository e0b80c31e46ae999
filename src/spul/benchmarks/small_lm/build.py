"""Make the small language model: an ordinary checkpoint, and a record of how it was made."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import transformers
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from transformers import GenerationConfig, LlamaForCausalLM

from spul.benchmarks.small_lm.corpus import read_documents
from spul.benchmarks.small_lm.preparation import Prepared, prepare
from spul.benchmarks.small_lm.pretraining import evaluate, new_model, pretrain
from spul.benchmarks.small_lm.recipe import Recipe
from spul.errors import DataError, RunError
from spul.files import file_digest, write_json

__all__ = ["INPUTS", "RECORD", "build", "use_one_core"]

INPUTS = ("lm_text/train.txt.zst", "lm_text/valid.txt.zst", "sst2_entity/train_retain.csv.gz")
RECORD = "build.json"


def build(
    data: Path,
    out: Path,
    recipe: Recipe,
    *,
    command: str,
    checkpoint_every: int = 50,
    device: str = "cpu",
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Make the model in ``out``, or go on with it there, and return what ``build.json`` says.

    Args:
        data: the folder that holds ``lm_text`` and ``sst2_entity``.
        out: made where missing. A finished build of the same plan is left as it is.
        recipe: all that decides the weights, the data aside.
        command: recorded.
        checkpoint_every: steps between two saved training states; does not change the weights.
        device: what is trained on; sums, and so the weights, are that device's own.
        log: takes lines of progress.

    Raises:
        DataError: an input is missing or unreadable.
        RunError: ``out`` holds a build of another recipe or of other data, or a model from elsewhere.
    """
    plan = {"recipe": asdict(recipe), "inputs": _digests(data)}
    if (out / RECORD).exists():
        record = _read_record(out, plan)
        log(f"{out} is finished already; nothing to do")
        return record
    workplace = _open_workplace(out, plan)
    started = time.process_time()
    prepared = prepare(data, recipe, workplace, log=log)
    preparation = time.process_time() - started
    tokenizer = prepared.tokenizer
    model = new_model(
        recipe,
        prepared.embeddings,
        pad=tokenizer.pad_token_id,
        bos=tokenizer.bos_token_id,
        eos=tokenizer.eos_token_id,
    )
    torch.nn.Module.to(model, device)
    progress = pretrain(
        model,
        prepared.train,
        recipe,
        state_path=workplace / "state.safetensors",
        checkpoint_every=checkpoint_every,
        log=log,
    )
    record = plan | {
        "command": command,
        "steps": progress.step,
        "training_tokens": progress.step * recipe.tokens_per_step,
        "training_loss": progress.loss,
        "cpu_seconds": {"preparation_last_sitting": preparation, "training": progress.cpu_seconds},
        "device": device,
        "parameters": model.num_parameters(),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    record |= _measure(model, prepared, recipe, data)
    _finish(out, workplace, model, prepared, record)
    return record


def _measure(model: LlamaForCausalLM, prepared: Prepared, recipe: Recipe, data: Path) -> dict[str, Any]:
    """Return the validation loss a token and, for comparison across tokenizers, in bits a character."""
    result = evaluate(model, prepared.valid, sequence_length=recipe.sequence_length)
    characters = sum(len(document) + 1 for document in read_documents(data, "valid"))
    nats_a_character = result.nll * len(prepared.valid) / characters
    return {
        "validation": {
            "nll": result.nll,
            "perplexity": result.perplexity,
            "tokens": result.tokens,
            "bits_per_character": nats_a_character / math.log(2),
        }
    }


def _finish(out: Path, workplace: Path, model: LlamaForCausalLM, prepared: Prepared, record: dict[str, Any]) -> None:
    """Put the checkpoint into ``out``, the record last: where it is, all else is whole."""
    tokenizer = prepared.tokenizer
    model.generation_config = GenerationConfig(
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    checkpoint = workplace / "checkpoint"
    model.save_pretrained(checkpoint)
    tokenizer.save_pretrained(checkpoint)
    files = sorted(checkpoint.iterdir())
    record["files"] = {file.name: file_digest(file) for file in files}
    for file in files:
        file.replace(out / file.name)
    write_json(out / RECORD, record)
    shutil.rmtree(workplace)


def _digests(data: Path) -> dict[str, str]:
    missing = [name for name in INPUTS if not (data / name).is_file()]
    if missing:
        raise DataError(
            f"{data}: expected {', '.join(INPUTS)}, came none of {', '.join(missing)}; "
            "set SPUL_DATA (or --data) to the folder that holds the data sets"
        )
    return {name: file_digest(data / name) for name in INPUTS}


def _open_workplace(out: Path, plan: dict[str, Any]) -> Path:
    """Return the folder of unfinished things inside ``out``, after a look at whose they are."""
    workplace = out / ".unfinished"
    plan_path = workplace / "plan.json"
    if not plan_path.exists() and (out / "config.json").exists():
        raise RunError(f"{out}: expected no model, came one without {RECORD}; choose another --out")
    if plan_path.exists():
        _must_match(json.loads(plan_path.read_text(encoding="utf-8")), plan, out)
    else:
        write_json(plan_path, plan)
    return workplace


def _read_record(out: Path, plan: dict[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((out / RECORD).read_text(encoding="utf-8"))
    _must_match(record, plan, out)
    return record


def _must_match(found: dict[str, Any], plan: dict[str, Any], out: Path) -> None:
    differing = [
        f"{part}.{name} is {found[part].get(name)}, asked for is {value}"
        for part in ("recipe", "inputs")
        for name, value in plan[part].items()
        if found[part].get(name) != value
    ]
    if differing:
        raise RunError(
            f"{out}: expected nothing, or a build of the same recipe and data, came another one "
            f"({'; '.join(differing)}); choose another --out or delete that folder"
        )


def use_one_core() -> None:
    """Hold every library to one thread: sums in another order would be other weights, and the rest is not ours."""
    os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
    torch.set_num_threads(1)
    threadpool_limits(limits=1)
