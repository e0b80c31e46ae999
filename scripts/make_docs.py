"""Write the pages under docs/ that are made from the package: ``python scripts/make_docs.py [--check]``.

With ``--check`` nothing is written, and the exit code is 1 where a page is out of date.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from pathlib import Path

# The help is laid out for the terminal that it finds; on a page it must always come out the same.
os.environ.update({"TERMINAL_WIDTH": "100", "COLUMNS": "100", "NO_COLOR": "1", "_TYPER_FORCE_DISABLE_TERMINAL": "1"})

from docs_pages import command_line, components, configuration

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = {"cli.md": command_line.page, "components.md": components.page, "configuration.md": configuration.page}


def main() -> int:
    """Write or check every page; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 where a page is out of date")
    check = parser.parse_args().check
    stale = False
    for name, page in PAGES.items():
        file, made = DOCS / name, page()
        there = file.read_text(encoding="utf-8") if file.exists() else ""
        if not check:
            file.write_text(made, encoding="utf-8")
        elif made != there:
            stale = True
            sys.stderr.writelines(
                difflib.unified_diff(there.splitlines(True), made.splitlines(True), name, "made anew")
            )
            print(f"docs/{name} is out of date: make docs", file=sys.stderr)
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
