from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from spul.metrics import confusion
from spul.reports._outcome import Outcome
from spul.reports._style import OKABE_ITO
from spul.reports.pictures import MOST_POINTS, answers_picture, loss_picture, trade_off_picture
from spul.runs import Run
from tests.fakes import ANSWERS, make_samples
from tests.reports.made import make_run


def test_pictures_are_whole_and_the_same_every_time(run: Run) -> None:
    first, again = (loss_picture(run.train_log(), 200) for _ in range(2))
    assert first is not None and first == again
    assert ElementTree.fromstring(first.svg).tag.endswith("svg")


@pytest.mark.parametrize("picture", ["loss", "trade-off", "answers"])
def test_pictures_need_nothing_from_outside(run: Run, picture: str) -> None:
    """Text is drawn as shapes, and the only addresses are the names of XML's vocabularies."""
    tables = {"base": confusion(run.read_samples("base/test_forget"), ANSWERS)}
    drawn = {
        "loss": loss_picture(run.train_log(), 200),
        "trade-off": trade_off_picture(Outcome.of(run)),
        "answers": answers_picture(tables, ANSWERS, "test forget"),
    }[picture]
    assert drawn is not None
    svg = drawn.svg.decode()
    addresses = set(re.findall(r'https?://[^\s"<]+', svg))
    assert all(
        "www.w3.org" in a or "purl.org" in a or "creativecommons.org" in a or "matplotlib.org" in a for a in addresses
    )
    assert "<text" not in svg and "<script" not in svg and "<image" not in svg


def test_loss_picture_says_its_numbers(run: Run) -> None:
    picture = loss_picture(run.train_log(), 200)
    assert picture is not None
    first, last = run.train_log()[0], [row for row in run.train_log() if "loss" in row][-1]
    assert "over 200 steps" in picture.alt
    assert f"from {first['loss_forget']:.3g} to {last['loss_forget']:.3g}" in picture.alt


def test_term_without_weight_has_no_panel(run: Run) -> None:
    log = [{**row, "loss_kl": 0.0} for row in run.train_log() if "loss" in row]
    with_all, without = loss_picture(run.train_log(), None), loss_picture(log, None)
    assert with_all is not None and without is not None
    assert "KL" in with_all.alt and "KL" not in without.alt
    assert OKABE_ITO["green"].lower() not in without.svg.decode()


@pytest.mark.parametrize(
    ("sought", "words"),
    [("generic", "generic on forget"), ("wrong", "not right on forget"), ("right", "not right on forget"), (None, "")],
)
def test_validation_is_drawn_by_what_the_run_seeks(run: Run, sought: str | None, words: str) -> None:
    log = [{**row, "validation_forget_wrong": 0.5} if "validation_score" in row else row for row in run.train_log()]
    picture = loss_picture(log, None, sought)
    assert picture is not None
    svg = picture.svg.decode()
    assert "right on retain" in svg
    assert [label for label in ("generic on forget", "not right on forget") if label in svg] == (
        [words] if words else []
    )


def test_an_ascended_loss_is_drawn_below_zero(run: Run) -> None:
    log = [{**row, "loss_forget": -row["loss_forget"]} for row in run.train_log() if "loss" in row]
    below, above = loss_picture(log, None), loss_picture([{**row, "loss_forget": 0.0} for row in log], None)
    assert below is not None and above is not None
    assert "\N{MINUS SIGN}" in below.svg.decode()
    assert "\N{MINUS SIGN}5" not in above.svg.decode()


def test_without_a_log_there_is_no_picture() -> None:
    assert loss_picture([], None) is None


def test_long_log_is_drawn_in_stretches(tmp_path: Path) -> None:
    """16,000 steps must not make a picture of megabytes."""
    run = make_run(tmp_path, models=("unlearned",), steps=20 * MOST_POINTS, evaluated=False)
    picture = loss_picture(run.train_log(), None)
    assert picture is not None
    assert len(picture.svg) < 400_000
    assert f"{20 * MOST_POINTS:,} steps" in picture.alt


def test_trade_off_marks_every_model_and_says_where_it_is(run: Run) -> None:
    picture = trade_off_picture(Outcome.of(run))
    assert picture is not None
    for name in ("base", "retrained", "unlearned", "pre-trained", "always “positive”"):
        assert f"{name}: forget" in picture.alt
    colours = picture.svg.decode().lower()
    assert all(OKABE_ITO[colour].lower() in colours for colour in ("blue", "green", "vermillion", "purple", "grey"))


def test_trade_off_without_scores_is_none(run: Run) -> None:
    assert trade_off_picture(Outcome({}, (), ())) is None


def test_answers_add_up_by_hand() -> None:
    """Of four: one right, one wrong label, one generic, one anything else."""
    samples = make_samples(
        [("positive", "positive"), ("positive", "negative"), ("negative", "unknown"), ("negative", None)]
    )
    picture = answers_picture({"base": confusion(samples, ANSWERS)}, ANSWERS, "test forget")
    assert picture is not None
    assert picture.alt.endswith("base: right 25.0, wrong label 25.0, generic 25.0, anything else 25.0.")


def test_generic_answer_that_is_the_truth_is_right() -> None:
    picture = answers_picture({"base": confusion(make_samples([("neutral", "neutral")]), ANSWERS)}, ANSWERS, "x")
    assert picture is not None and "right 100.0" in picture.alt


def test_answers_of_an_empty_split_are_none() -> None:
    assert answers_picture({"base": confusion([], ANSWERS)}, ANSWERS, "x") is None
