"""Forget quality: can the model be told from one that never saw the forget set? Maini et al. 2024 (TOFU)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import ClassVar

from spul.metrics._base import METRICS, AnswerKind, Metric, Scored, example_of, join
from spul.metrics.truth_ratio import TruthRatio, log_truth_ratios
from spul.types import MetricResult, Sample

__all__ = ["ForgetQuality", "ks_p_value"]

RETRAINED = "retrained"
SPLIT = "train_forget"


def ks_p_value(first: list[float], second: list[float]) -> float:
    """Return the p-value of the two-sample Kolmogorov–Smirnov test, scipy's: exact where samples are not huge."""
    from scipy.stats import ks_2samp

    with warnings.catch_warnings():
        # At the least distance there is, rounding can put the exact p-value just above 1, which scipy takes for a
        # failure; its asymptotic one is 1 to four digits there.
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(ks_2samp(first, second).pvalue)


@METRICS.register("forget_quality")
class ForgetQuality(Metric):
    """p-value of the two-sample Kolmogorov–Smirnov test between the truth ratios of a model and of the retrained one.

    The truth ratio is the geometric one, one number an example of ``train_forget``. A p-value near 0 says that the two
    differ; TOFU calls a model forgotten above 0.05. It has no interval, and no value without a retrained model.
    """

    name: ClassVar[str] = "forget_quality"
    unit: ClassVar[str] = "p-value"
    higher_is_better: ClassVar[bool | None] = True
    kinds: ClassVar[tuple[AnswerKind, ...]] = ("text",)

    def rows(self, scored: Scored) -> Iterator[tuple[str, MetricResult]]:
        """Yield the number of the unlearned model and of its base, where they were scored on the forget set."""
        for model in ("unlearned", "base"):
            samples = scored.samples.get(f"{model}/{SPLIT}")
            if samples is not None:
                yield join(model, SPLIT), self._result(list(samples), scored)

    def _result(self, samples: list[Sample], scored: Scored) -> MetricResult:
        others = scored.samples.get(f"{RETRAINED}/{SPLIT}")
        if others is None:
            return self._undefined("no retrained model was evaluated; name it in model.retrained")
        if sorted(map(example_of, samples)) != sorted(map(example_of, others)):
            return self._undefined("the model and the retrained one were scored on different examples")
        selected = [TruthRatio().select(rows, scored.answers) for rows in (samples, others)]
        if len(selected[0]) != len(selected[1]) or not selected[0]:
            return self._undefined(
                f"{len(selected[0])} and {len(selected[1])} of {len(samples)} samples have {TruthRatio.measured}"
            )
        ratios = [log_truth_ratios(rows, "geometric").tolist() for rows in selected]
        return MetricResult(ks_p_value(*ratios), len(selected[0]), self.unit, self.higher_is_better)

    def _undefined(self, reason: str) -> MetricResult:
        return MetricResult(None, 0, self.unit, self.higher_is_better, reason=reason)
