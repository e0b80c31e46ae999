"""Answers are found again by digest, whoever else reads and writes, and are never wrong ones."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest
import torch

from spul.models import teacher_store
from spul.models.prompted import PromptedModel
from spul.models.teacher import TeacherAnswers, compute_teacher
from spul.models.teacher_store import stored_teacher
from spul.types import Query
from tests.models.test_prompted import prompted, queries


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPUL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "teacher"


class Counted:
    """Asks the store, and counts how often the model had to be run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.model: PromptedModel = prompted("llama")
        self.runs = 0

    def ask(self, name: str, rows: list[Query], digest: str = "one", batch_size: int = 4) -> TeacherAnswers:
        def compute() -> TeacherAnswers:
            self.runs += 1
            return compute_teacher(self.model, rows, digest, batch_size=batch_size)

        path = self.directory / name / "teacher.safetensors"
        found = stored_teacher(path, self.model, rows, digest, batch_size=batch_size, compute=compute)
        assert torch.equal(TeacherAnswers.load(path, digest, rows).states, found.states)
        return found


def test_a_later_run_finds_them_and_another_base_or_other_rows_do_not(store: Path, tmp_path: Path) -> None:
    counted = Counted(tmp_path)
    first = counted.ask("a", queries())
    again = counted.ask("b", queries())
    assert counted.runs == 1
    assert torch.equal(first.states, again.states) and first.start == again.start
    counted.ask("c", queries(), digest="two")
    counted.ask("d", queries()[1:])
    counted.ask("e", queries(), batch_size=2)
    assert counted.runs == 4
    assert len(list(store.iterdir())) == 4


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_what_is_damaged_is_made_anew(
    store: Path, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted(tmp_path)
    first = counted.ask("a", queries())
    (file,) = store.iterdir()
    data = file.read_bytes()
    file.unlink()  # the run's own file shares its bytes
    file.write_bytes({"cut": data[:-9], "flipped": data[:-1] + bytes([data[-1] ^ 4]), "empty": b""}[damage])
    with caplog.at_level(logging.WARNING):
        again = counted.ask("b", queries())
    assert "damaged" in caplog.text
    assert counted.runs == 2
    assert torch.equal(first.states, again.states)
    counted.ask("c", queries())
    assert counted.runs == 2


def test_runs_at_the_same_time_disturb_each_other_nowhere(store: Path, tmp_path: Path) -> None:
    expected = Counted(tmp_path).ask("before", queries()[:3])
    answers = {n: compute_teacher(prompted("llama"), queries()[:n], "one", batch_size=4) for n in (2, 3)}
    failed: list[BaseException] = []

    def many(thread: int) -> None:
        model = prompted("llama")
        try:
            for i in range(15):
                n = 2 + (i + thread) % 2
                path = tmp_path / f"{thread}-{i}" / "teacher.safetensors"
                if i % 5 == 0:
                    for file in store.glob("*.safetensors"):
                        file.unlink(missing_ok=True)
                found = stored_teacher(path, model, queries()[:n], "one", batch_size=4, compute=lambda n=n: answers[n])
                assert torch.equal(found.states, answers[n].states)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=many, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert torch.equal(expected.states, answers[3].states)
    assert not [file for file in store.iterdir() if not file.name.endswith(".safetensors")]


def test_a_store_that_cannot_be_written_to_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SPUL_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        Counted(tmp_path).ask("a", queries())
    assert "not kept for later runs" in caplog.text


def test_what_was_not_used_for_longest_goes_first(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(tmp_path)
    counted.ask("a", queries(), digest="one")
    (old,) = store.iterdir()
    counted.ask("b", queries(), digest="two")
    (newer,) = set(store.iterdir()) - {old}
    os.utime(newer, (1, 1))
    monkeypatch.setattr(teacher_store, "MOST_BYTES", old.stat().st_size * 2)
    counted.ask("c", queries(), digest="six")
    assert newer not in set(store.iterdir()) and old in set(store.iterdir())
    assert (tmp_path / "b" / "teacher.safetensors").exists()
