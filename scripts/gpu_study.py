"""From raw text to tables on one GPU: pre-train a model, fine-tune it, unlearn with every form, compare.

::

    python scripts/gpu_study.py --out gpu-study              # one GPU; made for nine minutes of one H200
    python scripts/gpu_study.py --out toy --toy              # the same at toy size, on any machine, in minutes

A Llama of 105 million parameters is pre-trained on plain English, then base, retrained and unlearned models are made
of it on SST-2 (both splits) and TOFU: the paper's prompt, deep prompts with and without contrast rows and gate, match
mode, GA, RL, GA+KL, GA+GD, RL+GD. Reads ``$SPUL_DATA``. Pages, CSVs and ``times.json`` go to ``--out``, a few hundred
kilobytes; models and runs to ``--work``. What is there is not done again. A part that would begin after ``--minutes``
is left out, and said to be.

The learning rates are searched or scaled from those of smaller models; on a GPU nobody has measured them yet.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch

from spul.benchmarks.benchmark import Request, run_benchmark
from spul.benchmarks.catalogue import Benchmark
from spul.benchmarks.catalogue._free_text import FREE_SMALL
from spul.benchmarks.catalogue.sst2 import SMALL_SST2, SST2
from spul.benchmarks.catalogue.tofu import Tofu
from spul.benchmarks.profiles import Profile, Sizes, merged
from spul.benchmarks.small_lm.build import build
from spul.benchmarks.small_lm.corpus import default_data_root
from spul.benchmarks.small_lm.recipe import Recipe
from spul.errors import SpulError
from spul.files import cache_directory, write_json

PARTS = ("sst2_entity", "sst2_spul", "tofu")

MID = Recipe(
    steps=2000,
    vocab_size=8_192,
    hidden_size=768,
    layers=14,
    heads=12,
    intermediate_size=2048,
    batch_size=64,
    sequence_length=256,
    matrix_lr=0.008,
    other_lr=1.5e-3,
    warmup_steps=60,
)
TOY = Recipe(
    steps=3,
    vocab_size=400,
    hidden_size=32,
    layers=2,
    heads=2,
    intermediate_size=48,
    batch_size=2,
    sequence_length=32,
    warmup_steps=2,
    tokenizer_stride=20,
)


Rates = Mapping[str, tuple[float, ...]]


def _scaled(profile: Profile, sizes: Sizes | None, train: dict[str, Any], rates: Rates) -> Profile:
    """Return a profile with larger batches, and rates for a model of a hundred million parameters."""
    return replace(
        profile,
        sizes={} if sizes is None else {"sst2": sizes},
        finetune=merged(profile.finetune, {"train": {**train, "learning_rate": 1e-4}}),
        prompt=merged(profile.prompt, {"train": train}),
        input_prompt=merged(profile.input_prompt, {"train": {"learning_rate_search": [3e-3, 1e-2, 3e-2]}}),
        deep_prompt=merged(profile.deep_prompt, {"train": {"learning_rate_search": [3e-3, 1e-2, 3e-2]}}),
        weights=merged(profile.weights, {"train": train}),
        rates=rates,
    )


RATES: Rates = {"*": (3e-6, 1e-5, 3e-5), "ga_kl": (1e-5, 3e-5, 1e-4), "ga_gd": (1e-5, 3e-5, 1e-4)}
MID_SST2 = _scaled(
    SMALL_SST2,
    Sizes(
        {"train_retain": 16_000, "test_retain": 2000},
        generic_rows=1200,
        max_length=128,
        epochs=3,
        steps=400,
        scored=600,
    ),
    {"batch_size": 64},
    RATES,
)
TOY_SST2 = _scaled(
    SMALL_SST2,
    Sizes(
        {"train_retain": 300, "train_forget": 150, "test_retain": 60, "test_forget": 60},
        generic_rows=0,
        max_length=64,
        epochs=0.2,
        steps=2,
        scored=24,
    ),
    {"batch_size": 16, "search_max_steps": 1, "average_last": None},
    RATES,
)
# TOFU's questions are learned by heart, and its prompts are not searched: it has no validation part.
_KEPT_RATE: dict[str, Any] = {"train": {"learning_rate_search": [], "learning_rate": 1e-2}}
MID_TOFU = replace(
    _scaled(FREE_SMALL, None, {"batch_size": 32}, {"*": (1e-5,)}),
    input_prompt=merged(FREE_SMALL.input_prompt, _KEPT_RATE),
    deep_prompt=merged(FREE_SMALL.deep_prompt, _KEPT_RATE),
    weights=merged(FREE_SMALL.weights, {"train": {"learning_rate_search": [], "learning_rate": 1e-5}}),
)


class _MidSST2(SST2):
    """SST-2 with the settings above."""

    profiles: ClassVar = {"full": MID_SST2, "small": TOY_SST2}


class _MidTofu(Tofu):
    """TOFU with the settings above, cut down as for the small bases."""

    profiles: ClassVar = {"small": MID_TOFU}


class _Part(NamedTuple):
    kind: type[Benchmark]
    name: str
    subset: str
    small: bool
    methods: tuple[str, ...] | None


def _part(name: str, toy: bool) -> _Part:
    if name == "tofu":
        # Generating answers takes most of the time, and is the same whatever is trained.
        return _Part(_MidTofu, "tofu", "forget05", True, ("ga_gd", "spul") if toy else None)
    return _Part(_MidSST2, "sst2", name, toy, ("ga_gd", "spul_deep_names") if toy else None)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 where a part was left out for want of time, or 2 for an error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("gpu-study"), help="pages and CSVs (%(default)s)")
    parser.add_argument(
        "--work", type=Path, default=cache_directory() / "gpu-study", help="models and runs (%(default)s)"
    )
    parser.add_argument("--data", type=Path, default=default_data_root(), help="the data sets (%(default)s)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--minutes", type=float, default=9.0, help="no part begins later (%(default)s)")
    parser.add_argument("--processes", type=int, default=3, help="runs at a time on the device (%(default)s)")
    parser.add_argument("--toy", action="store_true", help="a tiny model and few rows, to see that it runs")
    given = parser.parse_args(argv)
    started = time.monotonic()
    device = "cuda" if torch.cuda.is_available() and not given.toy else "cpu"
    if device == "cpu" and not given.toy:
        parser.error("expected a GPU, found none; --toy shows on any machine that the script runs")
    command = shlex.join(["python", "scripts/gpu_study.py", *(sys.argv[1:] if argv is None else argv)])
    times: dict[str, Any] = {"command": command, "device": _device_name(device), "seconds": {}, "left_out": []}
    try:
        model = given.work / ("toy" if given.toy else "mid")
        record = build(given.data, model, TOY if given.toy else MID, command=command, device=device, log=_log)
        times["parameters"], times["validation"] = record["parameters"], record["validation"]
        times["seconds"]["pre-training"] = time.monotonic() - started
        for name in given.parts:
            if time.monotonic() - started > 60 * given.minutes:
                times["left_out"].append(name)
                continue
            begun = time.monotonic()
            for file in _run(given, name, model).files:
                print(file)
            times["seconds"][name] = time.monotonic() - begun
    except SpulError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    times["seconds"]["all"] = time.monotonic() - started
    write_json(given.out / "times.json", times)
    return int(bool(times["left_out"]))


def _run(given: argparse.Namespace, name: str, model: Path) -> Any:
    part = _part(name, given.toy)
    return run_benchmark(
        Request(
            part.name,
            model=str(model),
            methods=part.methods,
            subset=part.subset,
            small=part.small,
            out=given.out,
            runs=given.work / "runs",
            data_root=given.data,
            cache=given.work / "cache",
            processes=given.processes,
            kind=part.kind,
        )
    )


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "CPU"


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
