from __future__ import annotations

import pytest
import torch

from spul.errors import DataError
from spul.models.generation import choose
from spul.models.prompted import PromptedModel, WithoutPrompt
from spul.prompts import FixedPrompt
from tests.tiny import ARCHITECTURES, tiny_model

PROMPTS = [
    "the film was dull",
    "a",
    "she is a good writer and he was not very funny but we play the old song",
    "who was in the book ?",
    "it",
]


def prompted(architecture: str, deep: bool = False, batch_size: int = 2) -> PromptedModel:
    base, tokenizer = tiny_model(architecture)
    model = PromptedModel(base, tokenizer, batch_size=batch_size)
    init = model.prompt_init()
    values = init.key_values(torch.arange(5, 10)) if deep else init.embeddings[5:10] * 2
    encoder = FixedPrompt(values, "deep" if deep else "input")
    return PromptedModel(base, tokenizer, encoder, batch_size=batch_size)


def ids_of(model: PromptedModel, texts: list[str]) -> list[list[int]]:
    return [list(model.tokenizer(text)["input_ids"]) for text in texts]


CASES = [(name, deep) for name in ARCHITECTURES for deep in (False, True)]


@pytest.mark.parametrize(("architecture", "deep"), CASES)
def test_batched_generation_is_unbatched_generation_token_for_token(architecture: str, deep: bool) -> None:
    """Batches of two, sorted by length, against one prompt at a time; the text of 15 tokens exceeds every window."""
    model = prompted(architecture, deep)
    prompts = ids_of(model, PROMPTS)
    together = model.complete(prompts, max_new_tokens=10)
    alone = [model.complete([ids], max_new_tokens=10)[0] for ids in prompts]
    assert together == alone
    assert together == model.generate(PROMPTS, max_new_tokens=10), "in one batch, from text"
    assert len(set(together)) > 1


def test_the_prompt_changes_what_is_written_and_can_be_left_out() -> None:
    model = prompted("llama")
    prompts = ids_of(model, PROMPTS)
    bare = PromptedModel(model.base, model.tokenizer).complete(prompts, max_new_tokens=6)
    assert WithoutPrompt(model).complete(prompts, max_new_tokens=6) == bare
    assert model.complete(prompts, max_new_tokens=6) != bare


def test_an_answer_ends_before_a_stop_text_and_rows_beside_it_go_on() -> None:
    model = prompted("llama")
    prompts = ids_of(model, PROMPTS)
    whole = model.complete(prompts, max_new_tokens=8)
    row = max(range(len(whole)), key=lambda i: len(whole[i].split()))
    mark = whole[row].split()[2]
    stopped = model.complete(prompts, max_new_tokens=8, stop=[mark])
    assert stopped == [text.split(mark)[0] if mark in text else text for text in whole]
    assert stopped[row] != whole[row]


def test_sampling_repeats_with_its_seed_and_batches_differ() -> None:
    model = prompted("llama")
    prompts = ids_of(model, ["the film"] * 4)
    first = model.complete(prompts, max_new_tokens=8, temperature=1.5, seed=3)
    assert first == model.complete(prompts, max_new_tokens=8, temperature=1.5, seed=3)
    assert first != model.complete(prompts, max_new_tokens=8, temperature=1.5, seed=4)
    assert first[:2] != first[2:], "two batches of the same prompts"


def test_no_room_for_new_tokens_is_an_error() -> None:
    model = prompted("llama")
    with pytest.raises(DataError, match=r"expected a text of 1 to 23 tokens \(5 virtual and 100 new"):
        model.complete([[5] * 24], max_new_tokens=100)


@pytest.mark.parametrize(("temperature", "top_p"), [(5e-324, 1.0), (1e-7, 0.5), (1.0, 5e-324), (1e-6, 1e-300)])
def test_the_coldest_and_the_narrowest_choice_is_the_most_probable_token(temperature: float, top_p: float) -> None:
    """Logits of 1e4, as half-precision models have: none of them becomes infinite, and never is nothing left."""
    logits = torch.tensor([[0.0, 1e4, 9.9e3], [-1e4, -9e3, -1e4]])
    generator = torch.Generator().manual_seed(0)
    assert choose(logits, temperature, top_p, generator).tolist() == [1, 1]
