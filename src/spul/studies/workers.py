"""Worker processes: each does one job after another on one thread, and ends when the process that started it does.

Parent and worker speak by lines of JSON: an :class:`Order` goes to the worker's standard input; phases and, last, one
result come back on its standard output. What libraries print goes to the job's log file.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from spul.config import RunConfig
from spul.errors import RunError, SpulError
from spul.studies.jobs import Job
from spul.studies.work import Phase, work

__all__ = ["Order", "Workers", "main"]

LAST_LINES = 15
"""So much of a worker's log goes into the error of one that died."""


@dataclass(frozen=True)
class Order:
    """A job as it is sent to a worker: names, paths and values of JSON only."""

    name: str
    config: dict[str, Any]
    root: str
    evaluate: bool
    job_evaluate: bool
    beside: bool
    log: str
    command: tuple[str, ...]

    @classmethod
    def of(cls, job: Job, root: Path, *, evaluate: bool) -> Order:
        """Return the order to do a job."""
        log = root / "logs" / f"{job.directory(root).name}.log"
        values = job.config.model_dump(mode="json")
        return cls(job.name, values, str(root), evaluate, job.evaluate, job.beside, str(log), tuple(sys.argv))

    def job(self) -> Job:
        """Return the job again."""
        return Job(self.name, RunConfig.build(self.config), evaluate=self.job_evaluate, beside=self.beside)


class Workers:
    """Processes that wait for jobs; as many are started as are busy at a time.

    :meth:`do` may be called from several threads, each of which then has a worker of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[subprocess.Popen[str]] = []
        self._all: list[subprocess.Popen[str]] = []
        self._closed = False

    def do(self, job: Job, root: Path, evaluate: bool, tell: Callable[[Phase], object]) -> None:
        """Have a worker do the job, and wait for it.

        Raises:
            RunError: the job failed, with the error's own words; or its worker died.
        """
        order = Order.of(job, root, evaluate=evaluate)
        Path(order.log).parent.mkdir(parents=True, exist_ok=True)
        worker = self._take(order.log)
        result = _ask(worker, order, tell)
        if result is None:
            code = worker.wait()
            why = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
            raise RunError(f"the worker {why}; the end of {order.log}:\n{_tail(Path(order.log))}")
        with self._lock:
            self._idle.append(worker)
        if result["error"] is not None:
            raise RunError(result["error"])

    def close(self) -> None:
        """End every worker, whatever it is doing."""
        with self._lock:
            self._closed = True
            for worker in self._all:
                worker.kill()
        for worker in self._all:
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                with contextlib.suppress(OSError):
                    pipe and pipe.close()

    def _take(self, log: str) -> subprocess.Popen[str]:
        with self._lock:
            if self._closed:
                raise RunError("interrupted")
            if self._idle:
                return self._idle.pop()
            with Path(log).open("a", encoding="utf-8") as file:
                worker = subprocess.Popen(
                    [sys.executable, "-m", __name__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=file,
                    encoding="utf-8",
                    env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
                    # An interrupt from the keyboard is the parent's to handle: it ends the workers.
                    start_new_session=True,
                )
            self._all.append(worker)
            return worker


def _ask(worker: subprocess.Popen[str], order: Order, tell: Callable[[Phase], object]) -> dict[str, Any] | None:
    """Send an order and return the result; ``None`` where the worker ends without one."""
    if worker.stdin is None or worker.stdout is None:
        raise RuntimeError("a worker has pipes for its standard input and output")
    with contextlib.suppress(BrokenPipeError):
        worker.stdin.write(json.dumps(asdict(order)) + "\n")
        worker.stdin.flush()
    for line in worker.stdout:
        reply: dict[str, Any] = json.loads(line)
        if "phase" not in reply:
            return reply
        tell(reply["phase"])
    return None


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:])


def main() -> None:
    """Do the jobs that come on standard input until it ends; then end at once, in the middle of a job too."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, lines), daemon=True).start()

    def reply(**values: str | None) -> None:
        replies.write(json.dumps(values) + "\n")
        replies.flush()

    while True:
        order = Order(**json.loads(lines.get()))
        reply(error=_carry_out(order, lambda phase: reply(phase=phase)))


def _listen(source: IO[str], lines: queue.SimpleQueue[str]) -> None:
    for line in source:
        lines.put(line)
    # The parent is gone, however it went. Runs survive being cut off anywhere, so nothing has to be put in order.
    os._exit(0)


def _carry_out(order: Order, tell: Callable[[Phase], object]) -> str | None:
    """Do a job and return what went wrong, if anything; everything printed meanwhile goes into its log."""
    sys.argv = list(order.command)
    with Path(order.log).open("a", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        work(order.job(), Path(order.root), evaluate=order.evaluate, tell=tell)
    except SpulError as error:
        return str(error)
    except Exception as error:
        # A bug must not take the rest of the study with it; the log has the traceback.
        traceback.print_exc()
        return f"{type(error).__name__}: {error} (traceback in {order.log})"
    return None


if __name__ == "__main__":
    main()
