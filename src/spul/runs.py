"""The run directory: everything a run used and made, and the only interface between commands.

::

    runs/20261123T171500Z-sst2-spul-3f2a/
      manifest.json   schema version, status, times, versions, digests, command, file hashes; always written last
      config.yaml     the resolved configuration; rerunning it reproduces the run
      train.jsonl     one row a step or validation
      targets.jsonl   what forget rows are to be answered like (match mode)
      search/<rate>/  short runs of a search for the learning rate
      checkpoints/    for resume; gone once the run is complete
      adapter/        PEFT layout (a soft prompt), or model/: an ordinary checkpoint (trained weights)
      scope/          the scope gate, where there is one
      eval/<model>/<split>/samples.jsonl
      metrics.json    one row a number
      report.html
      exports/<format>/   what is shipped; not part of the run's own files
      probe/          answers that a probe of an endpoint expects; not part of them either, and made anew when missing
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NoReturn

from filelock import FileLock, Timeout
from pydantic import Field, ValidationError

from spul.config import RunConfig
from spul.errors import ConfigError, RunError, unknown_name
from spul.files import file_digest, write_json, write_jsonl, write_text
from spul.settings import Settings
from spul.types import MetricResult, Sample
from spul.versions import environment

__all__ = ["SCHEMA_VERSION", "Manifest", "Metrics", "Run"]

SCHEMA_VERSION = 1
UNHASHED = ("checkpoints", "exports", "probe", ".lock", "manifest.json")
LARGE_FILE = 256 * 2**20
"""Files above this many bytes are checked by size when a run is opened, and by hash when it is verified."""


class FileRecord(Settings):
    """Size in bytes and SHA-256 of one file of a run."""

    size: int
    sha256: str


class Manifest(Settings):
    """What a run says of itself."""

    schema_version: int = SCHEMA_VERSION
    kind: Literal["unlearn", "finetune"]
    status: Literal["started", "complete", "failed"] = "started"
    reason: str | None = None
    created: str
    finished: str | None = None
    command: tuple[str, ...] = ()
    environment: dict[str, str | None] = Field(default_factory=dict)
    seed: int
    base_digest: str | None = None
    split_digests: dict[str, str] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(default_factory=dict)
    cost: dict[str, float | int | str | None] = Field(default_factory=dict)
    files: dict[str, FileRecord] = Field(default_factory=dict)


class Metrics(Mapping[str, MetricResult]):
    """A run's numbers by ``model/split/metric``; ``split/metric`` is short for the unlearned model's."""

    def __init__(self, rows: Mapping[str, MetricResult]) -> None:
        self._rows = dict(rows)

    def __getitem__(self, key: str) -> MetricResult:
        """Return the number called ``key``.

        Raises:
            RunError: there is none; the closest name is suggested.
        """
        for name in (key, f"unlearned/{key}"):
            if name in self._rows:
                return self._rows[name]
        raise RunError(unknown_name("metric", key, self._rows))

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class Run:
    """One run directory. Build with :meth:`create` or :meth:`open`."""

    def __init__(self, path: Path, config: RunConfig, manifest: Manifest) -> None:
        self.path = path
        self.config = config
        self.manifest = manifest

    @classmethod
    def create(
        cls,
        config: RunConfig,
        kind: Literal["unlearn", "finetune"],
        *,
        base_digest: str | None = None,
        split_digests: Mapping[str, str] | None = None,
        path: Path | None = None,
    ) -> Run:
        """Make a new run directory and write its configuration and manifest.

        Args:
            config: what the run is to do.
            kind: the command that makes it.
            base_digest: of the base model.
            split_digests: of the data.
            path: the directory; if missing, one under ``config.output_dir`` that is named by time, name and chance.

        Raises:
            RunError: the directory cannot be written.
        """
        now = datetime.now(UTC)
        name = config.name or config.method
        path = path or Path(config.output_dir) / f"{now:%Y%m%dT%H%M%SZ}-{name}-{secrets.token_hex(2)}"
        manifest = Manifest(
            kind=kind,
            created=now.isoformat(timespec="seconds"),
            command=tuple(sys.argv),
            environment=environment(),
            seed=config.seed,
            base_digest=base_digest,
            split_digests=dict(split_digests or {}),
        )
        run = cls(path, config, manifest)
        try:
            path.mkdir(parents=True, exist_ok=True)
            write_text(path / "config.yaml", config.to_yaml())
            run._write_manifest()
        except OSError as error:
            raise RunError(f"cannot make the run directory {path}: {error.strerror}. Set output_dir.") from error
        return run

    @classmethod
    def open(cls, path: str | Path, *, incomplete: bool = False) -> Run:
        """Open a run directory and check its files against its manifest.

        Args:
            path: the run directory.
            incomplete: accept a run that has not finished (to resume it).

        Raises:
            RunError: it is no run directory, of an unknown schema, incomplete, or a file is missing or changed.
        """
        path = Path(path)
        manifest = _read_manifest(path)
        try:
            config = RunConfig.from_yaml(path / "config.yaml")
        except ConfigError as error:
            raise RunError(f"the configuration of run {path} does not read: {error}") from error
        run = cls(path, config, manifest)
        if manifest.status != "complete" and not incomplete:
            why = f" ({manifest.reason})" if manifest.reason else ""
            raise RunError(
                f"expected a complete run at {path}, but its status is {manifest.status!r}{why}. "
                f"Finish it with `spul {manifest.kind} --resume {path}`."
            )
        run.verify(large_files=False)
        return run

    @property
    def status(self) -> str:
        """Return ``started``, ``complete`` or ``failed``."""
        return self.manifest.status

    @property
    def adapter_dir(self) -> Path:
        """Where a soft prompt is, in PEFT's layout."""
        return self.path / "adapter"

    @property
    def model_dir(self) -> Path:
        """Where a checkpoint of trained weights is."""
        return self.path / "model"

    @property
    def exports_dir(self) -> Path:
        """Where exports go, a directory each; they may be moved away or deleted without harm to the run."""
        return self.path / "exports"

    @property
    def scope_dir(self) -> Path:
        """Where the scope gate is, if the run has one."""
        return self.path / "scope"

    @property
    def search_dir(self) -> Path:
        """Where the short runs of a search for the learning rate are, a run directory each."""
        return self.path / "search"

    @property
    def checkpoints_dir(self) -> Path:
        """Where the states for resume are while the run is not complete."""
        return self.path / "checkpoints"

    def lock(self) -> FileLock:
        """Return an acquired lock on the run; it is released with the process at the latest.

        Raises:
            RunError: another process holds it.
        """
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise RunError(f"run {self.path} is in use by another process; wait for it or stop it") from error
        return lock

    def reconfigure(self, config: RunConfig) -> None:
        """Replace the configuration, for what is added to a finished run; rerunning it must still reproduce the run."""
        write_text(self.path / "config.yaml", config.to_yaml())
        self.config = config

    def record(self, **changes: Any) -> None:
        """Replace fields of the manifest and write it."""
        self.manifest = self.manifest.model_copy(update=changes)
        self._write_manifest()

    def seal(self, **changes: Any) -> None:
        """Hash every file, then write the manifest (last, so that it speaks only of files that are there)."""
        files = {
            str(file.relative_to(self.path)): FileRecord(size=file.stat().st_size, sha256=file_digest(file))
            for file in sorted(self.path.rglob("*"))
            if file.is_file() and file.relative_to(self.path).parts[0] not in UNHASHED
        }
        self.record(files=files, **changes)

    def unseal(self, *names: str) -> None:
        """Take files (or folders) out of the manifest before they are written anew.

        A run that is killed in between then says that these are not there, instead of looking corrupt.
        """
        kept = {name: record for name, record in self.manifest.files.items() if not name.startswith(names)}
        self.record(files=kept)

    def verify(self, *, large_files: bool = True) -> None:
        """Check every file that the manifest names.

        Raises:
            RunError: one is missing or changed.
        """
        for name, record in self.manifest.files.items():
            file = self.path / name
            if not file.is_file():
                raise RunError(f"run {self.path} is corrupt: {name} is missing. Restore it or rerun its config.yaml.")
            hashed = large_files or record.size <= LARGE_FILE
            if file.stat().st_size != record.size or (hashed and file_digest(file) != record.sha256):
                raise RunError(
                    f"run {self.path} is corrupt: {name} is not the file that the manifest names (size or SHA-256 "
                    "differs). Restore it or rerun its config.yaml."
                )

    def train_log(self) -> list[dict[str, Any]]:
        """Return the rows of ``train.jsonl``; a line that was cut off by a kill is left out."""
        file = self.path / "train.jsonl"
        rows = []
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return rows

    def truncate_train_log(self, step: int) -> None:
        """Drop the rows after ``step``: they will be written again when training resumes from there."""
        write_jsonl(self.path / "train.jsonl", [row for row in self.train_log() if row["step"] <= step])

    def write_samples(self, where: str, samples: Sequence[Sample]) -> None:
        """Write the samples of ``<model>/<split>``."""
        write_jsonl(self.path / "eval" / where / "samples.jsonl", (sample.to_json() for sample in samples))

    def read_samples(self, where: str) -> list[Sample]:
        """Return the samples of ``<model>/<split>``.

        Raises:
            RunError: there are none, or they do not read.
        """
        file = self.path / "eval" / where / "samples.jsonl"
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
            return [Sample.from_json(json.loads(line, parse_constant=_refuse)) for line in lines]
        except FileNotFoundError as error:
            known = ", ".join(self.sample_places()) or "none"
            raise RunError(f"run {self.path} has no samples of {where!r} (there are: {known}); evaluate it") from error
        except (ValueError, TypeError) as error:
            raise RunError(f"the samples in {file} do not read: {error}. Evaluate the run again.") from error

    def sample_places(self) -> list[str]:
        """Return every ``<model>/<split>`` that has samples, sorted."""
        root = self.path / "eval"
        return sorted(str(file.parent.relative_to(root)) for file in root.rglob("samples.jsonl"))

    def write_metrics(self, rows: Mapping[str, MetricResult]) -> None:
        """Write ``metrics.json``: one row a number."""
        table = []
        for key, result in rows.items():
            where, _, metric = key.rpartition("/")
            table.append({"where": where, "metric": metric, **result.to_json()})
        write_json(self.path / "metrics.json", {"schema_version": SCHEMA_VERSION, "metrics": table})

    @property
    def metrics(self) -> Metrics:
        """Return the run's numbers.

        Raises:
            RunError: the run was not evaluated.
        """
        file = self.path / "metrics.json"
        if not file.exists():
            raise RunError(f"run {self.path} has no metrics yet; evaluate it with `spul evaluate {self.path}`")
        rows = json.loads(file.read_text(encoding="utf-8"))["metrics"]
        return Metrics({f"{row.pop('where')}/{row.pop('metric')}": MetricResult(**row) for row in rows})

    @property
    def cost(self) -> dict[str, float | int | str | None]:
        """Return what the run cost: ``seconds``, ``trained_parameters``, ``artefact_bytes``, ``steps``, …"""
        return self.manifest.cost

    def _write_manifest(self) -> None:
        write_json(self.path / "manifest.json", self.manifest.model_dump(mode="json"))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _read_manifest(path: Path) -> Manifest:
    file = path / "manifest.json"
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(f"expected a run directory at {path}, but it has no manifest.json. Check the path.") from error
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"the manifest of run {path} does not read: {error}. Restore it from a copy.") from error
    version = values.get("schema_version") if isinstance(values, dict) else None
    if version != SCHEMA_VERSION:
        raise RunError(f"run {path} has schema version {version!r}; this spul reads {SCHEMA_VERSION}")
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        raise RunError(f"the manifest of run {path} does not validate: {error}. Restore it from a copy.") from error
