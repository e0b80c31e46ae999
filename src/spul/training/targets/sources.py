"""Where a target comes from: each source says what a model would answer that never saw the forget set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from spul.data.duplicates import text_of
from spul.errors import ConfigError
from spul.training.targets.asking import Made, Setting, ask, load_other
from spul.training.targets.calibration import fit_vector_scaling, match_quantiles, with_probability_of
from spul.types import Example

__all__ = ["from_checkpoint", "from_heldout", "from_pretrained", "from_retrained", "from_tfidf"]

FEWEST = 20
"""Fewer rows than that are nothing to calibrate on, or to take confidence from."""
SMALLEST = 1e-12
"""Probabilities are raised to that before their logarithm is taken."""


def from_retrained(setting: Setting) -> Made:
    """Return the answers of ``model.retrained``: the upper bound of what a target can do.

    Raises:
        ConfigError: there is no such model.
    """
    path = setting.config.model.retrained
    if path is None:
        raise ConfigError("objective.source=retrained needs model.retrained: the model trained on retain alone")
    return from_checkpoint(setting, path)


def from_checkpoint(setting: Setting, path: str) -> Made:
    """Return the answers of another model that was trained without the forget set, as it gives them."""
    other = load_other(setting, path)
    answered = ask(other.model, other.task, setting.forget)
    return Made(answered.rows(answered.probabilities), {"path": path, "digest": other.digest})


def from_pretrained(setting: Setting) -> Made:
    """Return the answers of the pre-trained model, calibrated (vector scaling) on retain rows that it never saw.

    Before any fine-tuning it never saw a question of the task, so its answers are calibrated over the task's answers,
    and nothing is left for any other.

    Raises:
        ConfigError: there is no such model, or too few retain rows.
    """
    path = setting.config.model.pretrained
    if path is None:
        raise ConfigError("objective.source=pretrained needs model.pretrained: the model before any fine-tuning")
    other = load_other(setting, path)
    rows = setting.some(setting.splits.train_retain)
    _check_enough("train_retain", rows)
    known, asked = (ask(other.model, other.task, examples) for examples in (rows, setting.forget))
    columns = [i for i, name in enumerate(known.names) if name in setting.task.answers.labels]
    scores = [_log(one.probabilities[:, [one.names.index(known.names[i]) for i in columns]]) for one in (known, asked)]
    scaling = fit_vector_scaling(scores[0], np.array([columns.index(truth) for truth in known.truths.tolist()]))
    names = [known.names[i] for i in columns]
    facts = {
        "path": path,
        "digest": other.digest,
        "calibrated_on": len(rows),
        "scale": dict(zip(names, scaling.scale.tolist(), strict=True)),
        "bias": dict(zip(names, scaling.bias.tolist(), strict=True)),
    }
    return Made(_whole(setting, names, scaling(scores[1])), facts)


def from_heldout(setting: Setting) -> Made:
    """Return the base model's own answers, as unsure of the truth as it is on examples that it never saw.

    The probability of the truth of the forget example at rank r of n is that of the held-out example at the same
    quantile; the other answers keep their proportions. So the order stays (what the model finds hard, it still does),
    and the losses are distributed as those of non-members: the model is wrong as often as there. Training and
    validation rows each have ranks of their own: mixed, the latter, which the base may never have seen, would take up
    the low ones.

    Raises:
        ConfigError: there are no rows that no model saw.
    """
    rows = setting.some(setting.splits.holdout)
    if len(rows) < FEWEST:
        raise ConfigError(
            f"objective.source=heldout takes its confidence from data.holdout, rows that no model saw: expected at "
            f"least {FEWEST} with a label for truth, got {len(rows)}. Name such rows, or choose another source."
        )
    known, asked = (ask(setting.base, setting.task, examples) for examples in (rows, setting.forget))
    confidence = [_log(one.probabilities[np.arange(len(one.truths)), one.truths]) for one in (known, asked)]
    parts = [part for part in np.split(confidence[1], [setting.num_trained]) if len(part)]
    wanted = np.exp(np.concatenate([match_quantiles(part, confidence[0]) for part in parts]))
    changed = with_probability_of(asked.probabilities, asked.truths, wanted)
    return Made(asked.rows(changed), {"held_out": len(rows), "mean_probability_of_truth": float(wanted.mean())})


def from_tfidf(setting: Setting) -> Made:
    """Return the answers of a linear classifier over word and letter n-grams, fitted to retain alone.

    It is calibrated (vector scaling) on validation_retain.

    Raises:
        ConfigError: the task is no classification, or there are too few rows to calibrate on.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    if setting.config.task.name != "classification":
        raise ConfigError(
            f"objective.source=tfidf classifies texts, and the task is {setting.config.task.name}; choose another "
            "source: heldout, pretrained, retrained, or the path of a model trained without the forget set"
        )
    retain, held_out = setting.splits.train_retain, setting.splits.validation_retain
    _check_enough("validation_retain", held_out)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=30_000)
    classifier = make_pipeline(make_union(words, letters), LogisticRegression(C=4.0, max_iter=300))
    classifier.fit(_texts(retain), [example.answer for example in retain])
    names: list[str] = classifier.classes_.tolist()
    seen = [example for example in held_out if example.answer in names]
    truths: Int[np.ndarray, " n"] = np.array([names.index(example.answer) for example in seen])
    before = _log(classifier.predict_proba(_texts(seen)))
    scaling = fit_vector_scaling(before, truths)
    facts = {
        "fitted_on": len(retain),
        "calibrated_on": len(seen),
        "validation_accuracy": float((scaling(before).argmax(axis=1) == truths).mean()),
    }
    return Made(_whole(setting, names, scaling(_log(classifier.predict_proba(_texts(setting.forget))))), facts)


def _whole(setting: Setting, names: Sequence[str], table: Float[np.ndarray, "n C"]) -> list[dict[str, float]]:
    """Return the rows with every answer of the task in them; those without a column have probability 0."""
    answers = dict.fromkeys((*setting.task.answers.labels, *setting.task.answers.generic), 0.0)
    return [answers | dict(zip(names, row, strict=True)) for row in table.tolist()]


def _texts(examples: Sequence[Example]) -> list[str]:
    return [text_of(example) for example in examples]


def _log(probabilities: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    logs: Float[np.ndarray, "*shape"] = np.log(np.maximum(probabilities, SMALLEST))
    return logs


def _check_enough(split: str, rows: Sequence[Example]) -> None:
    if len(rows) < FEWEST:
        raise ConfigError(
            f"a target is calibrated on {split}: expected at least {FEWEST} rows, got {len(rows)}. Raise "
            "data.validation_share or give more rows, or choose another objective.source."
        )
