"""What others load or serve, made from a run's soft prompt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from spul.api.loading import load_model, opened
from spul.api.setting import task_of
from spul.data.loading import load_splits
from spul.errors import ConfigError, DataError
from spul.models.adapter import load_adapter
from spul.models.loading import LoadedBase
from spul.models.prompted import PromptedModel
from spul.runs import Run

if TYPE_CHECKING:
    from spul.exports import ExportResult
    from spul.exports.reference import Calibration


def export(
    run: Run | str | Path,
    to: str,
    output: str | Path | None = None,
    *,
    calibration: str | Path | None = None,
    max_soft_mass: float = 1e-6,
    keep_tied: bool = False,
    base_name: str | None = None,
    push: str | None = None,
) -> ExportResult:
    """Make what others load or serve from a run's soft prompt, and check it against the run's own forward pass.

    Args:
        run: a complete run that learned a soft prompt.
        to: registered format (``peft``, ``prefix``, ``baked``, ``gguf``).
        output: directory to make; ``exports/<format>`` in the run's if missing.
        calibration: text file, one text a line, that the export is checked on; the run's retain rows if missing.
        max_soft_mass: most probability that soft tokens may get as output.
        keep_tied: leave tied embeddings tied in a checkpoint.
        base_name: what the export calls its base model.
        push: repository on a hub that it is uploaded to, as OWNER/NAME.

    Raises:
        ExportError: the run or its base model does not do for the format, there is something at the output already, or
            a check failed. Nothing is left behind then.
    """
    from spul.exports import ExportSettings, Source, check_exportable, write_export
    from spul.exports.push import check_repository, push_export
    from spul.exports.reference import take_reference

    run = opened(run)
    destination = Path(output) if output is not None else run.exports_dir / to
    check_exportable(run, to, destination)
    if push is not None:
        check_repository(push)
    try:
        settings = ExportSettings(max_soft_mass=max_soft_mass, keep_tied=keep_tied, base_name=base_name)
    except ValidationError as error:
        raise ConfigError(f"expected max_soft_mass above 0 and at most 1, got {max_soft_mass}") from error
    model = load_model(run)
    reference = take_reference(model, _calibration(run, model, calibration))
    source = Source(run, model, load_adapter(run.adapter_dir), reference, settings)
    result = write_export(source, to, destination)
    return result if push is None else replace(result, address=push_export(result.path, push))


def _calibration(run: Run, model: PromptedModel, file: str | Path | None) -> Calibration:
    """Return the text that an export of the run is checked on.

    Raises:
        DataError: neither the file nor the run's data can be read.
    """
    from spul.exports.reference import from_file, from_task

    if file is not None:
        return from_file(Path(file), model)
    try:
        splits = load_splits(run.config.data, fields=run.config.task.fields)
    except DataError as error:
        raise DataError(f"{error} (to check an export without the run's data, give --calibration FILE)") from error
    return from_task(task_of(run.config, LoadedBase(model.base, model.tokenizer), splits), splits)
