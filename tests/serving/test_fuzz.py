"""Whatever JSON is sent, the answer is of OpenAI's form with a status that means something, and the prompt stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spul.serving.schema import ChatRequest, CompletionRequest
from tests.serving.made import Live, live, model_of, served_runs

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "system", "assistant", "tool"]), "content": JSON}),
    max_size=3,
)
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["input", "deep", "base"]),
    "prompt": st.text(max_size=30) | st.lists(st.text(max_size=10) | st.integers(), max_size=3),
    "messages": MESSAGES,
    "max_tokens": st.integers(-2, 4),
    "n": st.integers(0, 3),
    "stream": st.booleans(),
    "stop": st.text(max_size=2) | st.lists(st.text(max_size=2), max_size=5),
    "logprobs": st.integers(-1, 6) | st.booleans(),
    "temperature": st.floats(-1, 3),
    "seed": st.integers(),
}


def bodies(request: type[CompletionRequest] | type[ChatRequest], needed: str) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies of the endpoint's own parameters, with likely values and with any."""
    names = [*request.model_fields, "prompt_embeds", "unknown"]
    more = st.dictionaries(st.sampled_from(names), JSON, max_size=2)
    likely = st.fixed_dictionaries(
        {"model": LIKELY["model"], needed: LIKELY[needed]},
        optional={name: LIKELY[name] for name in LIKELY if name in names and name not in ("model", needed)},
    )
    return st.builds(lambda one, other: {**one, **other}, likely, more) | st.builds(lambda one: one, likely)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(served_runs(tmp_path_factory.mktemp("runs")), max_tokens=4) as running:
        yield running


def check(server: Live, path: str, body: dict[str, Any]) -> None:
    answer = server.post(path, body)
    assert answer.status_code in (200, 400, 404), answer.text
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    elif body.get("stream"):
        assert answer.text.endswith("data: [DONE]\n\n")
    else:
        # Five virtual tokens or more would be another prompt, fewer none.
        usage = answer.json()["usage"]
        assert usage["prompt_tokens_details"]["cached_tokens"] % 4 == 0
        assert usage["prompt_tokens_details"]["cached_tokens"] > 0


FEW = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@FEW
@given(body=bodies(CompletionRequest, "prompt"))
def test_completions(server: Live, body: dict[str, Any]) -> None:
    check(server, "/v1/completions", body)


@FEW
@given(body=bodies(ChatRequest, "messages"))
def test_chats(server: Live, body: dict[str, Any]) -> None:
    check(server, "/v1/chat/completions", body)


def test_afterwards_it_answers_as_before(server: Live) -> None:
    text = "anna was in the film"
    own = model_of(server.served, "input").generate(text, max_new_tokens=4)[0]
    assert server.complete(text, max_tokens=4)["choices"][0]["text"] == own
    assert not any("logger" in row for row in server.log()), "no exception was logged"
