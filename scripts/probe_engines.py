"""Probe other people's engines on exports of a run: ``python scripts/probe_engines.py RUN [--write]``.

The run is exported to ``baked`` for `transformers serve` and to ``gguf`` for llama.cpp's server (xllamacpp), both are
started on a free port of this machine, and `spul probe` asks each in all its ways. With ``--write`` the page
docs/results/engines.md is made anew.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import spul  # noqa: E402
from spul.models.loading import context_length  # noqa: E402
from spul.probing import ProbeResult, probe  # noqa: E402
from tests.probing.engines import llama_cpp, transformers_serve  # noqa: E402

PAGE = ROOT / "docs" / "results" / "engines.md"
HEAD = """# What other engines do with our exports

Verdicts of `spul probe` ([serving.md](../serving.md#the-probe)) on engines that serve an export of one run: {p} virtual
tokens, `{architecture}` of {size:,} parameters, {chat}. transformers serve has the `baked` export, llama.cpp the
`gguf` one with four slots of {context} tokens each and flash attention off. `bypassed`, `twice`, `injected` and
`otherwise` fail a probe; *behind the prompt*: of the canaries whose answers differ, those answered as by the run's own
model behind its prompt.

Made by `python scripts/probe_engines.py RUN --write` on {date} with {versions}.

"""


def main() -> int:
    """Probe every engine and write the page; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--write", action="store_true", help="make docs/results/engines.md anew")
    options = parser.parse_args()
    run = spul.Run.open(options.run)
    model = spul.load_model(run)
    context = context_length(model.base)
    results = {}
    with tempfile.TemporaryDirectory() as directory:
        for name, to, started in _engines(Path(directory), context):
            exported = spul.export(run, to, Path(directory) / to).path
            with started(exported) as url:
                results[name] = probe(url, run, model=str(exported))
    table = "\n".join(_table(results))
    print(table)
    if options.write:
        packages = ("torch", "transformers", "xllamacpp")
        head = HEAD.format(
            p=model.num_virtual_tokens,
            architecture=type(model.base).__name__,
            size=model.base.num_parameters(),
            chat="with a chat template" if model.tokenizer.chat_template else "without a chat template",
            context=context,
            date=datetime.now(UTC).date(),
            versions=", ".join(f"{name} {metadata.version(name)}" for name in packages),
        )
        PAGE.write_text(f"{head}{table}\n", encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


Started = Callable[[Path], AbstractContextManager[str]]


def _engines(directory: Path, context: int) -> Iterator[tuple[str, str, Started]]:
    @contextmanager
    def of_transformers(exported: Path) -> Iterator[str]:
        with transformers_serve(exported, directory / "home") as url:
            yield url

    @contextmanager
    def of_llama_cpp(exported: Path) -> Iterator[str]:
        with llama_cpp(exported / "model.gguf", context) as url:
            yield url

    yield "transformers serve", "baked", of_transformers
    yield "llama.cpp", "gguf", of_llama_cpp


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
