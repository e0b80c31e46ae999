"""The type checker behind the shape annotations: shapes only, since types are mypy's business and fakes are welcome."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_args

from beartype import beartype
from jaxtyping import AbstractArray

__all__ = ["check_shapes"]

F = TypeVar("F", bound=Callable[..., Any])


def check_shapes(function: F) -> F:
    """Check the arguments and results whose annotation holds a shape; leave everything else as it is."""
    shaped = {name: hint for name, hint in function.__annotations__.items() if _has_shape(hint)}
    if not shaped:
        return function
    function.__annotations__ = {name: shaped.get(name, Any) for name in function.__annotations__}
    checked: F = beartype(function)
    return checked


def _has_shape(hint: object) -> bool:
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    return any(_has_shape(part) for part in get_args(hint))
