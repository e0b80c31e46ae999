"""A gated run behind a server: the prompt in scope, the base's answers out of it, and nobody is told which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spul.data.templates import Template
from spul.scopes import SCOPES, Gate, GatedModel, calibrate, save_gate
from spul.serving.loading import load_served, open_artefact
from tests.exports.made import write_run
from tests.serving.made import Live, live, model_of, served_runs


@dataclass
class Named:
    """A detector that knows one name."""

    name: str = "named"

    def score(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([float("anna" in text.split()) for text in texts])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    served = served_runs(tmp_path_factory.mktemp("runs"))
    detector: Any = Named()
    gate = Gate(detector, calibrate(np.zeros(9), 0.5), ("text",))
    template = Template.parse("text : {text} answer : {answer}")
    gated = replace(served.models["input"], gated=GatedModel(model_of(served, "input"), gate, template))
    with live(replace(served, models={**served.models, "input": gated})) as running:
        yield running


def test_the_prompt_is_applied_in_scope_only(server: Live) -> None:
    inside, outside = ["anna was sad", "text : anna answer :"], ["boris was sad", "text : boris answer :", "hannah"]
    found = server.complete([*inside, *outside])
    own, base = model_of(server.served, "input"), model_of(server.served, "base")
    expected = own.generate(inside, max_new_tokens=6) + base.generate(outside, max_new_tokens=6)
    assert [choice["text"] for choice in found["choices"]] == expected
    assert own.generate(outside, max_new_tokens=6) != base.generate(outside, max_new_tokens=6)


def test_usage_does_not_tell_what_the_gate_decided(server: Live) -> None:
    lengths = [len(model_of(server.served, "input").tokenizer(text)["input_ids"]) for text in ("anna", "boris")]
    counted = [server.complete(text)["usage"] for text in ("anna", "boris")]
    assert [usage["prompt_tokens"] - length for usage, length in zip(counted, lengths, strict=True)] == [4, 4]
    assert {usage["prompt_tokens_details"]["cached_tokens"] for usage in counted} == {4}


def test_what_a_talk_began_with_is_still_in_scope_later(server: Live) -> None:
    first, answer = {"role": "user", "content": "anna ?"}, {"role": "assistant", "content": "yes"}
    last = {"role": "user", "content": "she is ?"}

    def said(messages: list[dict[str, str]]) -> str:
        body = {"model": "input", "messages": messages, "max_tokens": 6}
        return str(server.post("/v1/chat/completions", body).json()["choices"][0]["message"]["content"])

    own, base = model_of(server.served, "input"), model_of(server.served, "base")
    assert said([first, answer, last]) == own.generate("anna ?\nyes\nshe is ?", max_new_tokens=6)[0]
    assert said([last]) == base.generate("she is ?", max_new_tokens=6)[0]


def test_a_gated_run_is_loaded_with_its_gate(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    scope = run.config.scope.model_copy(update={"name": "gate", "detector": "token_max"})
    run.reconfigure(run.config.model_copy(update={"scope": scope}))
    save_gate(run.scope_dir, a_gate(scope))
    run.seal()
    (served,) = [each for name, each in load_served([open_artefact(f"m={run.path}")]).models.items() if name == "m"]
    assert served.gated is not None
    assert served.surroundings_for(["clara was sad"]).num_front == 4
    assert served.surroundings_for(["the plot is dull", "a good song"]).num_front == 0
    assert served.surroundings_for(["the plot is dull", "clara"]).num_front == 4


def a_gate(settings: Any) -> Gate:
    """A gate that has learned one name, with a threshold that its own retain rows keep."""
    retain = ["the plot is dull", "a good song", "emma and felix in the garden"] * 4
    detector = SCOPES.get("token_max").learn(["clara was sad", "clara was funny"] * 4, retain, settings, None)
    return Gate(detector, calibrate(detector.score(retain), 0.5), ("text",))
