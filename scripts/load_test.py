"""Load ``spul serve``: ``python scripts/load_test.py RUN [--clients 32] [--seconds 60] [--write]``.

Clients ask as fast as they get answers, texts of the run's test splits, greedy. Every answer is compared with the run's
own model: what the bare base says where it differs counts as unprompted. Four settings, each a server of its own:

    prompted        everybody asks behind the prompt
    without prompt  everybody asks the plain base (with a key that may)
    mixed           every other client asks the base, so that both kinds of rows share batches
    one at a time   behind the prompt, --max-batch 1

With ``--write`` the page docs/results/serving.md is made anew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import httpx2
import numpy as np

import spul
from spul.data.loading import load_splits
from spul.data.templates import Template
from spul.models.prompted import PromptedModel
from spul.serving.keys import key_hash
from spul.serving.loading import BASE_NAME

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "results" / "serving.md"
TEXTS = 200
"""Texts that are asked, half of them of the forget set as far as there are so many."""
NAME = "prompted"
FLAT = 1.05
"""Memory at the end, as a multiple of that when warm, beyond which it is not flat."""

SETTINGS = {
    "prompted": ((NAME,), ()),
    "without prompt": ((BASE_NAME,), ()),
    "mixed": ((NAME, BASE_NAME), ()),
    "one at a time": ((NAME,), ("--max-batch", "1")),
}
HEAD = """# How much the server carries

{clients} clients that ask as fast as they get answers, for {seconds} s a setting, greedy, up to {new} new tokens, {n}
texts of the test splits of one run: {p} virtual tokens, base of {size:,} parameters (`{architecture}`), float32.
`wrong` are answers that are not the ones the run's own model gives to that text; `unprompted` those among them that
the bare base gives. `of prompted` is the rate as a multiple of the first row's. Memory is the server's resident set in
MB: after the first {warm} s, at the end, and the most in between. `others` is the share of the machine's processor time
that neither server nor clients took.

Made by `python scripts/load_test.py RUN --write` on {date} with {versions}, on {machine}.
Server and clients share the machine; its load average was {load:.1f} before the first setting{shared}.

"""


@dataclass
class Outcome:
    """What clients of one setting saw."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    tokens: int = 0
    errors: int = 0
    wrong: int = 0
    unprompted: int = 0
    memory: list[float] = field(default_factory=list)
    others: float = 0.0

    @property
    def grown(self) -> bool:
        """Whether the server needs more memory at the end than when it was warm."""
        return self.memory[-1] > FLAT * self.memory[0]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def milliseconds(self, share: float) -> float:
        """Return a percentile of the latency."""
        return float(np.percentile(self.latencies, share) * 1000)


@dataclass(frozen=True)
class Question:
    """A text, and what each model answers."""

    text: str
    answers: dict[str, str]


