"""schemathesis on the server's own description: whatever is sent, what comes back is described; the prompt stays."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from spul.serving.keys import KeyRights, Keys, key_hash
from tests.serving.made import Live, live, model_of, served_runs

KEY = {"Authorization": "Bearer all"}
RIGHTS = KeyRights(name="all", sha256=key_hash("all"), base=True, metrics=True, max_logprobs=20, echo_logprobs=True)
MODELS = ("input", "deep")
LOOKING = [("GET", "/v1/models"), ("GET", "/v1/models/{name}"), ("GET", "/health"), ("GET", "/metrics")]
ASKING = [("POST", "/v1/completions"), ("POST", "/v1/chat/completions")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(served_runs(tmp_path_factory.mktemp("runs")), Keys((RIGHTS,)), max_tokens=16) as running:
        yield running


@pytest.fixture(scope="module")
def schema(server: Live) -> Any:
    config = SchemathesisConfig.from_dict({"max-stream-events": 1000})
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json", headers=KEY, config=config)


def check(case: Any) -> int:
    """Send a request, hold the answer to its description, and see that the prompt was read."""
    body = case.body
    if isinstance(body, dict) and body.get("model") and isinstance(body["model"], str):
        # Made-up names lead nowhere but to 404.
        body["model"] = MODELS[len(body["model"]) % 2]
    # What the model's context and a server's limits refuse is well formed, so a 400 is no finding there.
    response = case.call_and_validate(headers=KEY, excluded_checks=[positive_data_acceptance])
    if response.status_code == 200 and case.method == "POST":
        if body.get("stream"):
            assert response.text.endswith("data: [DONE]\n\n")
        else:
            # Five virtual tokens or more would be another prompt, fewer none.
            cached = response.json()["usage"]["prompt_tokens_details"]["cached_tokens"]
            assert cached > 0 and cached % 4 == 0
    return int(response.status_code)


def statuses(schema: Any, method: str, path: str, mode: GenerationMode, examples: int) -> Counter[int]:
    seen: Counter[int] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schema[path][method].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        seen[check(case)] += 1

    ask()
    return seen


@pytest.mark.parametrize(("method", "path"), LOOKING)
def test_what_is_looked_at_is_as_described(schema: Any, method: str, path: str) -> None:
    seen = statuses(schema, method, path, GenerationMode.POSITIVE, 5)
    assert set(seen) <= ({404} if "name" in path else {200})


@pytest.mark.parametrize(("method", "path"), ASKING)
def test_answers_are_as_described(schema: Any, method: str, path: str) -> None:
    seen = statuses(schema, method, path, GenerationMode.POSITIVE, 25)
    assert set(seen) == {200, 400}
    assert seen[200] >= 5, "not everything is refused"


@pytest.mark.parametrize(("method", "path"), ASKING)
def test_refusals_are_as_described(schema: Any, method: str, path: str) -> None:
    """Bodies of the wrong form, and requests without the key; whether all are refused is a check of its own there."""
    seen = statuses(schema, method, path, GenerationMode.NEGATIVE, 25)
    assert {400, 401} <= set(seen) <= {200, 400, 401}
    assert seen[400] >= 5


def test_without_keys_none_is_asked_for(server: Live) -> None:
    """The description is of this server, not of any: what asks for no key says so, and nothing answers 422."""
    with live(server.served) as open_to_all:
        free = open_to_all.get("/openapi.json").json()
    kept = server.get("/openapi.json", key="all").json()
    for path, operations in kept["paths"].items():
        for method, operation in operations.items():
            assert "422" not in operation["responses"]
            without = free["paths"][path][method]
            assert ("security" in operation, "401" in operation["responses"]) == ((path != "/health"),) * 2
            assert "security" not in without and "401" not in without["responses"]


def test_afterwards_it_answers_as_before(server: Live) -> None:
    text = "anna was in the film"
    own = model_of(server.served, "input").generate(text, max_new_tokens=4)[0]
    assert server.complete(text, max_tokens=4, key="all")["choices"][0]["text"] == own
    assert not any("logger" in row for row in server.log()), "no exception was logged"


@pytest.mark.slow
def test_schemathesis_own_command_finds_nothing(server: Live, tmp_path: Path) -> None:
    """Boundary values of every parameter, undeclared methods, missing and wrong keys, and 200 bodies a path.

    The description is narrowed to models that are there and answers that may be so long: most requests would end there.
    """
    document = server.get("/openapi.json", key="all").json()
    for name in ("CompletionRequest", "ChatRequest"):
        properties = document["components"]["schemas"][name]["properties"]
        properties["model"] = {"enum": MODELS}
        (limit,) = [kind for kind in properties["max_tokens"]["anyOf"] if kind["type"] == "integer"]
        limit["maximum"] = 16
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    command = [Path(sys.executable).with_name("st"), "run", "openapi.json", "--url", server.url, "--seed", "1"]
    options = ["-H", "Authorization: Bearer all", "-n", "200", "--exclude-checks", "positive_data_acceptance"]
    before = len(server.log())
    done = subprocess.run([*command, *options], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]
    seen = Counter((row.get("path"), row.get("status")) for row in server.log()[before:])
    for _, path in ASKING:
        assert seen[path, 200] > 50 and seen[path, 400] > 50 and seen[path, 401] and seen[path, 405]
    assert not any("logger" in row for row in server.log()), "no exception was logged"
