"""Scripted faults: what is to go wrong, with which operation, and how often.

A fault is set in Python, on the command line or through the control endpoint, always by the same names. Each
request whose operation fits uses up one turn of the oldest fault that fits.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dli_emulator.flink_job import STATUSES

#: stands for every operation
ANY_OPERATION = "*"
_THROTTLED = "The throttling threshold has been reached: policy ip over ratelimit"


def _strings(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


#: kind -> its parameters with their defaults; the README describes each
KINDS: Mapping[str, Mapping[str, Any]] = {
    # the response comes at once and the operation is not carried out, unless the fault has ``acts``
    "reply": {"status": 200, "headers": {}, "body": "", "acts": False},
    "error": {"status": 400, "code": "DLI.0999", "message": "A server-side error occurred.", "acts": False},
    "html": {"status": 502, "acts": False},
    "echo": {"status": 400},
    "throttled": {"retry_after": None, "message": _THROTTLED},
    "expired_token": {},
    "no_agency": {},
    "locked": {},
    "is_success_false": {"message": "The job failed to be exported."},
    "no_zip_file": {},
    # time and connection
    "skewed_clock": {"seconds": 1200.0},
    "slow": {"before": 0.0, "after": 0.0},
    "hang": {},
    "cut_before": {},
    "cut_during": {},
    "cut_after": {},
    "reset_before": {},
    "reset_after": {},
    # the operation is carried out, but the archive is not what the response promises
    "archive_missing": {},
    "archive_late": {"seconds": 2.0},
    "archive_cut": {"keep": None},
    "archive_flipped": {"at": None},
    # the operation is carried out, but the result is not what the response promises
    "import_drops": {"job": None, "claims": False},
    "import_alters": {"job": None, "field": "desc", "value": "altered"},
    "statuses": {"path": ["job_submitting", "job_submit_fail"]},
    # of the S3 proxy
    "range_ignored": {},
}
#: operations of the S3 proxy
S3_OPERATIONS = ("GetObject", "HeadObject", "HeadBucket", "ListObjects")
#: what a parameter must be; any that is not here may be anything
_CHECKS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "status": ("an HTTP status", lambda value: type(value) is int and 200 <= value <= 599),  # noqa: PLR2004
    "headers": (
        "a mapping of strings",
        lambda value: isinstance(value, Mapping) and _strings(*value, *value.values()),
    ),
    "code": ("a string", _strings),
    "message": ("a string", _strings),
    "retry_after": (
        "seconds or an HTTP date",
        lambda value: value is None or isinstance(value, int | float | str),
    ),
    "before": ("seconds", lambda value: _number(value) and value >= 0),
    "after": ("seconds", lambda value: _number(value) and value >= 0),
    "seconds": ("seconds", _number),
    "keep": ("a number of bytes", lambda value: value is None or (type(value) is int and value >= 0)),
    "job": ("a job id", lambda value: type(value) is int),
    "field": ("the name of a field", _strings),
    "claims": ("true or false", lambda value: type(value) is bool),
    "acts": ("true or false", lambda value: type(value) is bool),
    "path": (
        "a list of statuses",
        lambda value: isinstance(value, list) and bool(value) and set(value) <= set(STATUSES),
    ),
    "at": ("an offset", lambda value: value is None or type(value) is int),
}
#: kinds of faults that the S3 proxy knows
S3_FAULTS = {"error", "html", "slow", "cut_before", "cut_during", "reset_before", "range_ignored"}
#: kind -> the operations that it is for; any other is for each
_ONLY: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("no_zip_file", "archive_missing", "archive_late", "archive_cut", "archive_flipped"), ("ExportFlinkJobs",)
    ),
    **dict.fromkeys(("import_drops", "import_alters"), ("ImportFlinkJobs",)),
    "statuses": ("BatchRunFlinkJobs", "BatchStopFlinkJobs", "ExecuteFlinkJobSavepoint"),
    "range_ignored": ("GetObject",),
}


def problem_in(operation: str, kind: str, parameters: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a fault, or None.

    :param operation: that it is for
    :param kind: one of ``KINDS``, if all is well
    :param parameters: those of the kind
    """
    if kind not in KINDS:
        return f"no fault is called {kind!r}; there are {', '.join(KINDS)}"
    unknown = sorted(set(parameters) - set(KINDS[kind]))
    if unknown:
        return f"fault {kind!r} has no parameter {', '.join(unknown)}; it has {', '.join(KINDS[kind]) or 'none'}"
    return _misplaced(operation, kind) or _wrong_value(kind, parameters)


def _misplaced(operation: str, kind: str) -> str | None:
    only = _ONLY.get(kind, (operation,))
    if operation not in only:
        return f"fault {kind!r} is for operation {' or '.join(only)}, not {operation!r}"
    if operation in S3_OPERATIONS and kind not in S3_FAULTS:
        return f"fault {kind!r} is not for the object store; there are {', '.join(sorted(S3_FAULTS))}"
    return None


def _wrong_value(kind: str, parameters: Mapping[str, Any]) -> str | None:
    for name, value in parameters.items():
        wanted, fits = _CHECKS.get(name, ("anything", lambda _: True))
        if not fits(value):
            return f"parameter {name} of fault {kind!r} must be {wanted}, not {value!r}"
    return None


@dataclass(frozen=True)
class Fault:
    """One scripted fault.

    :param operation: name of the operation, such as ``ExportFlinkJobs``; ``*`` for each
    :param kind: one of ``KINDS``
    :param times: how many requests it meets; None for all until it is cleared
    :param parameters: those of the kind
    :raises ValueError: if there is no such kind or parameter, or they do not fit together
    """

    operation: str
    kind: str
    times: int | None = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problem = problem_in(self.operation, self.kind, self.parameters)
        if problem:
            raise ValueError(problem)
        if self.times is not None and (type(self.times) is not int or self.times < 1):
            raise ValueError(f"times must be a whole number from 1, or None for all requests, not {self.times!r}")

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - each parameter has its type
        """Return a parameter, or its default."""
        return self.parameters.get(name, KINDS[self.kind][name])

    @property
    def acts(self) -> bool:
        """Whether the operation is carried out before the scripted response."""
        return bool(self.parameters.get("acts"))

    def as_dict(self) -> dict[str, Any]:
        """Return the fault in the form :meth:`from_dict` takes."""
        return {"operation": self.operation, "kind": self.kind, "times": self.times, **self.parameters}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Fault:
        """Make a fault of one flat mapping, as the control endpoint gets it.

        :param given: ``kind``, perhaps ``operation`` and ``times``, and the kind's parameters
        :raises TypeError: if it is not a mapping
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
