"""One operation being carried out: what every handler is given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from dli_emulator.faults import Fault
from dli_emulator.project import Project
from dli_emulator.state import State
from dli_emulator.wire import Refusal, Reply, Request


class Archives(Protocol):
    """Where archives go: what the handlers need of an object store. All calls block."""

    def has_bucket(self, bucket: str) -> bool:
        """Tell whether the store has that bucket."""
        ...

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write an object."""
        ...

    def get(self, bucket: str, key: str) -> bytes | None:
        """Read an object; None if there is none."""
        ...

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """List the keys that begin so."""
        ...


@dataclass(frozen=True)
class Call:
    """One operation being carried out.

    :param state: what it acts on
    :param archives: where archives go
    :param request: what arrived
    :param path: placeholders of the route's path, decoded
    :param fault: the scripted fault it met, if any
    :param later: runs a blocking function after so many seconds, unless the state is reset meanwhile
    """

    state: State
    archives: Archives
    request: Request
    path: Mapping[str, str]
    fault: Fault | None
    later: Callable[[float, Callable[[], None]], None]

    @property
    def project(self) -> Project:
        """The project that the path names; the first one if it names none."""
        return self.state.projects[self.path.get("project_id") or self.state.identity.project_id]

    def json_object(self) -> dict[str, Any]:
        """Read the body.

        :raises Refusal: ``DLI.0001`` if it is no JSON object
        """
        try:
            body = json.loads(self.request.body, parse_constant=_no_number)
            if b"\\u" in self.request.body:
                json.dumps(body, ensure_ascii=False).encode()
        except (ValueError, RecursionError):  # half of a character is a ValueError too
            body = None
        if not isinstance(body, dict):
            raise Refusal(400, "DLI.0001", "The request body is not a JSON object.")
        return body

    def query(self) -> dict[str, str]:
        """Give the query's parameters; of several with one name, the last."""
        return dict(self.request.query)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


Handler = Callable[[Call], Awaitable[Reply]]

blocking = asyncio.to_thread
