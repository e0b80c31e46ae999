"""Write docs/results/exports.md: how far every export of every architecture is from the run it was made of.

``python scripts/export_equality.py [--demo RUN]`` makes a random model of each architecture of the tests, a random
prompt on it, and every export; with ``--demo`` also those of a run. It takes the numbers from the exports' own records.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import sys
import tempfile
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from spul.errors import SpulError  # noqa: E402
from spul.exports import EXPORTS, ExportSettings, write_export  # noqa: E402
from tests.exports.made import make_source  # noqa: E402
from tests.tiny import ARCHITECTURES  # noqa: E402

PAGE = ROOT / "docs" / "results" / "exports.md"
COLUMNS = {
    "peft": [("PEFT", "logits of PEFT's model")],
    "prefix": [("prefix, PEFT", "logits of PEFT's model")],
    "baked": [("baked", "logits of the reloaded checkpoint"), ("mass", "largest mass of the soft tokens")],
    "gguf": [
        ("GGUF, transformers", "logits of the file, read by transformers"),
        ("GGUF, llama.cpp", "log-odds of the likeliest in llama.cpp"),
    ],
}
HEAD = """# How equal exports are

Largest absolute difference between an export, loaded as a stranger would, and the run's own forward pass, over the last
eight positions of every calibration row and all tokens of the vocabulary (for llama.cpp: the odds of the 20 likeliest
against the first of them, behind every row; flash attention off). `mass` is the largest probability that the soft
tokens get together as output, at any position. float32 on CPU. A dash stands where a format does not carry the model.

Made by `{command}` on {date} with
{versions}.
Random models of 2 layers and 32 dimensions, whose hidden states point everywhere: the mass says nothing of trained
models but that it is measured{trained}. Every row also passed the checks that count: greedy
text in batches padded on the left, texts through the tokenizer, talks through the chat template, all of them equal.
"""


def main() -> int:
    """Make every export and write the page; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--demo", type=Path, metavar="RUN", help="a run of `spul demo`, as one row more")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    rows = [_row(name, keep_tied=False) for name in ARCHITECTURES] + [_row("gemma3", keep_tied=True)]
    if arguments.demo is not None:
        rows.append(_demo(arguments.demo))
    names = [name for columns in COLUMNS.values() for name, _ in columns]
    lines = [f"| model | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}", *rows]
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    command = "scripts/export_equality.py" + (" --demo RUN" if arguments.demo is not None else "")
    trained = "; the last row is a trained one" if arguments.demo is not None else ""
    PAGE.write_text(
        HEAD.format(command=command, date=datetime.now(UTC).date(), versions=_versions(), trained=trained)
        + "\n"
        + "\n".join(lines)
        + "\n"
    )
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


def _row(architecture: str, *, keep_tied: bool) -> str:
    settings = ExportSettings(max_soft_mass=1.0, keep_tied=keep_tied)
    values: dict[str, dict[str, float]] = {}
    for to in EXPORTS.names():
        with tempfile.TemporaryDirectory() as directory:
            try:
                source = make_source(Path(directory), architecture, chat=True, settings=settings)
                result = write_export(source, to, Path(directory) / "out")
            except SpulError as error:
                print(f"{architecture} to {to}: {error}", file=sys.stderr)
                continue
            values[to] = {check.name: check.value for check in result.checks}
    return _line(f"{architecture}, kept tied" if keep_tied else architecture, values)


def _demo(run: Path) -> str:
    import spul

    values: dict[str, dict[str, float]] = {}
    for to in EXPORTS.names():
        with tempfile.TemporaryDirectory() as directory:
            result = spul.export(run, to, Path(directory) / "out")
            record = json.loads((result.path / "export.json").read_text(encoding="utf-8"))
            values[to] = {check["name"]: check["value"] for check in record["checks"]}
    return _line("the demo's run", values)


def _line(name: str, values: dict[str, dict[str, float]]) -> str:
    cells = [
        f"{values[to][check]:.1e}" if check in values.get(to, {}) else "–"
        for to, columns in COLUMNS.items()
        for _, check in columns
    ]
    return f"| {name} | {' | '.join(cells)} |"


def _versions() -> str:
    packages = ["torch", "transformers", "peft", "gguf", "xllamacpp"]
    return ", ".join(f"{name} {metadata.version(name)}" for name in packages if importlib.util.find_spec(name))


if __name__ == "__main__":
    sys.exit(main())
