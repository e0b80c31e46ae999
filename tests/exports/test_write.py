"""Nothing half-written, nothing disclosed, and every refusal says what to do."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub
import pytest
from huggingface_hub import ModelCard
from typer.testing import CliRunner, Result

import spul
from spul import api
from spul.cli.main import app
from spul.errors import AdapterError, ConfigError, DataError, ExportError
from spul.exports import EXPORTS, baked, check_exportable, write_export
from spul.exports.card import model_card
from spul.exports.self_check import Check
from spul.runs import Run
from spul.types import MetricResult
from tests.exports.made import SECRET, TEXTS, make_source, write_run
from tests.tiny import tiny_model

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_run(tmp_path)


def left_behind(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if "out" in path.name]


@pytest.mark.parametrize("to", ["baked", "gguf"])
def test_a_deep_prompt_cannot_be_tokens(to: str, tmp_path: Path) -> None:
    if to not in EXPORTS.names():
        pytest.skip("no such format")
    with pytest.raises(ExportError, match=r"deep prompt cannot be exported to .*--to prefix or --to peft.*input-level"):
        write_export(make_source(tmp_path, level="deep"), to, tmp_path / "out")
    assert left_behind(tmp_path) == []


def test_a_run_that_trained_weights_is_a_checkpoint_already(run: Run, tmp_path: Path) -> None:
    run.config = run.config.model_copy(update={"trainable": "lora"})
    with pytest.raises(ExportError, match=r"trained weights \(trainable: lora\).*Load or serve .*model as it is"):
        check_exportable(run, "baked", tmp_path / "out")


def test_virtual_tokens_behind_the_text_are_refused(run: Run, tmp_path: Path) -> None:
    prompt = run.config.prompt.model_copy(update={"placement": "suffix"})
    run.config = run.config.model_copy(update={"prompt": prompt})
    with pytest.raises(ExportError, match=r"stand elsewhere than in front .*prompt\.placement=suffix.*placement=front"):
        spul.export(run, "peft", tmp_path / "out")


def test_a_quantised_base_is_refused(tmp_path: Path) -> None:
    source = make_source(tmp_path)
    model = source.run.config.model.model_copy(update={"quantization": "nf4"})
    source.run.config = source.run.config.model_copy(update={"model": model})
    with pytest.raises(ExportError, match=r"quantised to nf4.*model\.quantization=none"):
        write_export(source, "baked", tmp_path / "out")


def test_what_is_there_is_not_touched(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ExportError, match="out is there already"):
        spul.export(run, "baked", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_another_base_is_refused(run: Run, tmp_path: Path) -> None:
    """Other weights under the same path: the digest tells."""
    tiny_model(seed=1)[0].save_pretrained(tmp_path / "base")
    with pytest.raises(AdapterError, match="other weights"):
        spul.export(run, "baked", tmp_path / "out")


def test_another_precision_is_refused(run: Run, tmp_path: Path) -> None:
    model = run.config.model.model_copy(update={"dtype": "bfloat16"})
    run.config = run.config.model_copy(update={"model": model})
    with pytest.raises(AdapterError, match=r"learned on float32 weights.*loaded in bfloat16"):
        spul.export(run, "baked", tmp_path / "out")


class Usage(NamedTuple):
    total: int = 100
    used: int = 95
    free: int = 5


def test_too_little_room_is_found_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage())
    with pytest.raises(ExportError, match=r"GB of free space in .*found 0\.00 GB; make room"):
        write_export(make_source(tmp_path), "baked", tmp_path / "out")
    assert left_behind(tmp_path) == []


def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(baked, "write_tokenizer", full)
    with pytest.raises(OSError, match="No space left"):
        write_export(make_source(tmp_path), "baked", tmp_path / "out")
    assert left_behind(tmp_path) == []


def test_run_may_be_exported_and_stays_whole(run: Run) -> None:
    """The default place is in the run's directory and yet no file of the run: deleting it does no harm."""
    result = spul.export(run, "peft")
    assert result.path == run.path / "exports" / "peft"
    run.seal()
    shutil.rmtree(result.path)
    Run.open(run.path)


def test_data_that_are_gone_are_replaced_by_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "retain.jsonl").unlink()
    with pytest.raises(DataError, match="give --calibration FILE"):
        spul.export(run, "peft", tmp_path / "out")
    (tmp_path / "lines.txt").write_text("a good film\n\nthe plot is dull\n")
    result = spul.export(run, "peft", tmp_path / "out", calibration=tmp_path / "lines.txt")
    assert json.loads((result.path / "export.json").read_text())["calibration"] == "a file"
    with pytest.raises(DataError, match="expected one text a line"):
        (tmp_path / "empty.txt").write_text("\n")
        spul.export(run, "prefix", tmp_path / "other", calibration=tmp_path / "empty.txt")


