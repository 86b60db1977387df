"""From a function that makes a call to a method of the hook that makes and runs it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from airflow_provider_dli.exceptions import translated

if TYPE_CHECKING:
    from airflow_provider_dli.client.call import Call

P = ParamSpec("P")
T = TypeVar("T")


class Runner(Protocol):
    """What can run a call."""

    def run(self, call: Call[T]) -> T:
        """Make a call."""
        ...


def calling(make: Callable[P, Call[T]]) -> Callable[Concatenate[Any, P], T]:
    """Make a method that makes a call and runs it, with the signature and the words of what makes the call.

    Errors are those of :meth:`~airflow_provider_dli.hooks.dli.DliHook.run`.

    :param make: makes the call
    """

    @wraps(make)
    def method(self: Runner, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with translated():
            call = make(*args, **kwargs)
        return self.run(call)

    signature = inspect.signature(make)
    # What the call gives, and not the call: the function's own annotation says ``Call[T]``.
    given = str(signature.return_annotation).removeprefix("Call[").removesuffix("]")
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]  # read by inspect and help()
        parameters=[this, *signature.parameters.values()], return_annotation=given
    )
    return method
