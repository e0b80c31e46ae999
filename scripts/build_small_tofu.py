"""Cut TOFU down to what a model of a few million parameters can learn by heart on a CPU.

Writes a folder for ``data.benchmark=tofu data.subset=forget01``: all of forget01 and its perturbed file, the first rows
of retain99 and of retain_perturbed, TOFU's other two utility sets, and holdout01. Beside them stands
``refusals.jsonl`` for ``data.extra_retain``: questions about other authors of holdout10 (none of holdout01), answered
with the refusals of the task, so that refusing is something the model can do at all.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from spul.data.sources import find_file, read_rows
from spul.files import write_jsonl
from spul.tasks.settings import TaskSettings


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="directory with TOFU's files")
    parser.add_argument("output", type=Path, help="directory to write")
    parser.add_argument("--retain", type=int, default=200, help="rows of retain99")
    parser.add_argument("--utility", type=int, default=100, help="rows of retain_perturbed, at most those of --retain")
    parser.add_argument("--refusals", type=int, default=100, help="rows of refusals.jsonl")
    arguments = parser.parse_args()

    def rows(stem: str) -> list[dict[str, str]]:
        found = find_file(arguments.source, stem)
        if found is None:
            parser.error(f"expected {stem}.jsonl or {stem}.jsonl.gz in {arguments.source}, found neither")
        return read_rows(str(found))

    parts = {stem: rows(stem) for stem in ("forget01", "forget01_perturbed", "holdout01")}
    for name in ("real_authors", "world_facts"):
        parts |= {stem: rows(stem) for stem in (name, f"{name}_perturbed")}
    parts["retain99"] = rows("retain99")[: arguments.retain]
    parts["retain_perturbed"] = rows("retain_perturbed")[: min(arguments.utility, arguments.retain)]
    seen = {row["question"] for row in parts["holdout01"]}
    strangers = [row["question"] for row in rows("holdout10") if row["question"] not in seen]
    generator = random.Random(0)
    refusals = TaskSettings.model_validate({"name": "qa"}).generic_answers
    parts["refusals"] = [
        {"question": question, "answer": generator.choice(refusals)}
        for question in generator.sample(strangers, arguments.refusals)
    ]
    for stem, found in parts.items():
        write_jsonl(arguments.output / f"{stem}.jsonl", found)
        print(f"{stem:<24} {len(found):>5} rows")


if __name__ == "__main__":
    main()
