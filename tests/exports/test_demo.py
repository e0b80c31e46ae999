"""The demo's prompt, baked: plain transformers code answers as the run was measured to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import spul
from spul.data.loading import load_splits
from spul.types import Example


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_forgotten_people_are_unknown_and_kept_ones_are_not(tmp_path: Path) -> None:
    run = spul.demo(tmp_path).unlearned
    result = spul.export(run, "baked")
    (mass,) = [check.value for check in result.checks if "mass" in check.name]
    assert mass < 1e-12, "hidden states of a trained model lie on one side"

    tokenizer = AutoTokenizer.from_pretrained(result.path, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(result.path).eval()

    def answers(examples: Sequence[Example]) -> list[str]:
        """One word behind each text, in one batch, through nothing but the two Auto classes."""
        texts = [f"review: {example.fields['text']} answer:" for example in examples]
        batch = tokenizer(texts, return_tensors="pt", padding=True)
        with torch.no_grad():
            out = model.generate(**batch, max_new_tokens=1, do_sample=False)
        return [tokenizer.decode(row[-1]) for row in out]

    splits = load_splits(run.config.data, fields=("text",))
    forgotten, kept = splits.test_forget, splits.test_retain[:200]
    assert answers(forgotten).count("unknown") / len(forgotten) == run.metrics["test_forget/generic_rate"].value
    right = [own == example.answer for own, example in zip(answers(kept), kept, strict=True)]
    assert sum(right) / len(kept) > 0.9