def test_no_file_of_an_export_tells_the_data_or_where_they_lie(tmp_path: Path) -> None:
    source = make_source(tmp_path)
    for to in ("peft", "prefix", "baked"):
        write_export(source, to, tmp_path / to)
        for file in (tmp_path / to).iterdir():
            text = file.read_bytes().decode(errors="replace")
            assert str(tmp_path) not in text, file
            if file.name != "tokenizer.json":
                assert SECRET not in text, file
                assert not any(line in text for line in TEXTS), file
                assert "positive" not in text, file
        source = make_source(tmp_path / f"for-{to}")


def test_a_gated_run_says_that_its_gate_stays_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = make_source(tmp_path)
    assert not any("GATE" in note for note in write_export(source, "peft", tmp_path / "plain").notes)
    scope = source.run.config.scope.model_copy(update={"name": "gate"})
    source.run.config = source.run.config.model_copy(update={"scope": scope})
    result = write_export(source, "peft", tmp_path / "out")
    assert result.notes[0].startswith("NO EXPORT CARRIES THE SCOPE GATE")
    assert "NO EXPORT CARRIES THE SCOPE GATE" in caplog.text
    for name in ("README.md", "export.json"):
        assert "NO EXPORT CARRIES THE SCOPE GATE" in (result.path / name).read_text()


def test_the_card_shows_numbers_with_intervals_and_no_label(tmp_path: Path) -> None:
    source = make_source(tmp_path)
    rows = {
        "unlearned/test_forget/accuracy": MetricResult(0.25, 40, "share", True, 0.1, 0.4),
        "constant:positive/test_forget/accuracy": MetricResult(0.5, 40, "share", True),
        "unlearned/test_forget/unlearning_gap": MetricResult(None, 0, "points", False, reason="no retrained model"),
    }
    source.run.write_metrics(rows)
    check = Check(name="logits", value=1e-6, bound=1e-4, n=3, unit="logits")
    text = model_card(source, "baked", "use", [check], ["a note"])
    assert "| unlearned/test_forget/accuracy | 0.250 | 0.100 to 0.400 | 40 | share |" in text
    assert "undefined: no retrained model" in text
    assert "positive" not in text
    assert source.adapter.base.digest in text
    assert "suppresses; it does not remove" in text
    assert ModelCard(text).data.library_name == "transformers"


class Hub:
    """Stands in for a hub: takes the upload, or refuses."""

    refusal: Exception | None = None
    seen: tuple[Any, ...] = ()

    def create_repo(self, repository: str, **options: Any) -> str:
        if self.refusal is not None:
            raise self.refusal
        Hub.seen = (repository, options["private"])
        return f"https://hub/{repository}"

    def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> None:
        Hub.seen = (*Hub.seen, sorted(path.name for path in folder_path.iterdir()))


def test_push_uploads_the_finished_export(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    result = spul.export(run, "peft", tmp_path / "out", push="me/prompt")
    assert result.address == "https://hub/me/prompt"
    assert Hub.seen[:2] == ("me/prompt", True)
    assert {"README.md", "adapter_model.safetensors", "export.json"} <= set(Hub.seen[2])


def test_push_that_fails_keeps_the_export(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    monkeypatch.setattr(Hub, "refusal", ConnectionError("no route\nmore"))
    with pytest.raises(ExportError, match=r"is whole in .*could not be uploaded to me/prompt: no route. Log in"):
        spul.export(run, "peft", tmp_path / "out", push="me/prompt")
    assert (tmp_path / "out" / "README.md").exists()
    with pytest.raises(ConfigError, match="expected a repository as OWNER/NAME"):
        spul.export(run, "prefix", push="prompt")


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_command_line(run: Run) -> None:
    result = command("export", run.path, "--to", "baked", "--max-soft-mass", 1, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["export"] == str(run.path / "exports" / "baked")
    assert all(check["passed"] for check in found["checks"])
    shown = command("export", run.path, "--to", "peft")
    assert "logits of PEFT's model" in shown.stdout
    assert "padded on the left" in shown.stdout.replace("\n", " ")
    for arguments, message in (
        (("--to", "peft"), "is there already"),
        (("--to", "pft"), "Did you mean 'peft'?"),
        (("--to", "prefix", "--max-soft-mass", 2), "expected max_soft_mass above 0 and at most 1, got 2.0"),
    ):
        failed = command("export", run.path, *arguments)
        assert failed.exit_code == 2
        assert message in failed.stderr
        assert "Traceback" not in failed.stderr


def test_a_run_is_checked_before_its_model_is_loaded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "load_model", None)
    with pytest.raises(ConfigError, match="unknown export 'ggml'"):
        spul.export(run, "ggml")
