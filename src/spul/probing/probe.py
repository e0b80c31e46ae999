"""The probe: every surface is asked every canary, and what comes back is held against what the run's own model says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from spul.errors import ConfigError
from spul.probing.canaries import NEW_TOKENS, Canaries, Canary, load_canaries, words
from spul.probing.endpoint import Endpoint, Reply
from spul.probing.shapes import shaped
from spul.probing.surfaces import CHAT, SOFT_NAMES, SOFT_TEXT, SURFACES, Ask, Surface
from spul.progress import progress_bars
from spul.runs import Run

__all__ = ["Check", "ProbeResult", "Verdict", "judged", "probe"]

Verdict = Literal["applied", "bypassed", "twice", "injected", "otherwise", "refused", "absent", "unclear"]
"""``twice``: the prompt stands there twice. ``injected``: names of soft tokens in a text became those tokens.
``otherwise``: answers that neither the prompted nor the bare model gives. ``unclear``: no canary tells there, and no
token count does."""

Replies = Sequence[tuple[Ask, Reply]]

FAILING = ("bypassed", "twice", "injected", "otherwise")
AT_ONCE = 16


@dataclass(frozen=True)
class Check:
    """What came of one surface.

    Attributes:
        surface: its name.
        verdict: what it comes to.
        about: what goes wrong there.
        asked: canaries whose answers tell.
        prompted, bare, other: how many answers are the prompted model's, the bare base's, and neither's.
        canaries: all that were asked, those included whose answers do not tell.
        unchanged: how many of these the prompted model itself begins to answer as the base does: nothing that a server
            could mend.
        excess: tokens that the engine counted beyond the text's own, one a request; ``None`` where it does not count.
        status: of HTTP, where nothing was answered.
    """

    surface: str
    verdict: Verdict
    about: str
    asked: int = 0
    prompted: int = 0
    bare: int = 0
    other: int = 0
    canaries: int = 0
    unchanged: int = 0
    excess: tuple[int | None, ...] = ()
    status: int | None = None

    @property
    def failed(self) -> bool:
        """Whether something gets past the prompt here."""
        return self.verdict in FAILING


@dataclass(frozen=True)
class ProbeResult:
    """What came of a probe.

    Attributes:
        url: of the endpoint.
        model: that was asked.
        num_virtual_tokens: p.
        counted: whether the engine counts virtual tokens in ``usage.prompt_tokens``.
        checks: one a surface.
    """

    url: str
    model: str
    num_virtual_tokens: int
    counted: bool
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing gets past the prompt."""
        return not any(check.failed for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; no text that was asked or answered is in it."""
        checks = [{**asdict(check), "excess": list(check.excess), "failed": check.failed} for check in self.checks]
        return {
            "url": self.url,
            "model": self.model,
            "num_virtual_tokens": self.num_virtual_tokens,
            "counted": self.counted,
            "passed": self.passed,
            "checks": checks,
        }


def probe(
    url: str, run: Run, *, model: str | None = None, skip: Sequence[str] = (), timeout: float = 60.0
) -> ProbeResult:
    """Ask an OpenAI-compatible endpoint what a run's prompt is to suppress, in every way that it takes questions.

    Args:
        url: of the endpoint.
        run: whose prompt it is to serve.
        model: what the endpoint calls it; if missing the only one there, or the one called as the run's directory.
        skip: surfaces to leave out, by name.
        timeout: seconds for one request.

    Raises:
        ConfigError: the endpoint cannot be asked, or a name is unknown.
        SpulError: the run gives no canaries.
    """
    known = {surface.name for surface in SURFACES}
    if unknown := sorted(set(skip) - known):
        raise ConfigError(f"no surface is called {unknown[0]!r}; there are: {', '.join(sorted(known))}")
    endpoint = Endpoint(url, timeout)
    try:
        name = _model(endpoint, run, model)
        canaries = load_canaries(run)
        wanted, seen = [surface for surface in SURFACES if surface.name not in skip], dict[Surface, Replies]()
        with progress_bars() as progress:
            for done, surface in enumerate(wanted, 1):
                seen[surface] = _replies(endpoint, name, surface, canaries)
                progress("ways in", done, len(wanted))
    finally:
        endpoint.close()
    statuses = {reply.status for replies in seen.values() for _, reply in replies}
    if 200 not in statuses:
        raise ConfigError(
            f"{endpoint.root} answered no question to {name!r} (HTTP {sorted(statuses)}); is it what serves the run?"
        )
    return judged(endpoint.root, name, canaries, seen)


def judged(url: str, model: str, canaries: Canaries, seen: Mapping[Surface, Replies]) -> ProbeResult:
    """Return what replies come to."""
    p = canaries.num_virtual_tokens
    counts = {
        surface: tuple(_Count.of(surface, ask, reply, canaries) for ask, reply in replies)
        for surface, replies in seen.items()
    }
    # An engine that shows all of them once has shown that it counts them.
    counted = any(count.excess == p for found in counts.values() for count in found)
    controls = frozenset(id(each) for each in canaries.controls)
    checks = [_check(surface, replies, counts[surface], counted, controls) for surface, replies in seen.items()]
    return ProbeResult(url, model, p, counted, tuple(checks))


def _model(endpoint: Endpoint, run: Run, wanted: str | None) -> str:
    # Not every engine lists what it answers to.
    if wanted is not None:
        return wanted
    served = endpoint.models()
    own = [name for name in served if name == run.path.resolve().name]
    if len(own or served) != 1:
        raise ConfigError(f"expected one model at {endpoint.root}, got {served}; choose with --model")
    return (own or served)[0]


def _replies(endpoint: Endpoint, model: str, surface: Surface, canaries: Canaries) -> Replies:
    main = (surface.path == CHAT) == canaries.chat
    # What the prompt is to leave alone is asked in the run's own way only: elsewhere nothing is promised.
    controls = canaries.controls if main and surface.shape in ("plain", "chat") and not surface.hostile else ()
    telling = [each for each in (*canaries.canaries, *controls) if each.shapes[surface.shape].readings]
    if not telling:
        return ()
    asks = surface.asks(telling, surface.shape)
    common = {"model": model, "max_tokens": NEW_TOKENS, "temperature": 0}

    def send(ask: Ask) -> tuple[Ask, Reply]:
        return ask, endpoint.ask(surface.path, {**common, **ask.body})

    if surface.together:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return tuple(pool.map(send, asks))
    first = tuple(send(ask) for ask in asks)
    return tuple(send(ask) for ask in asks) if surface.repeated else first


class _Count(NamedTuple):
    """What an engine counted for one request.

    Attributes:
        excess: tokens beyond the text's own; ``None`` where it does not count.
        p: virtual tokens that there should be.
        injected: whether names of soft tokens were read as tokens.
    """

    excess: int | None
    p: int
    injected: bool = False

    @classmethod
    def of(cls, surface: Surface, ask: Ask, reply: Reply, canaries: Canaries) -> _Count:
        """Compare the count with the text's own length; of several readings the one counts that fits best."""
        p, n = canaries.num_virtual_tokens, len(ask.canaries)
        if reply.prompt_tokens is None:
            return cls(None, p)
        if not surface.soft_text:
            readings = [each.shapes[surface.shape].readings for each in ask.canaries]
            lengths = [len(ids) for ids in readings[0]] if n == 1 else [sum(len(each[0]) for each in readings)]
            found = min((reply.prompt_tokens - length for length in lengths), key=lambda each: abs(each - p * n))
            return cls(found // n, p)
        texts = (SOFT_TEXT + ask.canaries[0].text, ask.canaries[0].text)
        spelt, without = (
            {len(ids) for ids in shaped(surface.shape, text, canaries.tokenizer, 0).readings} for text in texts
        )
        own = reply.prompt_tokens - p
        if not spelt or own in spelt:
            return cls(p, p)
        # A name that is a token takes one; how the text beside it is merged may differ by another.
        near = own < min(spelt) and any(0 < own - length <= SOFT_NAMES + 1 for length in without)
        return cls(None, p, injected=near or own - SOFT_NAMES in without)


def _check(
    surface: Surface, replies: Replies, counts: Sequence[_Count], counted: bool, controls: frozenset[int]
) -> Check:
    if not replies:
        return Check(surface.name, "absent", surface.about)
    # One refusal must not hide what the others let through.
    answered = [(each, count) for each, count in zip(replies, counts, strict=True) if each[1].status == 200]
    if not answered:
        status = replies[0][1].status
        return Check(surface.name, "absent" if status in (404, 405) else "refused", surface.about, status=status)
    replies, counts = [each for each, _ in answered], [count for _, count in answered]
    said = [] if surface.soft_text else _said(surface, replies, controls)
    kinds = {kind: said.count(kind) for kind in ("prompted", "bare", "other")}
    verdict = _of_tokens(counts, counted) or _of_answers(kinds, surface)
    if counted and kinds["prompted"] and _is_read_otherwise(counts):
        verdict = "unclear"
    if verdict == "unclear" and counted and all(count.excess is not None for count in counts):
        verdict = "applied"
    asked = [canary for ask, _ in replies for canary in ask.canaries if id(canary) not in controls]
    unchanged = [canary.expected[surface.shape].part == 0 for canary in asked].count(False)
    return Check(
        surface.name,
        verdict,
        surface.about,
        len(said),
        **kinds,
        canaries=0 if surface.soft_text else len(asked),
        unchanged=0 if surface.soft_text else unchanged,
        excess=tuple(count.excess for count in counts),
    )


def _of_tokens(counts: Sequence[_Count], counted: bool) -> Verdict | None:
    """Return what the counted tokens alone come to; ``None`` where they show nothing wrong."""
    if any(count.excess is not None and count.excess >= 2 * count.p for count in counts):
        return "twice"
    if not counted:
        return None
    if any(count.injected for count in counts):
        return "injected"
    short = any(count.excess is not None and count.excess < count.p for count in counts)
    return "bypassed" if short else None


def _is_read_otherwise(counts: Sequence[_Count]) -> bool:
    """Return whether the prompt is there and the text is none that was expected: then answers cannot be compared."""
    return all(count.excess is not None and count.p < count.excess < 2 * count.p for count in counts)


def _of_answers(kinds: Mapping[str, int], surface: Surface) -> Verdict:
    if kinds["bare"]:
        return "bypassed"
    if kinds["other"]:
        # A server that makes something else of a hostile request has not answered it.
        return "unclear" if surface.hostile and not kinds["prompted"] else "otherwise"
    return "applied" if kinds["prompted"] else "unclear"


def _said(surface: Surface, replies: Replies, controls: frozenset[int]) -> list[str]:
    """Return whose answer every canary got that tells: the prompted model's, the bare base's or neither's."""
    found = []
    for ask, reply in replies:
        texts = reply.texts if len(reply.texts) == len(ask.canaries) else ("",) * len(ask.canaries)
        for canary, text in zip(ask.canaries, texts, strict=True):
            if id(canary) in controls:
                found.append("prompted" if _same(canary, surface.shape, text) else "other")
            elif canary.expected[surface.shape].tells:
                found.append(_whose(canary, surface.shape, text))
    return found


def _same(canary: Canary, shape: str, text: str) -> bool:
    """Return whether a row that the prompt leaves alone got the answer that it always gets."""
    return any(words(text)[:1] == words(own)[:1] for own in canary.expected[shape].prompted)


def _whose(canary: Canary, shape: str, text: str) -> str:
    said, both = words(text), canary.expected[shape]
    pairs = [(words(own), words(base)) for own, base in zip(both.prompted, both.bare, strict=True)]
    for name, one, other in (("prompted", 0, 1), ("bare", 1, 0)):
        if any(pair[one] != pair[other] and _goes_with(said, pair[one], pair[other]) for pair in pairs):
            return name
    return "other"


def _goes_with(said: list[str], one: list[str], other: list[str]) -> bool:
    """Return whether an answer goes the way of ``one`` up to and beyond where ``other`` parts from it.

    What comes later may differ: another engine rounds otherwise.
    """
    part = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return said[: part + 1] == one[: part + 1]
