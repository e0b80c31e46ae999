"""The example package, found by its entry points as if it were installed, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "examples" / "headlines"

USE = """
import json
from dataclasses import replace
from spul.evaluation import compute_metrics
from spul.metrics import METRICS
from spul.tasks import TASKS, build_task
from spul.tasks.settings import TaskSettings
from spul.types import AnswerSpace, Example
from tests.data.kinds import make_tokenizer
from tests.metrics.free_text import free_sample

words = {"generic_answers": ("it is unknown",), "max_new_tokens": 5, "template": "{article} text : {answer}"}
settings = TaskSettings(name="headline", **words)
tokenizer = make_tokenizer("byte_level")
task = build_task(settings, tokenizer, max_length=40, labels=[])
query = task.pose(Example("x", {"article": "the film " * 50}, "a dull film"))
samples = {"base/test_retain": [free_sample("a", generated="one two"), free_sample("b", generated="one two three")]}
metrics = compute_metrics(samples, AnswerSpace((), ()), bootstrap=100)
print(json.dumps({
    "defaults": TaskSettings(name="headline").model_dump(mode="json"),
    "prompt": tokenizer.decode(list(query.prompt_ids)),
    "truncated": query.truncated,
    "metric": metrics["base/test_retain/written_words"].to_json(),
    "gap": "base/test_retain/unlearning_gap:written_words" in metrics,
}))
"""


def installed(directory: Path, points: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return an environment in which a distribution with these entry points is on the path."""
    info = directory / "spul_headlines-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spul-headlines\nVersion: 0.1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items()) for group, named in points.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    path = os.pathsep.join(map(str, (directory, PACKAGE / "src", ROOT / "src", ROOT)))
    return {**os.environ, "PYTHONPATH": path}


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_example_is_found_poses_and_is_computed(tmp_path: Path) -> None:
    points = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["entry-points"]
    done = run(installed(tmp_path, points), "-c", USE)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["defaults"]["max_new_tokens"] == 24
    assert found["defaults"]["generic_answers"] == ["No headline."]
    assert found["prompt"].endswith("text :") and found["truncated"], "the article is cut, not the words around it"
    assert (found["metric"]["value"], found["metric"]["unit"]) == (2.5, "words")
    assert found["gap"], "the distance to the retrained model comes with it"


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"headline": "spul_headlines.nothing"}, "does not load: ModuleNotFoundError"),
        ({"title": "spul_headlines.headline"}, "to register a task called 'title'; it registers none"),
    ],
)
def test_an_entry_point_that_does_not_do_is_named(tmp_path: Path, point: dict[str, str], message: str) -> None:
    done = run(installed(tmp_path, {"spul.tasks": point}), "-m", "spul", "list", "tasks")
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "spul-headlines" in done.stderr
    assert "Traceback" not in done.stderr
