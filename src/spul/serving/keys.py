"""Who may ask for what: API keys by their hashes, the rights of each, and what is left of its allowance."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError

from spul.errors import ConfigError
from spul.serving.errors import ApiError
from spul.serving.loading import BASE_NAME
from spul.settings import Settings

__all__ = ["Caller", "KeyRights", "Keys", "key_hash", "load_keys"]


class KeyRights(Settings):
    """One key, as the file has it.

    Attributes:
        name: what logs call it.
        sha256: SHA-256 of the key, in hexadecimal; the key itself is kept nowhere.
        models: models it may ask for; all prompted ones if missing.
        base: whether it may ask for the base model without any prompt.
        metrics: whether it may read ``/metrics``.
        max_tokens: most new tokens of an answer, below the server's own limit.
        max_logprobs: most log-probabilities a token. They show what stands behind a generic answer; 0 gives none.
        echo_logprobs: whether it may have its own texts scored (``echo`` with ``logprobs``). That shows how likely any
            answer is, also one far behind the likeliest.
        requests_per_minute, tokens_per_minute: allowance; a minute's worth may be used at once.
    """

    name: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    models: tuple[str, ...] | None = None
    base: bool = False
    metrics: bool = False
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_logprobs: Annotated[int, Field(ge=0, le=20)] = 5
    echo_logprobs: bool = False
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None


class _File(Settings):
    keys: Annotated[tuple[KeyRights, ...], Field(min_length=1)]


class _Allowance:
    """So much a minute; a minute's worth may be used at once."""

    def __init__(self, per_minute: int | None) -> None:
        self._per_second = None if per_minute is None else per_minute / 60
        self._most = self._left = float(per_minute or 0)
        self._seen = time.monotonic()
        self._lock = threading.Lock()

    def wait_for(self, amount: float) -> float:
        """Take the amount and return 0, or take nothing and return the seconds until it is there."""
        if self._per_second is None:
            return 0.0
        with self._lock:
            now = time.monotonic()
            self._left = min(self._most, self._left + (now - self._seen) * self._per_second)
            self._seen = now
            # More than a minute's worth is let through when all of that is there, and paid off afterwards.
            missing = min(amount, self._most) - self._left
            if missing > 0:
                return missing / self._per_second
            self._left -= amount
            return 0.0

    def give_back(self, amount: float) -> None:
        """Return what was taken and not used."""
        with self._lock:
            self._left = min(self._most, self._left + amount)


class Caller:
    """A key in use.

    Args:
        rights: what it may do.
    """

    def __init__(self, rights: KeyRights) -> None:
        self.rights = rights
        self._requests = _Allowance(rights.requests_per_minute)
        self._tokens = _Allowance(rights.tokens_per_minute)

    def may_ask(self, model: str) -> bool:
        """Return whether this model is there for the caller."""
        if model == BASE_NAME:
            return self.rights.base
        return self.rights.models is None or model in self.rights.models

    def take_request(self) -> None:
        """Count a request.

        Raises:
            ApiError: there were too many in the last minute.
        """
        _refuse_after(self._requests.wait_for(1), "requests")

    def take_tokens(self, amount: int) -> None:
        """Count tokens that a request may come to.

        Raises:
            ApiError: there were too many in the last minute.
        """
        _refuse_after(self._tokens.wait_for(amount), "tokens")

    def give_back_tokens(self, amount: int) -> None:
        """Take back what was counted and not used."""
        self._tokens.give_back(amount)


def _refuse_after(seconds: float, what: str) -> None:
    if seconds > 0:
        raise ApiError(
            429,
            f"this key's {what} per minute are used up",
            kind="rate_limit_error",
            code="rate_limit_exceeded",
            retry_after=int(seconds) + 1,
        )


class Keys:
    """All keys; without any, everybody may ask for every prompted model.

    Args:
        rights: of every key.
    """

    def __init__(self, rights: tuple[KeyRights, ...] = ()) -> None:
        self._callers = {key.sha256: Caller(key) for key in rights}
        self._anybody = Caller(KeyRights(name="-", sha256="0" * 64, metrics=True, echo_logprobs=True))

    @property
    def needed(self) -> bool:
        """Whether a request has to have one."""
        return bool(self._callers)

    def caller(self, authorization: str | None) -> Caller:
        """Return who sends a request with this ``Authorization`` header.

        Raises:
            ApiError: there is no such key.
        """
        if not self._callers:
            return self._anybody
        scheme, _, key = (authorization or "").partition(" ")
        # Looked up by its hash: how long that takes tells nothing of the keys that are there.
        found = self._callers.get(key_hash(key.strip())) if scheme.lower() == "bearer" else None
        if found is None:
            raise ApiError(
                401,
                "expected a known API key as `Authorization: Bearer KEY`",
                code="invalid_api_key",
                kind="authentication_error",
            )
        return found


def key_hash(key: str) -> str:
    """Return what a file of keys holds in place of a key. Keys are long and random, so one plain hash is enough."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def load_keys(path: Path, models: tuple[str, ...]) -> Keys:
    """Read a YAML or JSON file of keys.

    Args:
        path: the file.
        models: names of what is served.

    Raises:
        ConfigError: it does not read, says something unknown, or two keys are the same.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"expected a YAML or JSON file of keys at {path}, but it does not read: {error}") from error
    try:
        keys = _File.model_validate(values).keys
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigError(f"{path}: {where}: {first['msg']}. See docs/serving.md for the form.") from error
    for field, said in (("sha256", "two keys are the same"), ("name", "two keys have the same name")):
        if len({getattr(key, field) for key in keys}) < len(keys):
            raise ConfigError(f"{path}: {said}")
    unknown = sorted({name for key in keys for name in key.models or ()} - set(models))
    if unknown:
        raise ConfigError(f"{path}: no model is called {unknown[0]!r}; there are: {', '.join(models)}")
    return Keys(keys)
