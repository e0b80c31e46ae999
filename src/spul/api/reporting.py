"""A page over evaluated runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spul.api.loading import opened
from spul.errors import ConfigError
from spul.runs import Run


def report(runs: Sequence[Run | str | Path], output: str | Path | None = None) -> Path:
    """Write one self-contained HTML page over evaluated runs and return its path.

    Without ``output`` a single run's report goes into its directory.

    Raises:
        RunError: a run was not evaluated.
    """
    from spul.reports import write_report

    found = [opened(run) for run in runs]
    if output is None and len(found) != 1:
        raise ConfigError(f"a report over {len(found)} runs needs an output path")
    if output is not None:
        return write_report(found, Path(output))
    run = found[0]
    with run.lock():
        run.unseal("report.html")
        path = write_report(found, run.path / "report.html")
        run.seal()
    return path
