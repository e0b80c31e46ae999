"""The baked checkpoint as one file for llama.cpp and what is built on it, with a Modelfile for Ollama."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import ClassVar

import torch
from tokenizers.models import WordLevel
from transformers import AutoModelForCausalLM, PreTrainedModel

from spul.data.chat import chat_frame
from spul.data.posing import encode_prompts
from spul.errors import ExportError
from spul.exports._base import EXPORTS, Export, Source
from spul.exports._gguf_file import check_architecture, require_gguf, write_gguf
from spul.exports._gguf_tokens import gguf_vocabulary
from spul.exports._tokens import SoftTokens, add_soft_tokens, soft_chat_template
from spul.exports.baked import bake_source, checkpoint_notes, refuse_checkpoint
from spul.exports.llama_cpp import check_llama_cpp
from spul.exports.self_check import Check, check_logits, check_mass, last_logits
from spul.files import write_text

__all__ = ["GgufExport"]

FILE = "model.gguf"
MODELFILE = "Modelfile"

WARNING = (
    "RAW COMPLETION BYPASSES THE PROMPT. llama.cpp does not put the soft tokens in front of plain text: `/completion`, "
    "`/v1/completions`, `llama-cli` without a chat, and Ollama with `raw: true` run the unprotected model, without a "
    "word. Serve chat completions only, or send the soft tokens yourself, as ids or as text. Check a server by "
    "`usage.prompt_tokens`: it has to be larger by the number of soft tokens."
)

WORDS = (
    "llama.cpp has no tokenizer of whole words. Texts of known words become the base's own tokens, but unknown ones do "
    "not: several in a row become one token, and one that begins with a known word becomes that word and a rest."
)


@EXPORTS.register("gguf")
class GgufExport(Export):
    """The baked checkpoint of a Llama-type model as a file for llama.cpp, with a Modelfile for Ollama."""

    is_checkpoint: ClassVar[bool] = True

    def refuse(self, source: Source) -> None:
        """Refuse what cannot be written, before anything is."""
        require_gguf()
        refuse_checkpoint(source)
        check_architecture(source.model.base)

    def write(self, source: Source, directory: Path) -> None:
        """Write the file and a Modelfile; the run's base model is taken apart for it."""
        soft = bake_source(source)
        base, tokenizer = source.model.base, source.model.tokenizer
        vocabulary = gguf_vocabulary(soft, base.config.vocab_size)
        special = {name: getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "unk", "pad")}
        # llama.cpp takes token 1 for the end of a text where none is named.
        special["eos"] = special["eos"] if special["eos"] is not None else special["pad"]
        write_gguf(directory / FILE, base, vocabulary, _chat_template(source, soft), special)
        write_text(directory / MODELFILE, _modelfile(source, soft))

    def check(self, source: Source, directory: Path) -> list[Check]:
        """Read the file with transformers, and with llama.cpp where it is installed, and compare with the run's own."""
        reference, like = source.reference, source.model
        soft = add_soft_tokens(like.tokenizer, like.num_virtual_tokens).ids
        # Of Qwen's settings transformers reads no head size from the file; llama.cpp's reading is checked below.
        config = {"config": like.base.config} if like.base.config.model_type.startswith("qwen") else {}
        model = AutoModelForCausalLM.from_pretrained(directory, gguf_file=FILE, dtype=like.base.dtype, **config)
        assert isinstance(model, PreTrainedModel)
        torch.nn.Module.to(model, like.device)
        model.eval()
        logits = list(last_logits(model, reference.rows, soft))
        checks = [
            check_logits("logits of the file, read by transformers", logits, reference, like.base.dtype),
            check_mass(model, soft, reference, source.settings.max_soft_mass),
        ]
        if not llama_cpp_is_there():
            return checks
        return [*checks, *check_llama_cpp(directory / FILE, soft, reference, like)]

    def usage(self, source: Source) -> str:
        """Return how it is served."""
        return (
            "```bash\n"
            f"llama-server -m {FILE} --jinja   # then POST to /v1/chat/completions, and to nothing else\n"
            f"ollama create NAME -f {MODELFILE}\n"
            "```"
        )

    def notes(self, source: Source) -> list[str]:
        """Return the warning, and what is true of every checkpoint with soft tokens."""
        notes = [WARNING, *checkpoint_notes(source)]
        if isinstance(source.model.tokenizer.backend_tokenizer.model, WordLevel):
            notes.append(WORDS)
        if not llama_cpp_is_there():
            notes.append("Not run through llama.cpp, since xllamacpp is not installed: pip install 'spul[gguf]'.")
        return notes


def llama_cpp_is_there() -> bool:
    """Return whether llama.cpp can be run from here."""
    return importlib.util.find_spec("xllamacpp") is not None


def _front(source: Source, soft: SoftTokens) -> str:
    """Return the text of all that stands in front of a user's: the soft tokens, then what the base's tokenizer adds."""
    tokenizer = source.model.tokenizer
    (begin,) = encode_prompts(tokenizer, [""])
    return soft.text + "".join(str(token) for token in tokenizer.convert_ids_to_tokens(list(begin)))


def _chat_template(source: Source, soft: SoftTokens) -> str:
    """Return the base's chat template with the soft tokens; where there is none, one that adds nothing but them.

    Chat is the only way into llama.cpp on which the prompt comes by itself, so there has to be a template.
    """
    template = soft_chat_template(source.model.tokenizer, soft.text)
    if isinstance(template, dict):
        if "default" not in template:
            raise ExportError(f"expected a chat template called 'default' among several, got {sorted(template)}")
        return template["default"]
    return template or _front(source, soft) + "{{ messages[-1]['content'] }}"


def _modelfile(source: Source, soft: SoftTokens) -> str:
    """Return an Ollama Modelfile: its template is Go's, and stands around one message of the user."""
    if source.model.tokenizer.chat_template:
        frame = chat_frame(source.model.tokenizer)
        before, after = soft.text + frame.before, frame.after
    else:
        before, after = _front(source, soft), ""
    return f'# {WARNING}\nFROM ./{FILE}\nTEMPLATE """{before}{{{{ .Prompt }}}}{after}"""\n'
