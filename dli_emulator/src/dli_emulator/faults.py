"""Scripted faults: what is to go wrong, with which operation, and how often.

A fault is set in Python, on the command line or through the control endpoint, always by the same names. Each
request whose operation fits uses up one turn of the oldest fault that fits.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dli_emulator.kinds import KINDS, flaw_in

ANY_OPERATION = "*"


@dataclass(frozen=True)
class Fault:
    """One scripted fault.

    :param operation: name of the operation, such as ``ExportFlinkJobs``; ``*`` for each
    :param kind: one of :data:`~dli_emulator.kinds.KINDS`
    :param times: how many requests it meets; None for all until it is cleared
    :param parameters: those of the kind
    :raises ValueError: if there is no such kind or parameter, or they do not fit together
    """

    operation: str
    kind: str
    times: int | None = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        flaw = flaw_in(self.operation, self.kind, self.parameters)
        if flaw:
            raise ValueError(flaw)
        if self.times is not None and (type(self.times) is not int or self.times < 1):
            raise ValueError(f"times must be a whole number from 1, or None for all requests, not {self.times!r}")

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - each parameter has its type
        """Give a parameter, or its default."""
        return self.parameters.get(name, KINDS[self.kind][name])

    @property
    def acts(self) -> bool:
        """Whether the operation is carried out before the answer that is no answer to it."""
        return bool(self.parameters.get("acts"))

    def as_dict(self) -> dict[str, Any]:
        """Give the fault in the form :meth:`from_dict` takes."""
        return {"operation": self.operation, "kind": self.kind, "times": self.times, **self.parameters}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Fault:
        """Make a fault of one flat mapping, as the control endpoint gets it.

        :param given: ``kind``, perhaps ``operation`` and ``times``, and the kind's parameters
        :raises TypeError: if it is no mapping
        :raises ValueError: as for the class
        """
        if not isinstance(given, Mapping):
            raise TypeError(f"a fault is a mapping with its kind, not {given!r}")
        rest = dict(given)
        return cls(rest.pop("operation", ANY_OPERATION), rest.pop("kind", ""), rest.pop("times", 1), rest)

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read a fault from the command line.

        :param text: ``Operation:kind:name=value,name=value``, or one JSON object
        """
        if text.lstrip().startswith("{"):
            return cls.from_dict(json.loads(text))
        operation, _, rest = text.partition(":")
        kind, _, pairs = rest.partition(":")
        given = (pair.partition("=") for pair in pairs.split(",") if pair)
        parameters = {name: _value(value) for name, _, value in given}
        return cls.from_dict({"operation": operation, "kind": kind, **parameters})


def _value(text: str) -> Any:  # noqa: ANN401 - number, truth or text
    try:
        return json.loads(text)
    except ValueError:
        return text


class Faults:
    """The faults that are still to come, oldest first. Safe to change while the server runs.

    :param operations: names that a fault may be set for; ``*`` always may
    """

    def __init__(self, operations: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._operations = {ANY_OPERATION, *operations}
        self._waiting: list[tuple[Fault, int | None]] = []

    def __iter__(self) -> Iterator[Fault]:
        """Go through the faults with the turns they have left."""
        with self._lock:
            return iter([Fault(f.operation, f.kind, left, f.parameters) for f, left in self._waiting])

    def add(self, *faults: Fault) -> None:
        """Set faults: all of them, or none if one is wrong.

        :param faults: what is to go wrong
        :raises ValueError: if there is no such operation
        """
        for fault in faults:
            if fault.operation not in self._operations:
                known = ", ".join(sorted(self._operations))
                raise ValueError(f"no operation is called {fault.operation!r}; there are {known}")
        with self._lock:
            self._waiting.extend((fault, fault.times) for fault in faults)

    def take(self, operation: str, kinds: Container[str] = KINDS) -> Fault | None:
        """Use up one turn of the oldest fault that fits.

        :param operation: of the request that has come
        :param kinds: those that it can meet; any other waits for another request
        """
        with self._lock:
            for place, (fault, left) in enumerate(self._waiting):
                if fault.operation in (operation, ANY_OPERATION) and fault.kind in kinds:
                    self._use(place, left)
                    return fault
        return None

    def clear(self) -> None:
        """Set none."""
        with self._lock:
            self._waiting.clear()

    def _use(self, place: int, left: int | None) -> None:
        if left == 1:
            del self._waiting[place]
        elif left is not None:
            self._waiting[place] = (self._waiting[place][0], left - 1)
