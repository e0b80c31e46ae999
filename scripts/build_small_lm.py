"""Make a small language model from scratch, for runs on real data that a CPU can do.

A Llama of about 4.2 million parameters with a tokenizer of its own is trained on plain English text::

    python scripts/build_small_lm.py                      # reads $SPUL_DATA, writes $SPUL_CACHE/small-lm
    python scripts/build_small_lm.py --out my-model --steps 1800

What it leaves is an ordinary checkpoint folder for ``AutoModelForCausalLM`` and ``AutoTokenizer``, and
``build.json``, which says how it was made and what it measures. Training takes one core. Stopped at any moment,
the same command goes on where it was and ends with the same weights. The text is for research only, so the model
is made where it is needed and is not shipped.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from spul.benchmarks.small_lm.build import build, use_one_core
from spul.benchmarks.small_lm.corpus import default_data_root
from spul.benchmarks.small_lm.recipe import Recipe
from spul.errors import SpulError
from spul.files import cache_directory


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    defaults = {field.name: field.default for field in fields(Recipe)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data_root(), help="folder with lm_text and sst2_entity")
    parser.add_argument("--out", type=Path, default=cache_directory() / "small-lm", help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=defaults["steps"], help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=defaults["seed"], help="default: %(default)s")
    parser.add_argument("--checkpoint-every", type=int, default=50, help="in steps; default: %(default)s")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the command line; return 0, or 2 for an error that the user can mend."""
    options = _arguments(argv)
    use_one_core()
    try:
        record = build(
            options.data,
            options.out,
            Recipe(steps=options.steps, seed=options.seed),
            command=shlex.join(["python", "scripts/build_small_lm.py", *argv]),
            checkpoint_every=options.checkpoint_every,
            log=lambda line: print(line, file=sys.stderr, flush=True),
        )
    except SpulError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        json.dumps({"out": str(options.out), "validation": record["validation"], "cpu_seconds": record["cpu_seconds"]})
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
