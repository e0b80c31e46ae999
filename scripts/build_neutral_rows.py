"""Make plain rows labelled ``neutral``, so that a sentiment model knows a generic answer at all.

A soft prompt cannot bring out an answer that the model never gives. Base and retrained model are therefore trained
on some of these rows beside the real ones; no row is about the data that are to be forgotten in particular::

    python scripts/build_neutral_rows.py                  # reads $SPUL_DATA, writes $SPUL_CACHE/small-lm/neutral

Half of the rows are fragments of news and history, half are fragments of film reviews without words of praise or
blame, so that neither topic nor style alone tells neutral from the rest. Which words are free of sentiment is read
from a linear classifier on the retain phrases; the forget phrases are not looked at. Train and test come from
different documents. The text is for research only: the rows are made where they are needed and are not shipped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from spul.benchmarks.small_lm.corpus import default_data_root
from spul.benchmarks.small_lm.neutral import Settings, build
from spul.errors import SpulError
from spul.files import cache_directory


def main(argv: Sequence[str]) -> int:
    """Run the command line; return 0, or 2 for an error that the user can mend."""
    defaults = Settings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data_root(), help="folder with lm_text and sst2_entity")
    out = cache_directory() / "small-lm" / "neutral"
    parser.add_argument("--out", type=Path, default=out, help="default: %(default)s")
    parser.add_argument("--train-rows", type=int, default=defaults.train_rows, help="default: %(default)s")
    parser.add_argument("--test-rows", type=int, default=defaults.test_rows, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="default: %(default)s")
    options = parser.parse_args(argv)
    settings = Settings(options.train_rows, options.test_rows, options.seed)
    try:
        build(options.data, options.out, settings, log=lambda line: print(line, file=sys.stderr))
    except SpulError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"out": str(options.out)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
