"""Metrics of free answers, each against arithmetic done by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer
from scipy.stats import ks_2samp

from spul.data.tofu import UTILITY_SETS
from spul.evaluation import compute_metrics
from spul.evaluation.similarity import with_similarity
from spul.metrics import Bootstrap, Scored
from spul.metrics.extraction_likelihood import overlap
from spul.metrics.extraction_strength import extraction_strength
from spul.metrics.forget_quality import ForgetQuality, ks_p_value
from spul.metrics.model_utility import ModelUtility
from spul.metrics.privleak import PrivLeak, min_k
from spul.metrics.repetition_rate import repetition
from spul.types import MetricResult, Sample, Wording
from tests.metrics.free_text import ANSWERS, free_sample

BOOTSTRAP = Bootstrap(100)


def value(name: str, samples: list[Sample], split: str = "test_retain", **how: str) -> float | None:
    return result(name, samples, split).value


def result(key: str, samples: list[Sample], split: str = "test_retain", task: str = "qa") -> MetricResult:
    found = compute_metrics({f"unlearned/{split}": samples}, ANSWERS, bootstrap=100, task=task)
    return found[f"unlearned/{split}/{key}"]


def test_probability_is_the_geometric_mean_of_its_tokens() -> None:
    """(0.5 + 0.1) / 2 = 0.3; perplexity over all 2 + 4 tokens: exp(−(2 log 0.5 + 4 log 0.1) / 6) = (4 · 10⁴)^(1/6)."""
    samples = [free_sample("a"), free_sample("b", probability=0.1, num_tokens=4)]
    assert value("probability", samples) == pytest.approx(0.3)
    assert value("perplexity", samples) == pytest.approx(40_000 ** (1 / 6))
    assert value("nll", samples) == pytest.approx((log(2) + log(10)) / 2)


def test_probability_among_the_false_answers() -> None:
    """0.5 / (0.5 + 0.2 + 0.3) = 0.5 and 0.1 / (0.1 + 0.1 + 0.2) = 0.25; the third has no false answers."""
    samples = [
        free_sample("a", perturbed=[0.2, 0.3]),
        free_sample("b", probability=0.1, perturbed=[0.1, 0.2]),
        free_sample("c"),
    ]
    found = result("normalised_probability", samples)
    assert (found.value, found.n) == (pytest.approx(0.375), 2)


def test_truth_ratio_in_both_definitions_and_both_forms() -> None:
    """R = mean(0.1, 0.4) / 0.5: geometric 0.2 / 0.5 = 0.4, arithmetic 0.25 / 0.5 = 0.5. The second example's R is 4.

    Forget: (min(0.4, 2.5) + min(4, 0.25)) / 2; elsewhere (1 − 0.4 + 0) / 2.
    """
    samples = [
        free_sample("a", probability=0.9, paraphrase=0.5, perturbed=[0.1, 0.4]),
        # Without a paraphrase the answer itself counts, as TOFU does for real authors and world facts.
        free_sample("b", probability=0.1, perturbed=[0.4, 0.4]),
    ]
    assert value("truth_ratio:geometric", samples, "test_forget") == pytest.approx((0.4 + 0.25) / 2)
    assert value("truth_ratio:arithmetic", samples, "test_forget") == pytest.approx((0.5 + 0.25) / 2)
    assert value("truth_ratio:geometric", samples) == pytest.approx((0.6 + 0) / 2)
    assert value("truth_ratio:arithmetic", samples) == pytest.approx((0.5 + 0) / 2)
    assert result("truth_ratio:geometric", samples, "test_forget").higher_is_better is None


def test_probabilities_too_small_for_a_float_still_compare() -> None:
    """P = e⁻⁹⁰⁰ against e⁻⁷⁰⁰, neither of which a float holds: R = e²⁰⁰, and the share is e⁻²⁰⁰."""
    made = free_sample()
    assert made.text is not None
    sample = replace(made, logprob=-1800.0, text=replace(made.text, perturbed=(Wording(-2100.0, 3),)))
    assert value("truth_ratio:geometric", [sample]) == 0.0
    assert value("normalised_probability", [sample]) == pytest.approx(exp(-200))
    assert result("perplexity", [sample]).reason == "it is above e^700; see the loss (nll)"


@pytest.mark.parametrize(
    ("hits", "strength"),
    [
        ([True, True, True, True], 1.0),
        ([False, True, True, True], 0.75),
        ([True, False, False, True], 0.25),
        ([True, True, True, False], 0.0),
        ([False], 0.0),
    ],
)
def test_extraction_strength_is_the_share_that_follows_by_itself(hits: list[bool], strength: float) -> None:
    assert extraction_strength(hits) == strength


def test_matches_leave_the_end_out() -> None:
    """Hits T F T [end: T]: two of three tokens, and the last third follows."""
    sample = free_sample(hits=[True, False, True, True], ends=True)
    assert value("exact_memorization", [sample]) == pytest.approx(2 / 3)
    assert value("extraction_strength", [sample]) == pytest.approx(1 / 3)
    only_end = free_sample(hits=[True], ends=True)
    assert result("exact_memorization", [only_end]).value is None


def test_memorization_accuracy_is_over_the_whole_text() -> None:
    """Prefix T F T and continuation T T F: 4 of 6."""
    sample = free_sample(hits=[True, True, False], context=[True, False, True])
    assert value("memorization_accuracy", [sample]) == pytest.approx(4 / 6)
    metrics = compute_metrics({"base/test_retain": [free_sample()]}, ANSWERS, bootstrap=100)
    assert "base/test_retain/memorization_accuracy" not in metrics


def test_overlap_counts_n_grams_of_what_is_written() -> None:
    """Pairs of 1 2 3 1 2: 12 23 31 12; in 1 2 4 3 1 are 12 24 43 31, so three of four. Without a pair: 0."""
    assert overlap(2, [1, 2, 3, 1, 2], [1, 2, 4, 3, 1]) == 0.75
    assert overlap(2, [1], [1, 2]) == overlap(2, [], [1, 2]) == overlap(2, [1, 2], [1]) == 0.0


def test_extraction_likelihood_is_the_mean_overlap_over_beginnings() -> None:
    """T = 12, n = 10, so t = 1 and 2. After one token the rest comes word by word: O = 1. After two one token of eleven
    is wrong in the middle, no run of ten is right: O = 0. Three are too many: what follows has no run of ten.
    """
    ids = list(range(12))
    wrong = [*ids[2:6], 99, *ids[7:]]
    sample = free_sample(text_ids=ids, continuations={1: ids[1:], 2: wrong, 3: ids[3:]})
    assert value("extraction_likelihood:10", [sample], task="completion") == 0.5
    # n = 5: t = 1, 2, 3; of the runs of five in 2 3 4 5 99 7 8 9 10 11 one is right (7…11), of six.
    assert value("extraction_likelihood:5", [sample], task="completion") == pytest.approx((1 + 1 / 6 + 1) / 3)
    # What goes on past the end of the text does not count.
    longer = free_sample(text_ids=ids, continuations={1: [*ids[1:], 7, 7, 7]})
    assert value("extraction_likelihood:10", [longer]) == 1.0
    short = free_sample(text_ids=ids[:5], continuations={1: ids[1:5]})
    assert "more tokens than the n-gram" in (result("extraction_likelihood:10", [short]).reason or "")
    names = compute_metrics({"base/test_retain": [free_sample()]}, ANSWERS, bootstrap=100)
    assert "base/test_retain/extraction_likelihood:10" not in names


def test_embedding_similarity_is_the_cosine_of_an_encoder() -> None:
    """Unit vectors (1, 0) and (0.6, 0.8): cosine 0.6; a text with itself: 1. What was not written is not measured."""

    def embed(texts: Sequence[str]) -> np.ndarray:
        return np.array([[0.6, 0.8] if text == "near" else [1.0, 0.0] for text in texts])

    rows = [free_sample("a", answer="truth", generated="near"), free_sample("b", answer="truth", generated="truth")]
    found = with_similarity({"base/test_retain": rows}, embed)["base/test_retain"]
    assert value("embedding_similarity", list(found)) == pytest.approx(0.8)
    silent = with_similarity({"x/y": [*rows, free_sample("c", generated=None)]}, embed)["x/y"]
    assert "1 of 3 samples lack the similarity" in (result("embedding_similarity", list(silent)).reason or "")


def test_rouge_is_the_packages_own_to_the_last_digit() -> None:
    pairs = [
        ("Anna was born in the old city.", "Anna is borne in that city"),
        ("the film", ""),
        ("running dogs", "the dog runs"),
        ("a b c d e", "e d c b a"),
    ]
    samples = [free_sample(str(i), answer=a, generated=g) for i, (a, g) in enumerate(pairs)]
    for stem, task, keys in (
        (True, "qa", {"1_recall": "recall", "1_f1": "fmeasure", "l_recall": "recall", "l_f1": "fmeasure"}),
        (False, "qa", {"knowmem": "fmeasure"}),
        (False, "completion", {"verbmem": "fmeasure"}),
    ):
        scorer = RougeScorer(["rouge1", "rougeL"], use_stemmer=stem)
        scores = [scorer.score(a, g) for a, g in pairs]
        for key, part in keys.items():
            kind = "rouge1" if key.startswith("1") else "rougeL"
            expected = float(np.mean([getattr(score[kind], part) for score in scores]))
            name = key if key.endswith("mem") else f"rouge:{key}"
            assert result(name, samples, task=task).value == expected


def test_verbmem_and_knowmem_belong_to_their_task() -> None:
    for task, own in (("qa", "knowmem"), ("completion", "verbmem"), ("summarization", None)):
        names = {
            key.rpartition("/")[2]
            for key in compute_metrics({"base/test_retain": [free_sample()]}, ANSWERS, bootstrap=100, task=task)
        }
        assert names & {"knowmem", "verbmem"} == ({own} if own else set())


def test_repetition_and_silence() -> None:
    """Runs of four in ``a b c d a b c d``: abcd bcda cdab dabc abcd, one of five is there before."""
    assert repetition("a b c d a b c d") == pytest.approx(0.2)
    assert repetition("a a a") == 0.0
    samples = [free_sample("a", generated=" \n"), free_sample("b", generated="a b c d a b c d")]
    assert value("empty_answer_rate", samples) == 0.5
    assert value("repetition_rate", samples) == pytest.approx(0.1)
    assert value("rouge:l_recall", samples) == 0.0


def test_forget_quality_is_scipys_test_and_needs_the_retrained_model() -> None:
    ours = [free_sample(str(i), paraphrase=0.5, perturbed=[0.1 + 0.02 * i]) for i in range(8)]
    theirs = [free_sample(str(i), paraphrase=0.5, perturbed=[0.2 + 0.03 * i]) for i in range(8)]
    both = {"unlearned/train_forget": ours, "retrained/train_forget": list(reversed(theirs))}
    ((where, found),) = ForgetQuality().rows(Scored(both, ANSWERS, BOOTSTRAP))
    expected = ks_2samp([(0.1 + 0.02 * i) / 0.5 for i in range(8)], [(0.2 + 0.03 * i) / 0.5 for i in range(8)])
    assert (where, found.n) == ("unlearned/train_forget", 8)
    assert found.value == pytest.approx(float(expected.pvalue))
    # All eight of one sample below all of the other: two-sided p = 2 / C(16, 8).
    far = [free_sample(str(i), paraphrase=0.5, perturbed=[0.9]) for i in range(8)]
    apart = Scored(both | {"retrained/train_forget": far}, ANSWERS, BOOTSTRAP)
    assert next(ForgetQuality().rows(apart))[1].value == pytest.approx(2 / 12870)

    # Nothing lies nearer than one step of five: p = 1, which scipy's exact form misses by a rounding, with a warning.
    assert ks_p_value([1, 2, 3, 4, 5], [1.5, 2.5, 3.5, 4.5, 5.5]) == 1.0

    def reason(retrained: list[Sample] | None) -> str | None:
        samples = {"unlearned/train_forget": ours}
        if retrained is not None:
            samples["retrained/train_forget"] = retrained
        ((_, found),) = ForgetQuality().rows(Scored(samples, ANSWERS, BOOTSTRAP))
        assert found.value is None
        return found.reason

    assert reason(None) == "no retrained model was evaluated; name it in model.retrained"
    assert "different examples" in (reason(theirs[1:]) or "")
    assert "8 and 0 of 8 samples have perturbed" in (reason([free_sample(str(i)) for i in range(8)]) or "")


def test_model_utility_is_the_harmonic_mean_of_nine() -> None:
    """Retain: P 0.5, ROUGE 1, truth ratio 1 − 0.25 / 0.5 = 0.5; the others: P 0.5 / 0.75, ROUGE 1, truth ratio 0.5.

    9 / (1/0.5 + 1 + 1/0.5 + 2 · (0.75/0.5 + 1 + 1/0.5)) = 9 / 14.
    """
    rows = [free_sample(str(i), perturbed=[0.25]) for i in range(3)]
    samples = {f"unlearned/{name}": rows for name in UTILITY_SETS}
    ((where, found),) = ModelUtility().rows(Scored(samples, ANSWERS, BOOTSTRAP))
    assert (where, found.n) == ("unlearned", 9)
    assert found.value == pytest.approx(9 / 14)
    silent = samples | {"unlearned/world_facts": [free_sample("0", generated="", perturbed=[0.25])]}
    assert next(ModelUtility().rows(Scored(silent, ANSWERS, BOOTSTRAP)))[1].value == 0.0
    del samples["unlearned/real_authors"]
    found = next(ModelUtility().rows(Scored(samples, ANSWERS, BOOTSTRAP)))[1]
    assert (found.value, found.reason) == (None, "normalised_probability on real_authors: the split is empty")
    assert list(ModelUtility().rows(Scored({"unlearned/test_retain": rows}, ANSWERS, BOOTSTRAP))) == []


def test_min_k_is_the_mean_of_the_lowest() -> None:
    assert min_k([-1.0, -5.0, -2.0, -4.0, -3.0]) == -4.5
    assert min_k([-1.0, -2.0]) == -2.0, "one token at least"


def test_privleak_in_both_conventions() -> None:
    """Forget scores (1, 3) against holdout (2, 0): 3 of 4 pairs, so 0.75; the retrained model's 0.5.

    members_higher: 100 · (0.75 − 0.5) / 0.5 = 50; members_lower: 100 · (0.25 − 0.5) / 0.5 = −50.
    """

    def rows(scores: list[float]) -> list[Sample]:
        return [free_sample(str(i), token_logprobs=[score - 10] * 5) for i, score in enumerate(scores)]

    samples = {
        "unlearned/train_forget": rows([1, 3]),
        "unlearned/holdout": rows([2, 0]),
        "retrained/train_forget": rows([1, 1]),
        "retrained/holdout": rows([1, 1]),
    }
    for convention, expected in (("members_higher", 50.0), ("members_lower", -50.0)):
        metric = next(m for m in PrivLeak.variants() if m.convention == convention)
        ((where, found),) = metric.rows(Scored(samples, ANSWERS, BOOTSTRAP))
        assert (where, found.value, found.n, found.unit) == ("unlearned", pytest.approx(expected), 4, "percent")
    # A model that remembers everything beside one that knows nothing: +100 and −100, the sign of MUSE's tables.
    known = {**samples, "unlearned/train_forget": rows([5, 6]), "unlearned/holdout": rows([1, 2])}
    signs = [next(metric.rows(Scored(known, ANSWERS, BOOTSTRAP)))[1].value for metric in PrivLeak.variants()]
    assert [metric.convention for metric in PrivLeak.variants()] == ["members_higher", "members_lower"]
    assert signs == [pytest.approx(100.0), pytest.approx(-100.0)]
    alone = {key: rows for key, rows in samples.items() if key.startswith("unlearned")}
    found = next(PrivLeak().rows(Scored(alone, ANSWERS, BOOTSTRAP)))[1]
    assert found.reason == "the retrained model was not scored on train_forget and holdout"
    assert list(PrivLeak().rows(Scored({"unlearned/train_forget": rows([1])}, ANSWERS, BOOTSTRAP))) == []


def test_what_was_not_measured_is_null_with_the_reason() -> None:
    samples = [free_sample("a"), free_sample("b", generated=None, hits=None, probability=None)]
    for key, words in {
        "rouge:l_recall": "1 of 2 samples lack a written answer",
        "exact_memorization": "1 of 2 samples lack the arg-max",
        "probability": "1 of 2 samples lack the log-probability of the answer",
        "nll": "1 of 2 samples lack the log-probability of the answer",
        "truth_ratio:geometric": "none of the 2 samples has perturbed answers",
    }.items():
        found = result(key, samples)
        assert found.value is None
        assert found.reason is not None and found.reason.startswith(words)


def test_metrics_of_labels_leave_free_text_alone_and_the_other_way_round() -> None:
    names = {key.rpartition("/")[2] for key in compute_metrics({"base/test_retain": [free_sample()]}, ANSWERS)}
    assert {"accuracy", "generic_rate", "rouge:l_recall"} <= names
    assert not {"weighted_f1", "restricted_accuracy", "unlearning_gap:weighted_f1"} & names
