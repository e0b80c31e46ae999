"""A text of one's own is given back and scored behind the prompt: what a model type of lm-evaluation-harness reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from spul.data.templates import Template
from spul.errors import ModelError
from spul.models.prompted import PromptedModel
from spul.models.surroundings import Surroundings
from spul.prompts import FixedPrompt
from spul.scopes import Gate, GatedModel, calibrate
from spul.serving import scored
from spul.serving.keys import KeyRights, Keys, key_hash
from spul.serving.rows import Echo
from spul.types import Query
from tests.serving.made import Live, live, model_of, served_runs
from tests.serving.test_gated import Named
from tests.tiny import ARCHITECTURES, HIDDEN_SIZE, tiny_model

TEXT = "anna was in the film"
KEYS = Keys(
    (
        KeyRights(name="all", sha256=key_hash("all"), base=True, echo_logprobs=True),
        KeyRights(name="app", sha256=key_hash("app")),
        KeyRights(name="none", sha256=key_hash("none"), echo_logprobs=True, max_logprobs=0),
    )
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(served_runs(tmp_path_factory.mktemp("runs")), KEYS) as running:
        yield running


def echoed(server: Live, prompt: Any = TEXT, model: str = "input", **more: Any) -> dict[str, Any]:
    options = {"echo": True, "logprobs": 1, "max_tokens": 0, **more}
    return server.complete(prompt, model, key="all", **options)


def own_logprobs(model: PromptedModel, ids: tuple[int, ...], given: int) -> tuple[float, ...]:
    """The project's own scores of a text's tokens behind the first ``given`` of them."""
    rest = tuple(ids[given:])
    ((score,),) = model.score([Query("x", tuple(ids[:given]), rest, "")], [[rest]])
    return score.logprobs


@pytest.mark.parametrize("model", ["input", "deep", "base"])
def test_a_text_has_the_projects_own_scores(server: Live, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in pieces of three tokens: the text has about twenty, BOS in front of it is not given back."""
    monkeypatch.setattr(scored, "CHUNK", 3)
    own = model_of(server.served, model)
    found = echoed(server, model=model, logprobs=2)
    (choice,) = found["choices"]
    ids = tuple(own.tokenizer(TEXT)["input_ids"])
    assert ids[0] == own.tokenizer.bos_token_id
    scores = choice["logprobs"]
    assert (choice["text"], choice["finish_reason"]) == (TEXT, "length")
    assert scores["tokens"] == [own.tokenizer.decode([i]) for i in ids[1:]]
    assert "".join(scores["tokens"]) == TEXT
    assert [
        TEXT[offset:].startswith(token) for offset, token in zip(scores["text_offset"], scores["tokens"], strict=True)
    ]
    assert scores["token_logprobs"][0] is scores["top_logprobs"][0] is None
    assert scores["token_logprobs"][1:] == pytest.approx(own_logprobs(own, ids, 2), abs=1e-4)
    assert all(len(top) == 2 for top in scores["top_logprobs"][1:])
    virtual = 0 if model == "base" else 4
    assert found["usage"]["prompt_tokens"] == virtual + len(ids)
    assert found["usage"]["completion_tokens"] == 0
    if model != "base":
        bare = own_logprobs(model_of(server.served, "base"), ids, 2)
        assert max(abs(a - b) for a, b in zip(scores["token_logprobs"][1:], bare, strict=True)) > 0.5


def test_what_follows_is_the_answer_to_the_text(server: Live) -> None:
    """The answer and its scores are those that come without echo, moved by the text's length."""
    plain = server.complete([TEXT, "a"], key="all", n=2, logprobs=1)["choices"]
    found = echoed(server, [TEXT, "a"], n=2, max_tokens=6)["choices"]
    for choice, without, text in zip(found, plain, [TEXT, TEXT, "a", "a"], strict=True):
        assert choice["text"] == text + without["text"]
        read = len(choice["logprobs"]["tokens"]) - len(without["logprobs"]["tokens"])
        assert choice["logprobs"]["tokens"][read:] == without["logprobs"]["tokens"]
        moved = [offset + len(text) for offset in without["logprobs"]["text_offset"]]
        assert choice["logprobs"]["text_offset"][read:] == moved
        assert choice["logprobs"]["token_logprobs"][read:] == pytest.approx(
            without["logprobs"]["token_logprobs"], abs=1e-4
        )
    assert echoed(server, logprobs=None)["choices"][0]["text"] == TEXT
    assert echoed(server, logprobs=None, max_tokens=6)["choices"][0]["text"] == found[0]["text"]
    asked = {"model": "input", "prompt": TEXT, "echo": True, "logprobs": 1, "max_tokens": 6, "stream": True}
    assert found[0]["text"] == "".join(chunk["text"] for chunk in streamed(server, asked))


