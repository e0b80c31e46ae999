"""Running jobs: in the order of their needs, several at a time, and on from wherever the last attempt stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from filelock import FileLock, Timeout

from spul.errors import ConfigError, RunError, SpulError
from spul.runs import Run
from spul.studies.jobs import Job, in_order
from spul.studies.work import Phase, is_complete
from spul.studies.workers import Workers

__all__ = ["Do", "Event", "Outcome", "locked", "run_jobs"]

Do = Callable[[Job, Path, bool, Callable[[Phase], object]], None]
"""Does what is left of one job (job, root, evaluate, told of phases), or raises a SpulError."""


class Event(NamedTuple):
    """What happened to a job; ``detail`` is the error of one that failed, or the need that blocks one."""

    job: str
    state: Phase | Literal["skipped", "complete", "failed", "blocked"]
    detail: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: what was to be done.
        directory: its run directory.
        status: ``complete``; ``failed`` (see ``error``); ``blocked``: something that it needs is not complete.
        skipped: it was complete before.
        error: what went wrong, in the words of the error.
        seconds: how long this attempt took; 0 where nothing was done.
    """

    job: Job
    directory: Path
    status: Literal["complete", "failed", "blocked"]
    skipped: bool = False
    error: str | None = None
    seconds: float = 0.0

    def open(self) -> Run:
        """Return the run.

        Raises:
            RunError: it is not complete.
        """
        return Run.open(self.directory)


def run_jobs(
    jobs: Sequence[Job],
    root: str | Path,
    *,
    processes: int = 1,
    evaluate: bool = True,
    on_event: Callable[[Event], object] | None = None,
    do: Do | None = None,
) -> dict[str, Outcome]:
    """Run the jobs, each after those it needs, and return what became of each by its name.

    What is complete is skipped once its files are verified, what was cut off is resumed from its last checkpoint, what
    failed before is tried again. One that fails stops only those that need it. Whatever ends this process, an interrupt
    or a kill, ends its workers too and breaks nothing: the same call goes on.

    Args:
        jobs: in the order in which they are begun where needs allow.
        root: directory under which the run directories are; ``logs/`` in it has what each job printed. Jobs that lie
            there from another study are not run again.
        processes: worker processes, of one thread each.
        evaluate: whether jobs that ask for it are scored on the four splits.
        on_event: told what happens, from several threads; :func:`spul.studies.progress.job_lines` draws it.
        do: does one job; by default in worker processes.

    Raises:
        ConfigError: jobs that are the same, need what is not there or need each other in a circle; nothing is run then.
        RunError: another process is running jobs under the same root.
    """
    if processes < 1:
        raise ConfigError(f"expected at least one process, got {processes}")
    root = Path(root).absolute()
    ordered = in_order(jobs, root)
    tell = on_event or (lambda event: None)
    with locked(root), closing(Workers()) as workers, ThreadPoolExecutor(processes) as threads:
        try:
            return _Runner(ordered, root, evaluate, tell, do or workers.do).run(threads)
        except BaseException:
            # Before the pool of threads waits for what they wait for.
            workers.close()
            threads.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold a directory for this process within the context.

    Raises:
        RunError: another process holds it.
    """
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunError(
            f"another process is running jobs in {root}; wait for it, stop it, or use another directory"
        ) from error
    try:
        yield
    finally:
        lock.release()


class _Runner:
    """The state of one call of :func:`run_jobs`."""

    def __init__(
        self, jobs: Sequence[Job], root: Path, evaluate: bool, tell: Callable[[Event], object], do: Do
    ) -> None:
        self.jobs, self.root, self.evaluate, self.tell, self.do = jobs, root, evaluate, tell, do
        self.outcomes: dict[str, Outcome] = {}

    def run(self, threads: ThreadPoolExecutor) -> dict[str, Outcome]:
        waiting, running = list(self.jobs), set[Future[Outcome]]()
        while waiting or running:
            ready = [job for job in waiting if all(need in self.outcomes for need in job.needs)]
            waiting = [job for job in waiting if job not in ready]
            running |= {threads.submit(self._one, job) for job in ready}
            done, running = wait(running, return_when=FIRST_COMPLETED)
            self.outcomes |= {future.result().job.name: future.result() for future in done}
        return {job.name: self.outcomes[job.name] for job in self.jobs}

    def _one(self, job: Job) -> Outcome:
        start = time.monotonic()
        directory = job.directory(self.root)
        broken = [need for need in job.needs if self.outcomes[need].status != "complete"]
        if broken:
            words = f"needs {', '.join(broken)}, which is not complete"
            self.tell(Event(job.name, "blocked", words))
            return Outcome(job, directory, "blocked", error=words)
        try:
            if is_complete(job, self.root, evaluate=self.evaluate):
                self.tell(Event(job.name, "skipped"))
                return Outcome(job, directory, "complete", skipped=True)
            self.do(job, self.root, self.evaluate, lambda phase: self.tell(Event(job.name, phase)))
        except SpulError as error:
            self.tell(Event(job.name, "failed", str(error)))
            return Outcome(job, directory, "failed", error=str(error), seconds=time.monotonic() - start)
        self.tell(Event(job.name, "complete"))
        return Outcome(job, directory, "complete", seconds=time.monotonic() - start)
