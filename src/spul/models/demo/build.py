"""Build the demo model from synthetic text: ``python -m spul.models.demo.build [--out DIR] [--steps N] [--seed S]``."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import LlamaForCausalLM

from spul.models.demo.architecture import demo_tokenizer, untrained_demo_model
from spul.models.demo.pretraining import Curriculum, pretrain
from spul.models.demo.shipped import DIGEST_NAME, WEIGHTS, file_digest

DEFAULT_STEPS = 6000
DEFAULT_SEED = 0
REPORT_INTERVAL = 100

SHIPPED_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def build(out: Path, *, steps: int = DEFAULT_STEPS, seed: int = DEFAULT_SEED) -> None:
    """Train the demo model and write it to `out` with its digest.

    The result depends on `steps`, `seed`, the versions and the machine's arithmetic, never on the time it takes.
    """
    started = time.process_time()

    def report(step: int, curriculum: Curriculum) -> None:
        if (step + 1) % REPORT_INTERVAL == 0:
            sys.stderr.write(f"step {step + 1}/{steps}  {curriculum}  {time.process_time() - started:.0f} CPU-s\n")

    model = pretrain(untrained_demo_model(seed), steps=steps, seed=seed, report=report)
    export(model, out)
    record = {
        "command": f"python -m spul.models.demo.build --steps {steps} --seed {seed}",
        "steps": steps,
        "seed": seed,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "cpu_seconds": round(time.process_time() - started),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "sha256": {name: file_digest(out / name) for name in SHIPPED_FILES},
    }
    (out / DIGEST_NAME).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def export(model: LlamaForCausalLM, out: Path) -> None:
    """Write configuration, weights and tokenizer for `from_pretrained`.

    Weights are stored in half precision; the configuration asks for single precision, in which they are loaded.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.nn.Module.half(model)
    model.save_pretrained(out)
    config = json.loads((out / "config.json").read_text(encoding="utf-8")) | {"dtype": "float32"}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (out / "generation_config.json").unlink()
    demo_tokenizer().save_pretrained(out)


def main() -> None:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog="python -m spul.models.demo.build", description=__doc__)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="directory to write (default: the package's own)")
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS, help="training steps (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help="seed of weights and text (default: %(default)s)"
    )
    arguments = parser.parse_args()
    build(arguments.out, steps=arguments.steps, seed=arguments.seed)


if __name__ == "__main__":
    main()
