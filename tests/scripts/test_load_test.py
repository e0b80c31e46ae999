"""The load test counts what goes wrong, and fails where it does."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from scripts import load_test
from scripts.load_test import NAME, SETTINGS, Load, Question
from spul.serving.loading import BASE_NAME, load_served, open_artefact
from tests.exports.made import write_run
from tests.serving.made import live, model_of

TEXTS = ["anna was in the film", "the plot", "who is boris ?"]


def test_answers_without_the_prompt_are_counted(tmp_path: Path) -> None:
    """A server whose prompted model is the bare base: every answer is wrong, and unprompted."""
    served = load_served([open_artefact(f"{NAME}={write_run(tmp_path).path}")])
    own, bare = (model_of(served, name).generate(TEXTS, max_new_tokens=4) for name in (NAME, BASE_NAME))
    questions = [Question(text, {NAME: a, BASE_NAME: b}) for text, a, b in zip(TEXTS, own, bare, strict=True)]
    lost = replace(served, models={**served.models, NAME: replace(served.models[BASE_NAME], name=NAME)})
    for answering, wrong in ((served, False), (lost, True)):
        with live(answering) as server:
            load = Load(server.url, "any", os.getpid(), questions, (NAME,), 4)
            found = asyncio.run(load.run(clients=3, seconds=0.4, warm=0.1))
        assert found.errors == 0
        assert len(found.latencies) >= 3
        assert found.wrong == found.unprompted == (len(found.latencies) if wrong else 0)
        assert found.tokens == 4 * len(found.latencies)


@pytest.mark.slow
def test_every_setting_on_a_tiny_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path)
    # Two seconds are too short to say whether memory is flat.
    monkeypatch.setattr(load_test, "FLAT", 2.0)
    monkeypatch.setattr(load_test, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(load_test, "ROOT", tmp_path)
    options = ["--clients", "4", "--seconds", "2", "--warm", "0.5", "--new-tokens", "4", "--write"]
    assert load_test.main([str(run.path), *options]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row[0].removeprefix("| ") for row in rows] == list(SETTINGS)
    assert all(int(row[1]) > 0 and row[2:5] == ["0", "0", "0"] for row in rows)
    page = (tmp_path / "page.md").read_text()
    assert "its load average was" in page
    assert page.count("\n| ") == 2 + len(rows)
