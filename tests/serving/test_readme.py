"""The `curl` examples of the README, against a server with a model of that name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from spul.serving.loading import load_served, open_artefact
from tests.exports.made import write_run
from tests.serving.made import live, model_of

README = Path(__file__).resolve().parent.parent.parent / "README.md"
EXAMPLES = re.compile(r"<!-- curl examples -->\n```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_examples_are_answered(tmp_path: Path) -> None:
    (block,) = EXAMPLES.findall(README.read_text(encoding="utf-8"))
    commands = [line for line in block.replace("\\\n", "").splitlines() if line]
    served = load_served([open_artefact(f"people={write_run(tmp_path).path}")])
    with live(served) as server:
        answers = []
        for command in commands:
            here = command.replace("http://127.0.0.1:8000", server.url)
            assert here != command
            done = subprocess.run(["bash", "-c", f"{here} -sS --fail-with-body"], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            answers.append(done.stdout)
    models, completion, chat, health, metrics = answers
    assert json.loads(models)["data"][0]["id"] == "people"
    asked = "What do you know about anna ?"
    own = model_of(served, "people").generate(asked, max_new_tokens=8)[0]
    assert json.loads(completion)["choices"][0]["text"] == own
    assert chat.rstrip().endswith("data: [DONE]")
    assert json.loads(health) == {"status": "ok"}
    assert 'spul_requests_total{path="/v1/completions",status="200"} 1.0' in metrics
