"""A probe passes what is whole and finds every bypass that is planted, by answers and by counted tokens."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import spul
from spul.cli.main import app
from spul.errors import ConfigError, DataError, RunError
from spul.models.prompted import PromptedModel
from spul.models.surroundings import Surroundings
from spul.probing import ProbeResult, probe
from spul.probing.canaries import Canaries, load_canaries, words
from spul.probing.endpoint import Reply
from spul.probing.probe import Replies, _whose, judged
from spul.probing.surfaces import SURFACES, Ask, Surface
from spul.runs import Run
from tests.exports.made import SECRET, write_run
from tests.probing.fake import FLAWS, ONLY_COUNTED, Engine, serving
from tests.serving.made import live, served_runs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = write_run(tmp_path_factory.mktemp("run"))
    load_canaries(made)
    return Run.open(made.path)


@pytest.fixture(scope="module")
def model(run: Run) -> PromptedModel:
    Engine.known.clear()
    return spul.load_model(run)


def failed(result: ProbeResult) -> set[str]:
    return {check.surface for check in result.checks if check.failed}


def probed(run: Run, model: PromptedModel, flaw: str = "", *, counts: bool = True) -> ProbeResult:
    with serving(Engine(model, flaw, counts=counts)) as url:
        return probe(url, run)


@pytest.mark.parametrize("counts", [True, False])
def test_what_is_whole_passes(run: Run, model: PromptedModel, counts: bool) -> None:
    result = probed(run, model, counts=counts)
    assert failed(result) == set()
    assert result.counted is counts
    verdicts = {check.surface: check.verdict for check in result.checks}
    assert verdicts["completion"] == verdicts["chat_system"] == verdicts["completion_long"] == "applied"
    assert all(check.prompted == check.asked for check in result.checks)


def judged_twice(run: Run, model: PromptedModel, flaw: str, monkeypatch: pytest.MonkeyPatch) -> list[ProbeResult]:
    """The verdicts on one engine's replies, and those on the same replies without the tokens that it counted."""
    found = []

    def without_counts(url: str, name: str, canaries: Canaries, seen: dict[Surface, Replies]) -> ProbeResult:
        silent = {
            surface: tuple((ask, replace(reply, prompt_tokens=None)) for ask, reply in replies)
            for surface, replies in seen.items()
        }
        found.extend(judged(url, name, canaries, each) for each in (seen, silent))
        return found[0]

    # The other ways in are as sound as those of an engine without a flaw.
    needed = {FLAWS[flaw], "completion", "chat"}
    skip = [] if "*" in needed else [each.name for each in SURFACES if each.name not in needed]
    monkeypatch.setattr(sys.modules["spul.probing.probe"], "judged", without_counts)
    with serving(Engine(model, flaw)) as url:
        probe(url, run, skip=skip)
    return found


@pytest.mark.parametrize("flaw", FLAWS)
def test_every_bypass_is_found(run: Run, model: PromptedModel, flaw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By answers and counted tokens, and by answers alone where tokens are not counted."""
    counted, silent = judged_twice(run, model, flaw, monkeypatch)
    assert not silent.counted
    for result in (counted, silent):
        if FLAWS[flaw] == "*":
            assert {"completion", "chat", "completion_stream", "chat_turns"} <= failed(result)
        elif result is counted or flaw not in ONLY_COUNTED:
            assert FLAWS[flaw] in failed(result)


def test_one_refusal_does_not_hide_what_the_others_let_through(run: Run) -> None:
    canaries = load_canaries(run)
    surface = next(each for each in SURFACES if each.name == "completion")
    first, second = (Ask((canary,), {}) for canary in canaries.canaries)
    bare = Reply(200, (second.canaries[0].expected["plain"].bare[0],))
    for replies, verdict in (
        ([(first, Reply(500)), (second, bare)], "bypassed"),
        ([(first, Reply(500)), (second, Reply(500))], "refused"),
        ([(first, Reply(404)), (second, Reply(404))], "absent"),
    ):
        (check,) = judged("url", "model", canaries, {surface: replies}).checks
        assert check.verdict == verdict


def test_ways_that_are_left_out_are_not_asked(run: Run, model: PromptedModel) -> None:
    with serving(Engine(model, "token ids as they come")) as url:
        assert probe(url, run, skip=["token_ids"]).passed
        with pytest.raises(ConfigError, match="no surface is called 'ids'; there are: chat, "):
            probe(url, run, skip=["ids"])


def test_our_own_server_passes(run: Run, tmp_path: Path) -> None:
    served = served_runs(tmp_path)
    with live(served) as server:
        result = probe(server.url, run, model="input")
        verdicts = {check.surface: check.verdict for check in result.checks}
        assert result.passed
        assert result.counted
        assert {verdicts[name] for name in ("token_ids", "no_special_tokens", "own_template")} == {"refused"}
        assert {verdicts[name] for name in verdicts if verdicts[name] != "refused"} == {"applied"}
        rest = [name for name in verdicts if name not in ("completion", "chat")]
        assert not probe(server.url, run, model="deep", skip=rest).passed, "another run's prompt is not this one's"


def test_answers_are_taken_once_and_hold_no_question(run: Run) -> None:
    text = (run.path / "probe" / "expected.json").read_text()
    assert SECRET not in text
    found = json.loads(text)
    assert found["num_virtual_tokens"] == 4
    assert len(found["canaries"]) == 2
    run.verify()


def test_rows_that_are_gone_and_prompts_that_do_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path)
    load_canaries(run)
    (tmp_path / "forget.jsonl").write_text('{"text": "another row", "label": "positive"}\n')
    with pytest.raises(DataError, match=r"has no row .* any more; restore it, or delete .*probe to choose"):
        load_canaries(run)
    shutil.rmtree(run.path / "probe")
    monkeypatch.setattr(PromptedModel, "surroundings", lambda self: Surroundings())
    with pytest.raises(RunError, match="no answer tells whether the prompt is applied"):
        load_canaries(run)


def test_an_answer_goes_with_the_one_that_it_follows_beyond_their_parting(run: Run) -> None:
    """What comes later may differ; an answer that stops before the parting goes with neither."""
    canary = load_canaries(run).canaries[0]
    both = canary.expected["plain"]
    ours, bare = words(both.prompted[0]), words(both.bare[0])
    part = next(i for i, (a, b) in enumerate(zip(ours, bare, strict=False)) if a != b)
    for own, expected in ((ours, "prompted"), (bare, "bare")):
        assert _whose(canary, "plain", " ".join([*own[: part + 1], "something", "else"])) == expected
        assert _whose(canary, "plain", " ".join([*own[:part], "something"])) == "other"


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["probe", *map(str, arguments)])


def test_command_line(run: Run, model: PromptedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Engine(model)) as url:
        good = command(url, run.path, "--json")
        assert good.exit_code == 0, good.stderr
        assert json.loads(good.stdout)["passed"] is True
    with serving(Engine(model, "raw completion is bare")) as url:
        bad = command(f"{url}/v1/", run.path)
        assert bad.exit_code == 1
        assert "completion: raw completion skips the chat template" in bad.stdout
        assert "counts the 4 virtual tokens" in bad.stdout
        assert SECRET not in bad.stdout
    for arguments, message in (
        ((url, run.path), "cannot be reached"),
        (("nonsense", run.path), "cannot be reached"),
        ((url, run.path / "none"), "expected a run directory"),
    ):
        result = command(*arguments)
        assert result.exit_code == 2
        assert message in " ".join(result.stderr.split())
        assert "Traceback" not in result.stderr
