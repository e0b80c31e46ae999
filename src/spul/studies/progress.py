"""How far a study is, on stderr: one line a job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from spul.studies.jobs import Job
from spul.studies.runner import Event, Outcome

__all__ = ["job_lines", "summary"]

BUSY = ("training", "resuming", "evaluating")
STYLES = {"complete": "green", "skipped": "dim", "failed": "red", "blocked": "red", "waiting": "dim"}


@contextmanager
def job_lines(jobs: Sequence[Job]) -> Iterator[Callable[[Event], object]]:
    """Within the context, show one line a job; give the yielded function to ``run_jobs(on_event=…)``.

    Where stderr is no terminal, a line is printed for everything that happens instead.
    """
    console = Console(stderr=True, highlight=False)
    lines = _Lines([job.name for job in jobs], console.height)
    if not console.is_terminal:
        yield lambda event: console.print(Text(lines.take(event)), soft_wrap=True)
        return
    with Live(get_renderable=lines.render, console=console, refresh_per_second=2):
        yield lines.take


class _Lines:
    """What is known of every job."""

    def __init__(self, names: Sequence[str], height: int) -> None:
        self._state = dict.fromkeys(names, "waiting")
        self._since: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._height = height

    def take(self, event: Event) -> str:
        """Note what happened, and return it in words."""
        now = time.monotonic()
        self._since.setdefault(event.job, now)
        self._state[event.job] = event.state
        if event.state not in BUSY:
            self._took[event.job] = now - self._since[event.job]
        return f"{event.job}: {event.state}" + (f": {event.detail}" if event.detail else "")

    def render(self) -> RenderableType:
        """Return the lines: those of jobs that are under way or failed, and of others as many as there is room for."""
        width = max(map(len, self._state), default=0)
        urgent = [name for name, state in self._state.items() if state in (*BUSY, "failed")]
        room = max(0, self._height - 3 - len(urgent))
        others = [name for name in self._state if name not in urgent]
        # Those just done and those next are nearer to what is under way than the first ones are.
        begun = [name for name in others if self._state[name] != "waiting"]
        shown = {*urgent, *begun[-(room // 2) :], *[name for name in others if name not in begun][: room - room // 2]}
        lines = [self._line(name, width) for name in self._state if name in shown]
        done = sum(state in ("complete", "skipped") for state in self._state.values())
        return Group(*lines, Text(f"{done} of {len(self._state)} complete"))

    def _line(self, name: str, width: int) -> Text:
        state = self._state[name]
        line = Text(f"{name:<{width}}  ")
        line.append(f"{state:<10}", style=STYLES.get(state, "bold"))
        if state in BUSY or self._took.get(name, 0) >= 1:
            line.append(f"  {self._took.get(name, time.monotonic() - self._since.get(name, time.monotonic())):6.0f} s")
        return line


def summary(outcomes: Mapping[str, Outcome]) -> str:
    """Return what became of the jobs in a sentence, and below it the error of each that failed."""
    new = sum(outcome.status == "complete" and not outcome.skipped for outcome in outcomes.values())
    counts = {
        "complete": new,
        "complete before": sum(outcome.skipped for outcome in outcomes.values()),
        "failed": sum(outcome.status == "failed" for outcome in outcomes.values()),
        "blocked": sum(outcome.status == "blocked" for outcome in outcomes.values()),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    errors = [f"{name}: {outcome.error}" for name, outcome in outcomes.items() if outcome.status == "failed"]
    return "\n".join([f"{len(outcomes)} jobs: {told or 'nothing to do'}", *errors])
