"""Probe other people's engines on exports of runs: ``python scripts/probe_engines.py RUN… [--write]``.

Each run is exported to ``baked`` for `transformers serve` and to ``gguf`` for llama.cpp's server (xllamacpp); both are
started on a free port of this machine, and `spul probe` asks each in all its ways. With ``--write`` the page
docs/results/engines.md is made anew.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import spul  # noqa: E402
from spul.errors import ExportError  # noqa: E402
from spul.models.loading import context_length  # noqa: E402
from spul.probing import ProbeResult, probe  # noqa: E402
from tests.probing.engines import llama_cpp, transformers_serve  # noqa: E402

PAGE = ROOT / "docs" / "results" / "engines.md"
HEAD = """# What other engines do with our exports

Verdicts of `spul probe` ([serving.md](../serving.md#the-probe)) on engines that serve our exports: transformers serve
the `baked` one, llama.cpp the `gguf` one in four slots of the base's context each, flash attention off. `bypassed`,
`twice`, `injected` and `otherwise` fail a probe. A way in that counts fewer than all virtual tokens is bypassed,
whatever is answered there: so are long texts in llama.cpp where the tokenizer has whole words, since it reads several
unknown ones in a row as one token. In brackets: answers as of the run's own model behind its prompt, of all that tell.

Made by `python scripts/probe_engines.py RUN… --write` on {date} with
{versions}.
"""


def main() -> int:
    """Probe every engine and write the page; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--write", action="store_true", help="make docs/results/engines.md anew")
    options = parser.parse_args()
    parts = []
    for path in options.runs:
        with tempfile.TemporaryDirectory() as directory:
            parts.append(_part(spul.Run.open(path), Path(directory)))
    text = "\n".join(parts)
    print(text)
    if options.write:
        packages = ("torch", "transformers", "xllamacpp")
        versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
        PAGE.write_text(f"{HEAD.format(date=datetime.now(UTC).date(), versions=versions)}\n{text}", encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


def _part(run: spul.Run, place: Path) -> str:
    """Return the section of one run."""
    model = spul.load_model(run)
    base, tokenizer, context = model.base, model.tokenizer, context_length(model.base)
    results = {}
    exported = spul.export(run, "baked", place / "baked").path
    with transformers_serve(exported, place / "home") as url:
        results["transformers serve"] = probe(url, run, model=str(exported))
    missing = ""
    try:
        exported = spul.export(run, "gguf", place / "gguf").path
        with llama_cpp(exported / "model.gguf", context) as url:
            results["llama.cpp"] = probe(url, run, model="gguf")
    except ExportError as error:
        missing = f"Not exported to gguf: {error}\n"
    about = (
        f"`{type(base).__name__}` of {base.num_parameters():,} parameters, {model.num_virtual_tokens} virtual tokens, "
        f"context of {context},\na {type(tokenizer.backend_tokenizer.model).__name__} tokenizer "
        f"{'with' if tokenizer.chat_template else 'without'} a chat template."
    )
    return "\n".join([f"## {run.path.name}\n\n{about}\n", *_table(results), *(["", missing] if missing else [""])])


def _table(results: dict[str, ProbeResult]) -> Iterator[str]:
    yield f"| way in | {' | '.join(results)} |"
    yield f"| --- |{' --- |' * len(results)}"
    found = [{check.surface: check for check in result.checks} for result in results.values()]
    for surface in found[0]:
        cells = []
        for checks in found:
            check = checks[surface]
            asked = f" ({check.prompted} of {check.asked})" if check.asked else ""
            cells.append(f"{check.verdict}{asked}")
        yield f"| `{surface}` | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
