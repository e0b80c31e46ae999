"""Measure scope gates on a folder of splits: does the threshold keep its promise, and what does each detector catch?

::

    python scripts/measure_gate.py $SPUL_DATA/sst2_entity --detectors tfidf token_max
    python scripts/measure_gate.py $SPUL_DATA/sst2_entity --detectors token_max --retain-rows 8000 --contrast 2

Three tables, and ``--json`` for all of them at once:

* *re-splits*: retain rows that no detector has learned from are divided at random into halves, many times; one half
  sets the threshold and the other is asked. On average at most ε of it may be touched.
* *validation*: forget rows that were split off from train against the calibration rows; detectors are chosen by these.
* *test*: the gate as a run would have it, on the test splits.

With ``--contrast`` the detector also learns from forget rows with other names (see docs/data.md), and a third number
stands beside what is caught and touched: test rows to forget with other names in them, which should be let through.

Only detectors that read the text alone: no model is loaded.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spul.data.contrast import make_contrast
from spul.data.loading import load_splits
from spul.data.settings import ContrastSettings, DataSettings
from spul.data.splitting import split_off
from spul.errors import ConfigError, SpulError
from spul.metrics.generic_rate_length_matched import match_by_length
from spul.scopes import SCOPES, Detector, calibrate
from spul.scopes.learn import divide
from spul.scopes.settings import ScopeSettings
from spul.stats import auc
from spul.types import Example, Splits

VALIDATION_SHARE = 0.2
Scores = Float[np.ndarray, " n"]


class _Learned(NamedTuple):
    """A detector, the retain texts held out from it, and test texts to forget with other names in them."""

    detector: Detector
    calibration: list[str]
    replaced: list[str]


class Told(NamedTuple):
    """How a detector tells forget from retain texts: AUC, and AUC against retain texts of as many words."""

    auc: float
    auc_length_matched: float


def resplit(scores: Scores, epsilon: float, times: int, seed: int) -> Float[np.ndarray, " times"]:
    """Return the share touched of a random half of the scores by the threshold that the other half sets."""
    rng = np.random.default_rng(seed)
    shares = []
    for _ in range(times):
        order = rng.permutation(scores)
        half = len(order) // 2
        shares.append(np.mean(calibrate(order[:half], epsilon).in_scope(order[half:])))
    return np.array(shares)


def told_apart(detector: Detector, forget: Sequence[str], retain: Sequence[str]) -> Told:
    """Return how the detector tells the two apart."""
    inside, outside = detector.score(forget), detector.score(retain)
    lengths = ([len(text.split()) for text in side] for side in (forget, retain))
    chosen = match_by_length(*lengths, np.random.default_rng(0))
    return Told(auc(inside, outside), auc(inside, outside[chosen]))


def measure(
    splits: Splits, name: str, epsilons: Sequence[float], times: int, seed: int, contrast: float | None = None
) -> dict[str, object]:
    """Return all that is measured of one detector, ready for JSON; ``contrast`` rows a forget row are learned from."""
    kind = SCOPES.get(name)
    if kind.reads_base:
        raise ConfigError(f"{name} reads a base model, and here is none; choose from the detectors of texts")
    texts = {split: [row.fields["text"] for row in splits[split]] for split in ("train_retain", "test_retain")}
    asked = [row.fields["text"] for row in splits.test_forget]
    parts = split_off(splits.train_forget, VALIDATION_SHARE, seed)
    held = [row.fields["text"] for row in parts.split_off]
    settings = ScopeSettings(name="gate", detector=name, seed=seed)

    def learn(forget: Sequence[Example]) -> _Learned:
        plain, replaced = [], []
        if contrast is not None:
            wanted = ContrastSettings(retain_rows=contrast, evaluate=True)
            made = make_contrast(wanted, forget, splits.train_retain, splits.test_forget, generic=(), seed=seed)
            plain, replaced = ([row.fields["text"] for row in rows] for rows in (made.retain, made.replaced))
        inside, share = [row.fields["text"] for row in forget], settings.calibration_share
        divided = divide(inside, texts["train_retain"], plain, None, share=share, seed=seed)
        return _Learned(kind.learn(divided.forget, divided.retain, settings, None), divided.calibration, replaced)

    def touched(detector: Detector, calibration: Sequence[str], *sides: Sequence[str]) -> dict[str, list[float]]:
        given, scores = detector.score(calibration), [detector.score(side) for side in sides]
        return {
            f"{epsilon:g}": [float(np.mean(calibrate(given, epsilon).in_scope(side))) for side in scores]
            for epsilon in epsilons
        }

    first, aside, _ = learn(parts.kept)
    whole, calibration, replaced = learn(splits.train_forget)
    pools = {"train_retain, not learned from": calibration, "test_retain": texts["test_retain"]}
    resplits = {
        pool: {
            f"{epsilon:g}": [float(found.mean()), *np.quantile(found, (0.025, 0.975)).tolist()]
            for epsilon in epsilons
            for found in [resplit(whole.score(rows), epsilon, times, seed)]
        }
        for pool, rows in pools.items()
    }
    return {
        "detector": name,
        "contrast": contrast,
        "rows": {"forget": len(splits.train_forget), "validation_forget": len(held), "calibration": len(calibration)},
        "resplits": resplits,
        "validation": told_apart(first, held, aside)._asdict(),
        "validation_caught": touched(first, aside, held),
        "test": told_apart(whole, asked, texts["test_retain"])._asdict(),
        "test_caught_and_touched": touched(
            whole, calibration, asked, texts["test_retain"], *([replaced] if replaced else [])
        ),
    }


def written(found: dict[str, object]) -> str:
    """Return the measurements as indented lines."""
    return json.dumps(found, indent=1, ensure_ascii=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", help="directory with the four splits; columns text and label")
    parser.add_argument("--detectors", nargs="+", default=["tfidf", "token_max"], metavar="NAME")
    parser.add_argument("--epsilon", nargs="+", type=float, default=[0.01, 0.02, 0.05], metavar="SHARE")
    parser.add_argument("--resplits", type=int, default=100, help="how many (100)")
    parser.add_argument("--retain-rows", type=int, metavar="N", help="at most so many rows of train_retain")
    parser.add_argument("--contrast", type=float, metavar="SHARE", help="contrast rows to learn from, a forget row")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    try:
        data = DataSettings(
            folder=given.folder,
            columns={"answer": "label"},
            validation_share=0.0,
            overlap="drop_retain",
            max_rows={} if given.retain_rows is None else {"train_retain": given.retain_rows},
        )
        splits = load_splits(data, fields=("text",))
        for name in given.detectors:
            sys.stdout.write(
                written(measure(splits, name, given.epsilon, given.resplits, given.seed, given.contrast)) + "\n"
            )
            sys.stdout.flush()
    except SpulError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
