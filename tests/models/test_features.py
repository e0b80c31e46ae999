from __future__ import annotations

import numpy as np
import pytest
import torch

from spul.errors import DataError
from spul.models.features import text_vectors
from spul.models.prompted import PromptedModel
from spul.prompts import FixedPrompt
from tests.tiny import CONTEXT, HIDDEN_SIZE, tiny_model

TEXTS = ["anna was good", "the film", "a book and a song and a play", "boris"]


@pytest.fixture
def model() -> PromptedModel:
    base, tokenizer = tiny_model()
    return PromptedModel(base, tokenizer, FixedPrompt(torch.randn(4, HIDDEN_SIZE), "input"), batch_size=3)


def test_mean_and_maximum_of_the_last_hidden_states(model: PromptedModel) -> None:
    found = text_vectors(model, TEXTS)
    assert found.shape == (4, 2 * HIDDEN_SIZE)
    for row, text in zip(found, TEXTS, strict=True):
        ids = torch.tensor([model.tokenizer(text)["input_ids"]])
        with torch.no_grad():
            states = model.base(input_ids=ids, output_hidden_states=True).hidden_states[-1][0]
        expected = np.concatenate([states.mean(0).numpy(), states.amax(0).numpy()])
        assert row == pytest.approx(expected, abs=1e-5), "neither padding nor prompt has a part in it"


def test_long_texts_are_cut_to_the_context(model: PromptedModel) -> None:
    words = ["film"] * (CONTEXT + 50)
    assert np.array_equal(text_vectors(model, [" ".join(words)]), text_vectors(model, [" ".join(words[: CONTEXT - 1])]))


def test_text_without_tokens(model: PromptedModel) -> None:
    model.tokenizer.bos_token = None
    model.tokenizer.backend_tokenizer.post_processor = None
    with pytest.raises(DataError, match="at least one token"):
        text_vectors(model, ["film", ""])
