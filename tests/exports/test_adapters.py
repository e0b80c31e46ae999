"""Adapters and keys and values: as PEFT and spul load them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from spul.errors import ExportError
from spul.exports import peft, write_export
from spul.models.adapter import check_base, load_adapter
from spul.models.identity import base_identity
from spul.models.prompted import PromptedModel
from spul.prompts import FixedPrompt, Level
from tests.exports.made import make_source
from tests.tiny import tiny_model

# PEFT 0.21 asks transformers 5.23 by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")


@pytest.mark.parametrize(
    ("to", "level", "peft_type"),
    [
        ("peft", "input", "PROMPT_TUNING"),
        ("peft", "deep", "PREFIX_TUNING"),
        ("prefix", "input", "PREFIX_TUNING"),
        ("prefix", "deep", "PREFIX_TUNING"),
    ],
)
def test_both_load_what_the_run_learned(to: str, level: Level, peft_type: str, tmp_path: Path) -> None:
    source = make_source(tmp_path, "qwen2", level=level)
    result = write_export(source, to, tmp_path / "out")
    assert [check.name for check in result.checks] == ["logits of the reloaded prompt", "logits of PEFT's model"]
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["peft_type"] == peft_type

    base = tiny_model("qwen2")[0]
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    loaded = PeftModel.from_pretrained(base, tmp_path / "out").eval()
    own = PromptedModel(base, source.model.tokenizer, FixedPrompt(source.adapter.values, level))
    with torch.no_grad():
        expected = base(ids, past_key_values=_cache(own), use_cache=True).logits
        assert (loaded(input_ids=ids).logits[:, -5:] - expected).abs().max() < 1e-4
        assert (base(ids).logits - expected).abs().max() > 0.5


def _cache(model: PromptedModel) -> object:
    from spul.models.cache import expanded_cache

    return expanded_cache(model.surroundings().front, 1)


def test_the_exported_prompt_belongs_to_the_same_base(tmp_path: Path) -> None:
    write_export(make_source(tmp_path), "prefix", tmp_path / "out")
    adapter = load_adapter(tmp_path / "out")
    check_base(adapter, base_identity(tiny_model()[0], "anywhere"))
    assert (adapter.level, tuple(adapter.values.shape)) == ("deep", (2, 2, 2, 4, 8))


def test_a_fault_fails_loudly_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = peft.write_adapter
    monkeypatch.setattr(peft, "write_adapter", lambda source, to, values, level: whole(source, to, values * 1.1, level))
    with pytest.raises(ExportError, match=r"not kept: logits of the reloaded prompt: .*; logits of PEFT's model"):
        write_export(make_source(tmp_path), "peft", tmp_path / "out")
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]
