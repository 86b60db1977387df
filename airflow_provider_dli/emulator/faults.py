"""Scripted faults: what is to go wrong, with which operation, and how often.

A fault is set in Python, on the command line or through the control endpoint, always by the same names. Each
request whose operation fits uses up one turn of the oldest fault that fits.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

ANY_OPERATION = "*"
_EXPORT = "ExportFlinkJobs"
_GATEWAY = "The throttling threshold has been reached: policy ip over ratelimit"

#: kind -> its parameters with their defaults; what each does is told in docs/emulator.md
KINDS: Mapping[str, Mapping[str, Any]] = {
    # the answer comes at once and the operation is not carried out
    "reply": {"status": 200, "headers": {}, "body": ""},
    "error": {"status": 400, "code": "DLI.0999", "message": "A server-side error occurred."},
    "html": {"status": 502},
    "throttled": {"retry_after": None, "message": _GATEWAY},
    "expired_token": {},
    "locked": {},
    "is_success_false": {"message": "The job failed to be exported."},
    "no_zip_file": {},
    # time and connection
    "skewed_clock": {"seconds": 1200.0},
    "slow": {"before": 0.0, "after": 0.0},
    "cut_before": {},
    "cut_during": {},
    "cut_after": {},
    "reset_before": {},
    "reset_after": {},
    # the operation is carried out, but the archive is not what the answer promises
    "archive_missing": {},
    "archive_late": {"seconds": 2.0},
    "archive_cut": {"keep": None},
    "archive_flipped": {"at": None},
}
_ONLY_EXPORT = {"no_zip_file", "archive_missing", "archive_late", "archive_cut", "archive_flipped"}


@dataclass(frozen=True)
class Fault:
    """One scripted fault.

    :param operation: name of the operation, such as ``ExportFlinkJobs``; ``*`` for each
    :param kind: one of :data:`KINDS`
    :param times: how many requests it meets; None for all until it is cleared
    :param parameters: those of the kind
    :raises ValueError: if there is no such kind or parameter, or they do not fit together
    """

    operation: str
    kind: str
    times: int | None = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(KINDS)}")
        unknown = sorted(set(self.parameters) - set(KINDS[self.kind]))
        if unknown:
            known = ", ".join(KINDS[self.kind]) or "none"
            raise ValueError(f"fault {self.kind!r} has no parameter {', '.join(unknown)}; it has {known}")
        if self.kind in _ONLY_EXPORT and self.operation != _EXPORT:
            raise ValueError(f"fault {self.kind!r} is for operation {_EXPORT}, not {self.operation!r}")
        if self.times is not None and (type(self.times) is not int or self.times < 1):
            raise ValueError(f"times must be a whole number from 1, or None for all requests, not {self.times!r}")

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - each parameter has its type
        """Give a parameter, or its default."""
        return self.parameters.get(name, KINDS[self.kind][name])

    def as_dict(self) -> dict[str, Any]:
        """Give the fault in the form :meth:`from_dict` takes."""
        return {"operation": self.operation, "kind": self.kind, "times": self.times, **self.parameters}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Fault:
        """Make a fault of one flat mapping, as the control endpoint gets it.

        :param given: ``kind``, perhaps ``operation`` and ``times``, and the kind's parameters
        """
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

    def add(self, fault: Fault) -> Fault:
        """Set a fault.

        :param fault: what is to go wrong
        :raises ValueError: if there is no such operation
        """
        if fault.operation not in self._operations:
            known = ", ".join(sorted(self._operations))
            raise ValueError(f"no operation is called {fault.operation!r}; there are {known}")
        with self._lock:
            self._waiting.append((fault, fault.times))
        return fault

    def take(self, operation: str) -> Fault | None:
        """Use up one turn of the oldest fault that fits.

        :param operation: of the request that has come
        """
        with self._lock:
            for place, (fault, left) in enumerate(self._waiting):
                if fault.operation in (operation, ANY_OPERATION):
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