def streamed(server: Live, body: dict[str, Any]) -> list[dict[str, Any]]:
    lines = server.post("/v1/completions", body, key="all").text.split("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line and "[DONE]" not in line]
    return [choice for event in events for choice in event["choices"]]


def test_the_end_of_an_answer_has_a_score(server: Live) -> None:
    """One token was asked for, so one is scored, also where it ends the answer: clients count on it."""
    own = model_of(server.served, "input")
    ((token,),) = own.continue_greedily([own.tokenizer(TEXT)["input_ids"]], max_new_tokens=1)
    with live(replace(server.served, ends=frozenset([token])), KEYS) as ending:
        (choice,) = echoed(ending, max_tokens=1)["choices"]
    assert (choice["text"], choice["finish_reason"]) == (TEXT, "stop")
    assert choice["logprobs"] == echoed(server, max_tokens=1)["choices"][0]["logprobs"]


def test_a_text_that_begins_with_bos_does_not_get_another(server: Live) -> None:
    """Clients that tokenise on their own send it spelled out; it is then the text's first token."""
    with_it, without = (echoed(server, text)["choices"][0]["logprobs"] for text in ("<s>" + TEXT, TEXT))
    assert with_it["tokens"] == ["<s>", *without["tokens"]]
    assert with_it["token_logprobs"][2:] == pytest.approx(without["token_logprobs"][1:], abs=1e-5)
    assert with_it["token_logprobs"][0] is None
    assert with_it["token_logprobs"][1] is not None


def test_offsets_of_characters_in_parts(server: Live) -> None:
    """The tiny vocabulary has no such characters: each is several tokens, which begin where it does."""
    text = "é ü"
    scores = echoed(server, text)["choices"][0]["logprobs"]
    assert scores["text_offset"] == sorted(scores["text_offset"])
    assert set(scores["text_offset"]) <= {0, 1, 2}
    assert len(scores["tokens"]) == len(model_of(server.served, "input").tokenizer(text)["input_ids"]) - 1


def test_who_may_have_texts_scored(server: Live) -> None:
    """The first of these keys may see the likeliest tokens, and how likely any other one is to nobody by default."""

    def refusal(key: str, **more: Any) -> Any:
        body = {"model": "input", "prompt": TEXT, "max_tokens": 1, "echo": True, **more}
        answer = server.post("/v1/completions", body, key=key)
        return None if answer.status_code == 200 else answer.json()["error"]["message"]

    assert refusal("app", logprobs=1) == "this key may not ask for logprobs of its own text"
    assert refusal("app") is None
    assert refusal("none", logprobs=0) == "this key may ask for at most 0 logprobs"
    assert refusal("all", logprobs=6) == "this key may ask for at most 5 logprobs"
    assert "max_tokens=0 is for requests with echo=true" in refusal("all", echo=False, max_tokens=0)
    assert "max_tokens" in refusal("all", max_tokens=-1)


def test_a_gate_decides_for_scores_as_for_answers(server: Live) -> None:
    detector: Any = Named()
    gate = Gate(detector, calibrate(np.zeros(9), 0.5), ("text",))
    template = Template.parse("text : {text} answer : {answer}")
    gated = replace(server.served.models["input"], gated=GatedModel(model_of(server.served, "input"), gate, template))
    with live(replace(server.served, models={**server.served.models, "input": gated}), KEYS) as behind:
        for text, model in ((TEXT, "input"), ("boris was in the film", "base")):
            own = model_of(server.served, model)
            found = echoed(behind, text)
            ids = tuple(own.tokenizer(text)["input_ids"])
            scores = found["choices"][0]["logprobs"]["token_logprobs"][1:]
            assert scores == pytest.approx(own_logprobs(own, ids, 2), abs=1e-4)
            assert found["usage"]["prompt_tokens"] == 4 + len(ids), "nobody is told"


@pytest.mark.parametrize("placement", ["suffix", "both"])
def test_texts_in_front_of_virtual_tokens_are_not_scored(server: Live, placement: Any) -> None:
    """Scored they would be without the prompt, or without half of it."""
    bare = model_of(server.served, "base")
    values = torch.randn(4, HIDDEN_SIZE, generator=torch.Generator().manual_seed(3))
    around = PromptedModel(bare.base, bare.tokenizer, FixedPrompt(values, "input", placement)).surroundings()
    placed = replace(server.served.models["input"], around=around)
    with live(replace(server.served, models={**server.served.models, "input": placed}), KEYS) as behind:
        body = {"model": "input", "prompt": TEXT, "echo": True, "logprobs": 1}
        answer = behind.post("/v1/completions", body, key="all")
        assert answer.status_code == 400
        assert "virtual tokens stand behind a text" in answer.json()["error"]["message"]
        assert echoed(behind, logprobs=None, max_tokens=3)["choices"][0]["text"].startswith(TEXT)
    with pytest.raises(ModelError, match="cannot be scored"):
        scored.read_scored(bare.base, bare.tokenizer, [4, 5], around, Echo("", (0, 1)), 1)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_scores_and_goes_on_as_its_own(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces of four tokens, beyond every window; what is read is continued as the project does."""
    monkeypatch.setattr(scored, "CHUNK", 4)
    base, tokenizer = tiny_model(architecture)
    text = "she is a good writer and he was not very funny but we play"
    ids = tuple(tokenizer(text)["input_ids"])
    values = PromptedModel(base, tokenizer).prompt_init().embeddings[30:36] * 2
    for model in (PromptedModel(base, tokenizer, FixedPrompt(values, "input")), PromptedModel(base, tokenizer)):
        echo = Echo(text, tuple(range(len(ids) - 1)))
        around = model.surroundings() if model.encoder else Surroundings()
        started, scores = scored.read_scored(base, tokenizer, ids, around, echo, 1)
        assert [score.logprob for score in scores][1:] == pytest.approx(own_logprobs(model, ids, 2), abs=2e-4)
        written, logits, batch = [], started.logits, started.batch
        for _ in range(4):
            written.append(int(logits.argmax()))
            with torch.inference_mode():
                logits = batch.step(base, torch.tensor(written[-1:]))
        (own,) = model.continue_greedily([ids], max_new_tokens=4)
        assert tuple(written[: len(own)]) == own
