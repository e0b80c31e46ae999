"""What is wrong with questions, answers and samples, through the command line: a sentence and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spul.runs import Run
from tests.cli.conftest import Spul
from tests.metrics.free_text import free_sample
from tests.tiny import tiny_model
from tests.training.setting import config_of

Rows = list[dict[str, Any]]


def write(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def refused(spul: Spul, *arguments: object) -> str:
    """Return the sentence on stderr of a command that has to end with 2."""
    result = spul(*arguments)
    assert result.exit_code == 2, result.output
    assert not result.stdout and "Traceback" not in result.stderr
    return " ".join(result.stderr.split())


def test_a_perturbed_file_without_its_plain_one(spul: Spul, tmp_path: Path) -> None:
    """Before a base is built or anything runs; also of a set that is only scored."""
    asked = [{"question": "who ?", "answer": "anna"}]
    for stem in ("forget05", "retain95", "real_authors_perturbed"):
        write(tmp_path / f"{stem}.jsonl", asked)
    command = ("benchmark", "tofu", "--model", "none", "--data", tmp_path, "--dry-run")
    assert "expected TOFU's real_authors in" in refused(spul, *command)
    (tmp_path / "forget05.jsonl").rename(tmp_path / "forget05_perturbed.jsonl")
    told = refused(spul, *command)
    assert "expected TOFU's forget05 in" in told and "is there without it. Add forget05.jsonl" in told


def scored(count: int = 6, *, shift: float = 0.0, **more: Any) -> Rows:
    """Return samples of the forget set with false answers."""
    false = [{"logprob": -1.0 - shift - 0.1 * i, "num_tokens": 2} for i in range(count)]
    row = {"split": "train_forget", "answer": "anna was born in rome", "token_logprobs": [-1.0, -0.5]}
    return [{**row, "id": str(i), "perturbed": [false[i]], **more} for i in range(count)]


def test_other_questions_than_the_retrained_models(spul: Spul, tmp_path: Path) -> None:
    """Of another file it is an error; within one file the number is null, also where ids are numbered alike."""
    ours = write(tmp_path / "ours.jsonl", scored())
    theirs = write(tmp_path / "theirs.jsonl", scored(answer="boris was born in oslo"))
    assert "the same examples of train_forget, but 6 and 6 differ" in refused(
        spul, "score", ours, "--retrained", theirs
    )
    both = write(tmp_path / "both.jsonl", [*scored(), *scored(answer="boris", model="retrained")])
    found = json.loads(spul("score", both, "--json").stdout)["metrics"]
    quality = found["unlearned/train_forget/forget_quality"]
    assert quality["value"] is None and "different examples" in quality["reason"]
    for key in ("loss_ks", "unlearning_gap:probability"):
        assert "different examples" in found[f"unlearned/train_forget/{key}"]["reason"]
    alike = write(tmp_path / "alike.jsonl", list(reversed(scored(shift=0.5))))
    found = json.loads(spul("score", ours, "--retrained", alike, "--json").stdout)["metrics"]
    assert found["unlearned/train_forget/forget_quality"]["value"] is not None
    assert found["unlearned/train_forget/loss_ks"]["value"] == 0.0, "another order is no other question"


@pytest.mark.parametrize("answer", ["", " \n\t"])
def test_blank_true_answers(spul: Spul, tmp_path: Path, answer: str) -> None:
    forget = write(tmp_path / "forget.jsonl", [{"question": "who ?", "answer": a} for a in ("anna", answer)])
    retain = write(tmp_path / "retain.jsonl", [{"question": "what ?", "answer": "a film"}])
    files = ("--forget", forget, "--retain", retain)
    assert "forget.jsonl, row 2: expected an answer in column 'answer'" in refused(
        spul, "unlearn", "--model", "none", *files, "task.name=qa"
    )
    told = refused(spul, "score", write(tmp_path / "samples.jsonl", scored(answer=answer)))
    assert "line 1: expected the true answer in `answer`" in told


def test_blank_written_answers_are_answers(spul: Spul, tmp_path: Path) -> None:
    file = write(tmp_path / "samples.jsonl", [*scored(2, generated=" \n"), scored(3, generated="rome")[2]])
    found = json.loads(spul("score", file, "--json").stdout)["metrics"]
    values = {key: found[f"unlearned/train_forget/{key}"]["value"] for key in ("rouge:l_recall", "empty_answer_rate")}
    assert values == {"rouge:l_recall": pytest.approx(0.2 / 3), "empty_answer_rate": pytest.approx(2 / 3)}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("base")
    model, tokenizer = tiny_model()
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.mark.parametrize(
    ("task", "row", "message"),
    [
        ("qa", {"question": "who is it ?", "answer": "anna " * 200}, "within 97 tokens (9 of prompt, 200 of answer)"),
        ("qa", {"question": "who is it ? " * 60, "answer": "anna"}, "questions are never cut"),
        ("summarization", {"document": "the film", "answer": "dull " * 200}, "no room for any of 'document' within 97"),
    ],
)
def test_answers_and_questions_longer_than_the_context(
    spul: Spul, tmp_path: Path, base: Path, task: str, row: dict[str, str], message: str
) -> None:
    """A context of 128 tokens, of which 30 are virtual and one is the end; only a document gives way."""
    field = next(iter(row))
    forget = write(tmp_path / "forget.jsonl", [row])
    retain = write(tmp_path / "retain.jsonl", [{field: "what is so good ?", "answer": "a film"}])
    told = refused(
        spul,
        *("data", "check", "--model", base, "--forget", forget, "--retain", retain),
        *(f"task.name={task}", "task.generic_answers=[it is unknown]", "task.max_new_tokens=8"),
        *(f"data.test_forget={forget}", f"data.test_retain={retain}", "data.validation_share=0"),
        *("--template", f"text : {{{field}}} answer : {{answer}}"),
    )
    assert message in told


@pytest.fixture
def run(tmp_path: Path, base: Path) -> Path:
    """Write a run whose forget samples are those of a free-text task."""
    values = {"model": {"path": str(base)}, "data": {"forget": "f.csv", "retain": "r.csv"}, "task": {"name": "qa"}}
    made = Run.create(config_of(values), "unlearn", path=tmp_path / "run")
    made.write_samples("retrained/train_forget", [free_sample(str(i), perturbed=[0.2]) for i in range(4)])
    made.seal(status="complete", facts={"answers": {"labels": [], "generic": ["I do not know."]}})
    return made.path


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "-1e999"])
def test_scores_that_are_no_numbers(spul: Spul, tmp_path: Path, run: Path, number: str) -> None:
    """In a file of another tool, and in one of spul's own."""
    file = tmp_path / "other.jsonl"
    file.write_text(f'{{"id": "1", "answer": "a", "split": "s", "num_tokens": 1, "logprob": {number}}}\n')
    assert "other.jsonl, line 1:" in refused(spul, "score", file)
    own = tmp_path / "own" / "base" / "test_retain" / "samples.jsonl"
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps({**free_sample("1").to_json(), "logprob": "HERE"}).replace('"HERE"', number))
    told = refused(spul, "score", tmp_path / "own")
    assert "no number of JSON" in told or "expected finite numbers as scores, got -inf" in told


def test_mixed_schema_versions(spul: Spul, tmp_path: Path, run: Path) -> None:
    rows = [*scored(2, schema_version=1), scored(3, schema_version=2)[2]]
    told = refused(spul, "score", write(tmp_path / "mixed.jsonl", rows))
    assert "mixed.jsonl, line 3: schema_version: Input should be 1" in told
    ours = write(tmp_path / "ours.jsonl", [free_row(str(i)) for i in range(4)])
    assert spul("score", ours, "--retrained", run).exit_code == 0
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "schema_version": 2}))
    for arguments in ((ours, "--retrained", run), (run,)):
        assert "has schema version 2; this spul reads 1" in refused(spul, "score", *arguments)


def free_row(id: str) -> dict[str, Any]:
    """Return the other tool's sample of the example of a run's."""
    return {"id": id, "answer": free_sample().answer, "split": "train_forget", "token_logprobs": [-1.0, -0.5]}
