"""Refusals, in the form that OpenAI's clients read."""

from __future__ import annotations

from typing import Any

__all__ = ["ApiError", "invalid"]


class ApiError(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP.
        message: for a person; holds nothing of the request's text.
        kind: OpenAI's ``type``.
        code: OpenAI's ``code``.
        param: the parameter that is to blame.
        retry_after: seconds after which it is worth while to try again.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.retry_after = retry_after

    @property
    def body(self) -> dict[str, Any]:
        """What is sent."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """What is sent in front."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """Return the refusal of a request that the client has to change."""
    return ApiError(400, message, param=param, code=code)
