"""What an operator decides about a server."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from spul.settings import Settings

__all__ = ["ServerSettings"]


class ServerSettings(Settings):
    """Limits of a server.

    Attributes:
        max_batch: most answers that are written side by side; memory grows with it and with the context.
        max_queue: most answers that wait; beyond it requests are refused with 429.
        max_tokens: most new tokens of an answer, and what a chat gets that names no number.
        max_prompts: most prompts of one request.
        max_answers: most answers to one prompt (``n``).
        max_characters: most characters of all texts of a request; more are refused before they are tokenised.
        max_body: most bytes of a request.
        timeout: seconds until an answer that is not finished is given up.
        grace: seconds that running answers get when the server is told to stop.
        temperature: of requests that name none. Greedy, since that is what runs are measured at.
    """

    max_batch: Annotated[int, Field(ge=1)] = 32
    max_queue: Annotated[int, Field(ge=1)] = 256
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    max_prompts: Annotated[int, Field(ge=1)] = 64
    max_answers: Annotated[int, Field(ge=1)] = 8
    max_characters: Annotated[int, Field(ge=1)] = 400_000
    max_body: Annotated[int, Field(ge=1024)] = 2**22
    timeout: Annotated[float, Field(gt=0)] = 120.0
    grace: Annotated[float, Field(ge=0)] = 30.0
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
