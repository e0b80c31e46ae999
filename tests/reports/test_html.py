"""The page, without a browser: what it holds, what it must not hold, and that its markup is whole."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from spul.errors import RunError
from spul.reports import render_report, write_report
from spul.reports._numbers import bare
from spul.runs import Run
from tests.reports.made import make_run

VOID = {"meta", "img", "link", "br", "hr", "input"}


class Page(HTMLParser):
    """Reads a page into tags, text and pictures; complains about markup that does not close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def named(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.tags if name == tag)


@pytest.fixture(scope="module")
def html(run: Run) -> str:
    return render_report([run])


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def both(run: Run, alone: Run) -> Page:
    return Page(render_report([run, alone]))


def test_holds_its_sections(page: Page) -> None:
    for heading in (
        "What this run does",
        "The four splits",
        "Pictures",
        "What removing the prompt restores",
        "Distance to the retrained model",
        "Membership",
        "Answers of the unlearned model",
        "Cost",
        "Data and configuration",
        "Limits",
    ):
        assert heading in page.text


def test_holds_every_number_of_the_main_table(page: Page, run: Run) -> None:
    for model in ("base", "retrained", "unlearned", "pretrained"):
        for split in ("train_forget", "test_forget", "train_retain", "test_retain"):
            for metric in ("accuracy", "restricted_accuracy", "generic_rate"):
                assert bare(run.metrics[f"{model}/{split}/{metric}"]) in page.text


def test_says_that_the_prompt_suppresses_and_does_not_erase(page: Page) -> None:
    assert "suppresses; it does not erase" in page.text
    assert len(re.findall(r"eras", page.text)) == len(re.findall(r"does not erase", page.text))


def test_needs_nothing_from_outside_and_runs_nothing(page: Page) -> None:
    assert not list(page.named("script")) and not list(page.named("link")) and not list(page.named("iframe"))
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    for _, attributes in page.tags:
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("data:image/svg+xml;base64,", "#"))
    (policy,) = [m["content"] for m in page.named("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_pictures_are_inline_and_told_in_words(page: Page) -> None:
    pictures = list(page.named("img"))
    assert len(pictures) == 4
    for picture in pictures:
        assert len(picture["alt"] or "") > 40
        assert b64decode((picture["src"] or "").partition("base64,")[2]).startswith(b"<?xml")


def test_tables_have_headings_for_readers_that_read_aloud(page: Page) -> None:
    assert {attributes.get("scope") for attributes in page.named("th")} == {"col", "row"}
    assert next(page.named("html"))["lang"] == "en"
    assert any(meta.get("name") == "viewport" for meta in page.named("meta"))


def test_text_of_a_run_is_escaped(both: Page) -> None:
    assert "<img src=x onerror=alert(1)> & co" in both.text
    assert not any(picture.get("src") == "x" for picture in both.named("img"))


def test_labels_are_escaped_too(tmp_path: Path) -> None:
    run = make_run(tmp_path, models=("unlearned",))
    run.record(facts={**run.manifest.facts, "answers": {"labels": ["<script>", "positive"], "generic": ["unknown"]}})
    assert "<script>" in Page(render_report([run])).text


def test_shows_no_example(run: Run, page: Page) -> None:
    assert not any(sample.id in page.text for sample in run.read_samples("unlearned/test_forget"))


def test_undefined_numbers_say_why(page: Page) -> None:
    assert "needs 1,000 non-members, there are 48" in page.text


def test_several_runs_stand_in_one_table_and_can_be_reached(both: Page) -> None:
    assert "Unlearning report: 2 runs" in both.text
    targets = [(attributes["href"] or "").removeprefix("#") for attributes in both.named("a")]
    assert targets == ["run-1", "run-2"]
    assert {attributes["id"] for attributes in both.named("article")} == set(targets)
    assert "no retrained model was evaluated; name it in model.retrained" in both.text


def test_fine_tuned_model_has_a_page_without_a_verdict(tmp_path: Path) -> None:
    page = Page(render_report([make_run(tmp_path, models=("base", "pretrained"))]))
    assert "The four splits" in page.text
    assert "What this run does" not in page.text
    assert "What removing the prompt restores" not in page.text


def test_digests_and_configuration_are_there(page: Page, run: Run) -> None:
    assert run.manifest.base_digest is not None and run.manifest.base_digest in page.text
    assert all(digest in page.text for digest in run.manifest.split_digests.values())
    assert "learning_rate: 0.0001" in page.text


def test_is_written_where_asked_and_the_same_each_time(run: Run, html: str, tmp_path: Path) -> None:
    path = write_report([run], tmp_path / "deep" / "report.html")
    assert path.read_text(encoding="utf-8") == html


def test_colours_of_text_are_dark_enough() -> None:
    """Contrast with white of at least 4.5 to 1 (WCAG AA) for every text colour of the page."""
    template = Path(__file__).parents[2] / "src" / "spul" / "reports" / "templates" / "report.html.j2"
    colours = re.findall(r"[{;]\s*color: (#[0-9a-f]{6})", template.read_text(encoding="utf-8"))
    assert colours
    for colour in colours:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
        assert 1.05 / (luminance + 0.05) >= 4.5, colour


def test_run_without_metrics_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="evaluate it"):
        render_report([make_run(tmp_path, evaluated=False)])


def test_scope_gate_has_a_section_of_its_own(page: Page, gated: Run) -> None:
    of_gate = Page(render_report([gated])).text
    assert "Scope gate" in of_gate
    assert "Scope gate" not in page.text
    for split in ("train_forget", "test_forget", "train_retain", "test_retain"):
        for model in ("unlearned", "unlearned_gated"):
            assert bare(gated.metrics[f"{model}/{split}/accuracy"]) in of_gate
        assert bare(gated.metrics[f"unlearned_gated/{split}/gate_rate"]) in of_gate
    told = " ".join(of_gate.split())
    assert "Detector token_max; its threshold was set on 99 retain rows" in told
    assert "one can list names that were to be forgotten" in told, "a gate's files disclose"
