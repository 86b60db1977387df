"""What passes between the halves as plain frozen values: a call, the request it becomes, the reply to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")

Scalar = str | int | bool
QueryValue = Scalar | list[str] | list[int]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One operation of the service, with its arguments, before it is addressed or signed.

    :param operation: name in the manual and the official SDKs, for messages: ``ExportFlinkJobs``
    :param method: HTTP method
    :param path: path as the manual writes it, ``{project_id}`` and all
    :param parse: turns the decoded JSON body of a success into the result
    :param path_params: values for the names in ``path`` other than ``project_id``
    :param query: query parameters; a list gives one pair per element
    :param body: JSON body, or None for a request without one
    :param repeatable: True where asking twice does no more than asking once
    """

    operation: str
    method: str
    path: str
    parse: Callable[[Mapping[str, Any]], T]
    path_params: Mapping[str, Scalar] = field(default_factory=dict)
    query: Mapping[str, QueryValue] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request, byte for byte as a driver sends it; drivers add ``Content-Length`` and nothing else.

    :param method: HTTP method
    :param url: absolute URL, already percent-encoded
    :param headers: name and value of each header, ``Host`` first
    :param body: the bytes that were hashed for the signature
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    # A body or a header may carry a secret (a password, a token): never in a repr, and so in no traceback.
    body: bytes = field(default=b"", repr=False)

    def __repr__(self) -> str:
        """Name what is asked and from whom; header values are kept back."""
        return f"Request({self.method} {self.url})"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP reply as a driver received it.

    :param status: HTTP status code
    :param headers: header fields, names in lower case
    :param body: raw bytes of the body
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
