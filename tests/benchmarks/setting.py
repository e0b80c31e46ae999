"""A data root, a base and a profile so small that a table is made in seconds."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

from spul.benchmarks.profiles import SMALL, Profile, Sizes, merged
from spul.benchmarks.reproduce import Request
from tests.tiny import tiny_model

PEOPLE = ("anna", "boris", "clara", "david", "emma", "felix", "greta", "henry")
FILMS = ("film", "book", "song", "play", "story", "scene")


def tiny_profile() -> Profile:
    """Return the small profile with a few steps of everything."""
    quick = {
        "train": {"learning_rate": 0.05, "batch_size": 8, "num_threads": 1, "keep": "last"},
        "evaluation": {"bootstrap": 100},
    }
    return replace(
        SMALL,
        sizes={name: Sizes(max_length=60, epochs=1, steps=3, scored=8) for name in ("sst2", "yelp", "wmdp_sciq")},
        finetune=quick,
        prompt=merged(SMALL.prompt, quick),
        weights=merged(quick, {"train": {"num_epochs": 1, "forget_ratio": "natural", "search_max_steps": 1}}),
        rates={"*": (1e-3, 1e-2)},
        grid=((1.0, 1.0),),
        shares=(50, 100),
        lengths=(2, 30),
    )


def write_root(directory: Path) -> Path:
    """Write data sets in the formats of the real ones and return their root."""
    for name in ("sst2_entity", "yelp_entity"):
        _write_sentiment(directory / "data" / name)
    _write_questions(directory / "data" / "mcq_mmlu")
    return directory / "data"


def write_base(directory: Path) -> Path:
    """Write a random model and return its folder."""
    model, tokenizer = tiny_model()
    tokenizer.add_tokens(["A", "B", "C"])  # the model has rows to spare
    model.save_pretrained(directory / "base")
    tokenizer.save_pretrained(directory / "base")
    return directory / "base"


def tiny_request(directory: Path, table: str, **values: object) -> Request:
    """Return a request for a table on what :func:`write_root` and :func:`write_base` wrote."""
    request = Request(
        table,
        data=("sst2_entity",),
        bases=(str(directory / "base"),),
        seeds=(1, 2),
        out=directory / "out",
        runs=directory / "runs",
        data_root=directory / "data",
        cache=directory / "cache",
        profile=tiny_profile(),
    )
    return replace(request, **values)  # type: ignore[arg-type]


def _write_sentiment(folder: Path) -> None:
    folder.mkdir(parents=True)
    for split in ("train_forget", "train_retain", "test_forget", "test_retain"):
        people = PEOPLE[:3] if split.endswith("forget") else PEOPLE[3:]
        films = FILMS[:4] if split.startswith("train") else FILMS[4:]
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            writer.writerows(
                [f"{person} was in the {film}", len(person + film) % 2] for person in people for film in films
            )


def _write_questions(folder: Path) -> None:
    folder.mkdir(parents=True)
    for split in ("train_forget", "train_retain", "test_forget", "test_retain"):
        people = PEOPLE[:3] if split.endswith("forget") else PEOPLE[3:]
        rows = [
            {
                "question": f"what was {person} in the {film} ?",
                "choices": ["actor", "doctor", "writer"],
                "answer": n % 3,
            }
            for n, person in enumerate(people)
            for film in (FILMS[:4] if split.startswith("train") else FILMS[4:])
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