def main(argv: Sequence[str] | None = None) -> int:
    """Run every setting; return 1 where an answer was wrong or missing, or memory grew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--new-tokens", type=int, default=16)
    parser.add_argument("--warm", type=float, default=5.0, help="seconds at the beginning that memory is not compared")
    parser.add_argument("--note", default="", help="what else the machine did, for the page")
    parser.add_argument("--write", action="store_true", help="make docs/results/serving.md anew")
    options = parser.parse_args(argv)
    load_average = os.getloadavg()[0]
    run = spul.Run.open(options.run)
    model = spul.load_model(run)
    questions = ask_own_model(run, model, options.new_tokens)
    outcomes = {}
    for name, (models, arguments) in SETTINGS.items():
        with server(options.run, arguments) as (url, key, process):
            load = Load(url, key, process.pid, questions, models, options.new_tokens)
            outcomes[name] = asyncio.run(load.run(options.clients, options.seconds, options.warm))
        print(line(name, outcomes[name], outcomes), flush=True)
    if options.write:
        PAGE.write_text(page(options, model, len(questions), outcomes, load_average), encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")
    return int(any(each.errors or each.wrong or each.grown for each in outcomes.values()))


def ask_own_model(run: spul.Run, model: PromptedModel, new_tokens: int) -> list[Question]:
    """Return texts of the test splits with the answers of the run's own model, with and without its prompt."""
    config = run.config
    splits = load_splits(config.data, fields=config.task.fields, generic=config.task.generic_answers)
    template = Template.parse(config.task.template)
    half = [*splits.test_forget][: TEXTS // 2]
    examples = [*half, *splits.test_retain[: TEXTS - len(half)]]
    texts = [template.render_prompt(example.fields) for example in examples]
    behind = model.generate(texts, max_new_tokens=new_tokens)
    with model.prompt_disabled():
        bare = model.generate(texts, max_new_tokens=new_tokens)
    rows = zip(texts, behind, bare, strict=True)
    return [Question(text, {NAME: own, BASE_NAME: base}) for text, own, base in rows]


@contextmanager
def server(run: Path, arguments: Sequence[str]) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    """Start ``spul serve`` with a key that may ask for everything, and yield address, key and process."""
    key = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory() as directory:
        keys, log = Path(directory) / "keys.json", Path(directory) / "log"
        keys.write_text(json.dumps({"keys": [{"name": "load", "sha256": key_hash(key), "base": True}]}))
        command = [sys.executable, "-m", "spul", "serve", f"{NAME}={run}", "--port", "0", "--json", "--keys", str(keys)]
        with (
            log.open("w") as stderr,
            subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
        ):
            assert process.stdout is not None
            text = ""
            while not text.rstrip().endswith("}"):
                said = process.stdout.readline()
                if not said:
                    raise RuntimeError(log.read_text())
                text += said
            try:
                yield json.loads(text)["url"], key, process
            finally:
                process.terminate()


class Load:
    """Clients of one server."""

    def __init__(
        self, url: str, key: str, pid: int, questions: list[Question], models: Sequence[str], new_tokens: int
    ) -> None:
        self.url, self.key, self.pid = url, key, pid
        self.questions, self.models, self.new_tokens = questions, models, new_tokens
        self.outcome = Outcome()

    async def run(self, clients: int, seconds: float, warm: float) -> Outcome:
        """Let all clients ask for so many seconds."""
        headers = {"Authorization": f"Bearer {self.key}"}
        limits = httpx2.Limits(max_connections=clients)
        async with httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=60, limits=limits) as client:
            began, before = time.monotonic(), processor_seconds(self.pid)
            end = began + seconds
            workers = [self.ask(client, i, end) for i in range(clients)]
            await asyncio.gather(*workers, self.watch(began + warm, end))
            self.outcome.seconds, after = time.monotonic() - began, processor_seconds(self.pid)
            # The kernel counts the two in different ways, by a few per cent.
            others = max(0.0, (after.machine - before.machine) - (after.ours - before.ours))
            self.outcome.others = others / self.outcome.seconds / (os.cpu_count() or 1)
        return self.outcome

    async def ask(self, client: httpx2.AsyncClient, number: int, end: float) -> None:
        """Ask as fast as answers come."""
        chance, model = random.Random(number), self.models[number % len(self.models)]
        while (now := time.monotonic()) < end:
            question = chance.choice(self.questions)
            body = {"model": model, "prompt": question.text, "max_tokens": self.new_tokens}
            try:
                response = await client.post("/v1/completions", json=body)
                response.raise_for_status()
                answer = response.json()
            except httpx2.HTTPError:
                self.outcome.errors += 1
                continue
            self.outcome.latencies.append(time.monotonic() - now)
            self.outcome.tokens += answer["usage"]["completion_tokens"]
            said = answer["choices"][0]["text"]
            if said != question.answers[model]:
                self.outcome.wrong += 1
                self.outcome.unprompted += model != BASE_NAME and said == question.answers[BASE_NAME]

    async def watch(self, begin: float, end: float) -> None:
        """Note the server's memory every half second."""
        await asyncio.sleep(max(0.0, begin - time.monotonic()))
        while time.monotonic() < end:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
            self.outcome.memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
            await asyncio.sleep(0.5)


class ProcessorSeconds(NamedTuple):
    """Processor time that was taken so far: by everything on the machine, and by server and clients."""

    machine: float
    ours: float


def processor_seconds(pid: int) -> ProcessorSeconds:
    """Read the kernel's counts; waiting and idling are not among them."""
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    server = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    clients = time.process_time()
    return ProcessorSeconds(
        (user + nice + system + sum(interrupts)) / tick, (int(server[11]) + int(server[12])) / tick + clients
    )


COLUMNS = ("setting", "answers", "errors", "wrong", "unprompted", "answers/s", "of prompted", "new tokens/s",
           "p50 ms", "p95 ms", "p99 ms", "memory MB", "others")  # fmt: skip


def line(name: str, found: Outcome, outcomes: dict[str, Outcome]) -> str:
    """Return one row of the table."""
    first, last, most = found.memory[0], found.memory[-1], max(found.memory)
    cells = [
        name,
        f"{len(found.latencies)}",
        f"{found.errors}",
        f"{found.wrong}",
        f"{found.unprompted}",
        f"{found.rate:.1f}",
        f"{found.rate / outcomes['prompted'].rate:.2f}",
        f"{found.tokens / found.seconds:.0f}",
        *(f"{found.milliseconds(share):.0f}" for share in (50, 95, 99)),
        f"{first:.0f}, {last:.0f}, {most:.0f}",
        f"{found.others:.0%}",
    ]
    return f"| {' | '.join(cells)} |"


def page(
    options: argparse.Namespace, model: PromptedModel, n: int, outcomes: dict[str, Outcome], load_average: float
) -> str:
    """Return the page of results."""
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    packages = ("torch", "transformers", "fastapi", "uvicorn")
    head = HEAD.format(
        clients=options.clients,
        seconds=f"{options.seconds:g}",
        new=options.new_tokens,
        n=n,
        p=model.num_virtual_tokens,
        size=model.base.num_parameters(),
        architecture=type(model.base).__name__,
        warm=f"{options.warm:g}",
        date=datetime.now(UTC).date(),
        load=load_average,
        versions=", ".join(f"{name} {metadata.version(name)}" for name in packages),
        machine=f"{os.cpu_count()} cores ({platform.machine()}), OMP_NUM_THREADS={threads}",
        shared=f"; {options.note}" if options.note else "",
    )
    rows = [f"| {' | '.join(COLUMNS)} |", f"| --- |{' --- |' * (len(COLUMNS) - 1)}"]
    rows += [line(name, found, outcomes) for name, found in outcomes.items()]
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
