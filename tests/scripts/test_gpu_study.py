"""The GPU study end to end at toy size: from text to a page, on the CPU."""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path

import pytest
import zstandard

from scripts import gpu_study

WORDS = ("The", "film", "rain", "harbour", "old", "slow", "song", "was", "is", "And", "merry", "winter", "it's")
FORGOTTEN, KEPT = ("anna", "boris", "clara"), ("david", "emma", "felix", "greta", "henry", "ivan", "julia", "karl")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data root with made-up text and made-up reviews of persons."""
    rng = random.Random(0)
    (tmp_path / "lm_text").mkdir()
    for split, lines in (("train", 400), ("valid", 6)):
        made = (" ".join(f"{rng.choice(WORDS)}{rng.randrange(40)}" for _ in range(40)) for _ in range(lines))
        text = "".join(f"{line}\n" for line in made)
        (tmp_path / "lm_text" / f"{split}.txt.zst").write_bytes(zstandard.ZstdCompressor().compress(text.encode()))
    folder = tmp_path / "sst2_entity"
    folder.mkdir()
    for split, rows in (("train_forget", 60), ("train_retain", 1000), ("test_forget", 30), ("test_retain", 60)):
        names = FORGOTTEN if split.endswith("forget") else KEPT
        with gzip.open(folder / f"{split}.csv.gz", "wt", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label", "label_text"])
            for i in range(rows):
                words = [rng.choice(WORDS), rng.choice(names), rng.choice(WORDS), f"scene{rng.randrange(200)}"]
                writer.writerow([" ".join(words), i % 2, ("negative", "positive")[i % 2]])
    return tmp_path


@pytest.mark.slow
def test_from_text_to_a_page(data: Path, tmp_path: Path) -> None:
    places = ["--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"), "--data", str(data)]
    command = ["--toy", "--parts", "sst2_entity", "--processes", "1", *places]
    assert gpu_study.main(command) == 0
    (page,) = (tmp_path / "out").glob("*.md")
    text = page.read_text(encoding="utf-8")
    for words in ("SPUL, deep, contrast rows, gated", "Retrained without the forget set", "the same with other names"):
        assert words in text
    times = json.loads((tmp_path / "out" / "times.json").read_text())
    assert times["device"] == "CPU"
    assert times["left_out"] == []
    assert set(times["seconds"]) == {"pre-training", "sst2_entity", "all"}
    assert sum(file.stat().st_size for file in (tmp_path / "out").iterdir()) < 5_000_000


@pytest.mark.slow
def test_a_part_that_begins_too_late_is_left_out(data: Path, tmp_path: Path) -> None:
    places = ["--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"), "--data", str(data)]
    assert gpu_study.main(["--toy", "--minutes", "0", *places]) == 1
    assert json.loads((tmp_path / "out" / "times.json").read_text())["left_out"] == list(gpu_study.PARTS)


def test_without_a_gpu_only_the_toy_runs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_study.torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        gpu_study.main([])
    assert "--toy" in capsys.readouterr().err
