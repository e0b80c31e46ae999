"""GGUF: the same model in llama.cpp, and the warning that plain text there goes round the prompt."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers

from spul.errors import ExportError, MissingDependencyError
from spul.exports import gguf, write_export
from spul.exports._gguf_file import _interleaved
from spul.exports._gguf_tokens import SPLITS, gguf_vocabulary
from spul.exports._tokens import SoftTokens, add_soft_tokens
from tests.exports import made
from tests.exports.made import TEXTS, byte_level_tokenizer, make_source
from tests.tiny import tiny_tokenizer

P = 4


@pytest.fixture
def without_llama_cpp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf, "llama_cpp_is_there", lambda: False)


@pytest.mark.usefixtures("without_llama_cpp")
def test_file_holds_the_run_and_everything_warns(tmp_path: Path) -> None:
    """transformers reads the file back and says what the run says; card, Modelfile and notes say what goes round it."""
    result = write_export(make_source(tmp_path, "llama_tied"), "gguf", tmp_path / "out")
    assert [check.name for check in result.checks] == [
        "logits of the file, read by transformers",
        "largest mass of the soft tokens",
    ]
    modelfile = (tmp_path / "out" / "Modelfile").read_text()
    soft = "".join(f"<|spul_{i}|>" for i in range(P))
    assert f'FROM ./model.gguf\nTEMPLATE """{soft}<s>{{{{ .Prompt }}}}"""' in modelfile
    for text in (modelfile, (tmp_path / "out" / "README.md").read_text(), result.notes[0]):
        assert "RAW COMPLETION BYPASSES THE PROMPT" in text
    assert "xllamacpp is not installed" in result.notes[-1]


@pytest.mark.usefixtures("without_llama_cpp")
def test_a_wrong_order_of_rows_fails_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spul.exports._gguf_file._interleaved", lambda tensor, _: tensor)
    with pytest.raises(ExportError, match="not kept: logits of the file, read by transformers"):
        write_export(make_source(tmp_path), "gguf", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rows_of_a_head_are_interleaved() -> None:
    """Two heads of four rows: halves (0 1 | 2 3) become 0 2 1 3."""
    assert _interleaved(torch.arange(8).view(8, 1), 2).flatten().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert _interleaved(torch.arange(4), 1).tolist() == [0, 2, 1, 3]


def test_other_architectures_are_sent_to_the_converter(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"GPT2LMHeadModel is none of .*convert_hf_to_gguf\.py"):
        write_export(make_source(tmp_path, "gpt2"), "gguf", tmp_path / "out")


def test_scaled_positions_are_sent_to_the_converter(tmp_path: Path) -> None:
    source = make_source(tmp_path)
    source.model.base.config.rope_parameters = {"rope_type": "llama3", "rope_theta": 5e5}
    with pytest.raises(ExportError, match=r"rotary positions are of type 'llama3'.*convert_hf_to_gguf\.py"):
        write_export(source, "gguf", tmp_path / "out")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'spul\[gguf\]'"):
        write_export(make_source(tmp_path), "gguf", tmp_path / "out")


def soft_tokens(**parts: object) -> SoftTokens:
    """Soft tokens in a byte-level tokenizer with other parts."""
    tokenizer = byte_level_tokenizer()
    for name, part in parts.items():
        setattr(tokenizer.backend_tokenizer, name, part)
    return add_soft_tokens(tokenizer, P)


def split_by(pattern: str) -> pre_tokenizers.PreTokenizer:
    from tokenizers import Regex

    words = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    return pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def test_a_byte_level_vocabulary() -> None:
    vocabulary = gguf_vocabulary(soft_tokens(), 100)
    assert (vocabulary.model, vocabulary.pre, len(vocabulary.tokens)) == ("gpt2", "gpt-2", 100)
    assert vocabulary.tokens[92:97] == [*(f"<|spul_{i}|>" for i in range(P)), "[PAD96]"]
    assert vocabulary.types[:4] == [3, 3, 3, 2], "<pad>, <s>, </s> steer; <unk> is unknown"
    assert vocabulary.types[91:97] == [1, 3, 3, 3, 3, 5]
    assert vocabulary.merges is not None
    assert all(merge.count(" ") == 1 for merge in vocabulary.merges)


def test_the_ways_of_cutting_words_have_names() -> None:
    llama, qwen = SPLITS
    assert gguf_vocabulary(soft_tokens(pre_tokenizer=split_by(qwen), normalizer=normalizers.NFC()), 96).pre == "qwen2"
    with pytest.raises(ExportError, match="words cut in a way"):
        # Llama 3 does not merge what is a token already, and this tokenizer does.
        gguf_vocabulary(soft_tokens(pre_tokenizer=split_by(llama)), 96)
    soft = soft_tokens(pre_tokenizer=split_by(llama))
    state = json.loads(soft.backend.to_str())
    state["model"]["ignore_merges"] = True
    assert gguf_vocabulary(soft._replace(backend=Tokenizer.from_str(json.dumps(state))), 96).pre == "llama-bpe"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"pre_tokenizer": pre_tokenizers.Whitespace()}, "words cut in a way"),
        ({"pre_tokenizer": split_by("a+")}, "words cut in a way"),
        ({"normalizer": normalizers.Lowercase()}, "a normalizer of type Lowercase"),
    ],
)
def test_other_tokenizers_are_sent_to_the_converter(parts: dict[str, object], words: str) -> None:
    with pytest.raises(ExportError, match=rf"got {words}.*convert_hf_to_gguf\.py"):
        gguf_vocabulary(soft_tokens(**parts), 96)


def test_what_llama_cpp_makes_of_unknown_words_is_said(tmp_path: Path) -> None:
    source = make_source(tmp_path)
    assert not any("whole words" in note for note in gguf.GgufExport().notes(source))
    source.model.tokenizer = tiny_tokenizer()
    assert any("several in a row become one token" in note for note in gguf.GgufExport().notes(source))


@pytest.mark.slow
def test_llama_cpp_reads_known_words_as_the_base_does_and_unknown_ones_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven words of the vocabulary are seven tokens; `zebra yak` are one unknown token, and `walrus` another."""
    pytest.importorskip("xllamacpp")
    from spul.exports.llama_cpp import LlamaCpp

    monkeypatch.setattr(made, "byte_level_tokenizer", tiny_tokenizer)
    write_export(make_source(tmp_path), "gguf", tmp_path / "out")
    engine = LlamaCpp(tmp_path / "out" / "model.gguf", 64)
    assert engine.raw_tokens("the film was not very good but") == 7
    assert engine.raw_tokens("zebra yak film walrus") == 3


def test_whole_words_become_a_unigram_model() -> None:
    soft = add_soft_tokens(tiny_tokenizer(), P)
    vocabulary = gguf_vocabulary(soft, 100)
    assert vocabulary.model == "t5"
    assert vocabulary.tokens[4] == "▁the"
    assert "<|spul_0|>" in vocabulary.tokens


@pytest.mark.slow
@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("architecture", ["llama", "llama_tied", "mistral", "qwen2", "qwen3"])
def test_llama_cpp_says_what_the_run_says(architecture: str, chat: bool, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    from spul.exports.llama_cpp import LlamaCpp

    source = make_source(tmp_path, architecture, chat=chat)
    result = write_export(source, "gguf", tmp_path / "out")
    checks = {check.name: check.value for check in result.checks}
    assert checks["log-odds of the likeliest in llama.cpp"] < 1e-4
    assert checks["chats of another length in llama.cpp"] == 0

    engine = LlamaCpp(tmp_path / "out" / "model.gguf", 64)
    plain = source.model.tokenizer(TEXTS[0], add_special_tokens=False)["input_ids"]
    assert engine.raw_tokens(TEXTS[0]) == len(plain), "the bypass that the warning is about"
