"""Behind a gate, queries out of scope get the base's answers bit for bit; those in scope get the prompt's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from spul.data.posing import Poser
from spul.data.templates import Template
from spul.models.prompted import PromptedModel
from spul.prompts import FixedPrompt
from spul.scopes import Gate, GatedModel, calibrate
from spul.types import Example, Query
from tests.tiny import tiny_model

TEMPLATE = Template.parse("text : {text} question : what sentiment ? answer : {answer}")
TEXTS = ["anna was good", "the film was dull and long and sad", "boris", "a book", "anna is in the house", "a song"]
INSIDE = [True, False, False, False, True, False]
LABELS = ("negative", "positive")


@dataclass
class Named:
    """A detector that knows one name, and remembers what it was asked."""

    asked: list[str]
    name: str = "named"

    def score(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return np.array([float("anna" in text.split()) for text in texts])


@pytest.fixture(params=["input", "deep"])
def prompted(request: pytest.FixtureRequest) -> PromptedModel:
    base, tokenizer = tiny_model()
    shape = (4, 32) if request.param == "input" else (2, 2, 2, 4, 8)
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return PromptedModel(base, tokenizer, FixedPrompt(values, request.param), batch_size=4)


@pytest.fixture
def gated(prompted: PromptedModel) -> GatedModel:
    detector: Any = Named([])
    return GatedModel(prompted, Gate(detector, calibrate(np.zeros(9), 0.5), ("text",)), TEMPLATE)


def queries(model: PromptedModel, texts: Sequence[str] = TEXTS) -> list[Query]:
    poser = Poser(model.tokenizer, TEMPLATE, 60)
    rows = [Example(str(i), {"text": text}, LABELS[i % 2]) for i, text in enumerate(texts)]
    return poser.pose_all(rows, LABELS)


def answers(asked: Sequence[Query]) -> list[list[tuple[int, ...]]]:
    return [[*query.candidates.values(), (5, 6, 7)] for query in asked]


def test_mixed_queries_are_scored_each_by_its_own_model(prompted: PromptedModel, gated: GatedModel) -> None:
    asked = queries(prompted)
    found = gated.score(asked, answers(asked))
    with prompted.prompt_disabled():
        plain = prompted.score(asked, answers(asked))
    full = prompted.score(asked, answers(asked))
    for i, inside in enumerate(INSIDE):
        assert full[i] != plain[i], "otherwise this shows nothing"
        if inside:
            got, expected = ([score.logprobs for score in rows[i]] for rows in (found, full))
            for one, other in zip(got, expected, strict=True):
                assert one == pytest.approx(other, abs=1e-5)
        else:
            assert found[i] == plain[i], "to the last bit"


def test_mixed_texts_are_continued_each_by_its_own_model(prompted: PromptedModel, gated: GatedModel) -> None:
    texts = [TEMPLATE.render_prompt({"text": text}) for text in TEXTS]
    found = gated.generate(texts, max_new_tokens=5)
    with prompted.prompt_disabled():
        plain = prompted.generate(texts, max_new_tokens=5)
    full = prompted.generate(texts, max_new_tokens=5)
    assert found == [full[i] if inside else plain[i] for i, inside in enumerate(INSIDE)]
    assert any(full[i] != plain[i] for i, inside in enumerate(INSIDE) if inside)
    assert any(full[i] != plain[i] for i, inside in enumerate(INSIDE) if not inside)
    assert gated.generate(texts[0], max_new_tokens=5) == found[:1]


def test_sampling_out_of_scope_draws_what_the_base_draws(prompted: PromptedModel, gated: GatedModel) -> None:
    texts = [TEMPLATE.render_prompt({"text": text}) for text in TEXTS]
    options: dict[str, Any] = {"max_new_tokens": 5, "temperature": 1.0, "seed": 3}
    with prompted.prompt_disabled():
        plain = prompted.generate(texts, **options)
    found = gated.generate(texts, **options)
    assert [found[i] for i, inside in enumerate(INSIDE) if not inside] == [
        plain[i] for i, inside in enumerate(INSIDE) if not inside
    ]


@pytest.mark.parametrize(
    ("texts", "runs"), [(["anna", "anna was"], [True]), (["boris"], [False]), (TEXTS, [False, True])]
)
def test_nothing_runs_for_nobody(
    prompted: PromptedModel, gated: GatedModel, texts: list[str], runs: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[bool] = []
    score = prompted.score

    def counted(*arguments: Any) -> Any:
        calls.append(prompted.num_virtual_tokens > 0)
        return score(*arguments)

    monkeypatch.setattr(prompted, "score", counted)
    asked = queries(prompted, texts)
    gated.score(asked, answers(asked))
    assert calls == runs


def test_the_gate_reads_the_text_and_not_the_template(prompted: PromptedModel, gated: GatedModel) -> None:
    detector: Any = gated.gate.detector
    asked = queries(prompted)
    gated.score(asked, answers(asked))
    gated.in_scope([TEMPLATE.render_prompt({"text": TEXTS[1]}), "no template around anna"])
    assert detector.asked == [*TEXTS, TEXTS[1], "no template around anna"]


def test_a_query_that_was_changed_is_read_from_its_tokens(prompted: PromptedModel, gated: GatedModel) -> None:
    detector: Any = gated.gate.detector
    (query,) = queries(prompted, ["boris was good"])
    (other,) = queries(prompted, ["anna was good"])
    gated.score([replace(query, prompt_ids=other.prompt_ids, fields={})], [[(5,)]])
    assert detector.asked == ["anna was good"]
