from __future__ import annotations

from pathlib import Path

from spul.reports._outcome import SHOWN_SPLITS, Outcome, title
from spul.runs import Run
from spul.types import MetricResult
from tests.reports.made import make_run


def test_models_stand_in_a_fixed_order(run: Run) -> None:
    outcome = Outcome.of(run)
    assert outcome.models == ("base", "retrained", "unlearned", "pretrained")
    assert outcome.constants == ("constant:negative", "constant:positive")


def test_of_many_labels_the_best_constants_are_shown(tmp_path: Path) -> None:
    run = make_run(tmp_path, evaluated=False)
    shares = {"a": 0.1, "b": 0.3, "c": 0.05, "d": 0.2, "e": 0.25, "f": 0.1}
    run.write_metrics(
        {
            f"constant:{label}/{split}/accuracy": MetricResult(share, 10, "share", True)
            for label, share in shares.items()
            for split in SHOWN_SPLITS
        }
    )
    outcome = Outcome.of(run)
    assert outcome.constants == ("constant:a", "constant:b", "constant:d", "constant:e")


def test_what_was_not_computed_is_none(run: Run) -> None:
    outcome = Outcome.of(run)
    assert outcome.get("unlearned", "test_forget", "no_such") is None
    assert outcome.value("unlearned", "test_forget", "no_such") is None
    assert outcome.get("unlearned", "", "membership_auc") == run.metrics["membership_auc"]


def test_titles() -> None:
    assert [title(name) for name in ("pretrained", "constant:a b", "other")] == ["pre-trained", "always “a b”", "other"]
