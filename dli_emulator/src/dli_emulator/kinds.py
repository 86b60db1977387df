"""The kinds of faults that can be scripted, their parameters, and what those may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dli_emulator.jobs import STATUSES

_THROTTLED = "The throttling threshold has been reached: policy ip over ratelimit"


def _texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


#: kind -> its parameters with their defaults; the README says what each does
KINDS: Mapping[str, Mapping[str, Any]] = {
    # the answer comes at once and the operation is not carried out, unless the fault has ``acts``
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
    # the operation is carried out, but the archive is not what the answer promises
    "archive_missing": {},
    "archive_late": {"seconds": 2.0},
    "archive_cut": {"keep": None},
    "archive_flipped": {"at": None},
    # the operation is carried out, but what comes of it is not what the answer promises
    "import_drops": {"job": None, "claims": False},
    "import_alters": {"job": None, "field": "desc", "value": "altered"},
    "statuses": {"path": ["job_submitting", "job_submit_fail"]},
    # of the object store, for those who come through the door
    "range_ignored": {},
}
#: what may be scripted for requests to the store that come through the door
DOOR_OPERATIONS = ("GetObject", "HeadObject", "HeadBucket", "ListObjects")
#: what a parameter must be; any that is not here may be anything
_CHECKS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "status": ("an HTTP status", lambda value: type(value) is int and 200 <= value <= 599),  # noqa: PLR2004
    "headers": (
        "a mapping of texts",
        lambda value: isinstance(value, Mapping) and _texts(*value, *value.values()),
    ),
    "code": ("a text", _texts),
    "message": ("a text", _texts),
    "retry_after": (
        "seconds or an HTTP date",
        lambda value: value is None or isinstance(value, int | float | str),
    ),
    "before": ("seconds", lambda value: _number(value) and value >= 0),
    "after": ("seconds", lambda value: _number(value) and value >= 0),
    "seconds": ("seconds", _number),
    "keep": ("a number of bytes", lambda value: value is None or (type(value) is int and value >= 0)),
    "job": ("a job id", lambda value: type(value) is int),
    "field": ("the name of a field", _texts),
    "claims": ("true or false", lambda value: type(value) is bool),
    "acts": ("true or false", lambda value: type(value) is bool),
    "path": (
        "a list of statuses",
        lambda value: isinstance(value, list) and bool(value) and set(value) <= set(STATUSES),
    ),
    "at": ("an offset", lambda value: value is None or type(value) is int),
}
#: kinds of faults that the store's door can meet
AT_THE_DOOR = {"error", "html", "slow", "cut_before", "cut_during", "reset_before", "range_ignored"}
#: kind -> the operations that it is for; any other is for each
_ONLY: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("no_zip_file", "archive_missing", "archive_late", "archive_cut", "archive_flipped"), ("ExportFlinkJobs",)
    ),
    **dict.fromkeys(("import_drops", "import_alters"), ("ImportFlinkJobs",)),
    "statuses": ("BatchRunFlinkJobs", "BatchStopFlinkJobs", "ExecuteFlinkJobSavepoint"),
    "range_ignored": ("GetObject",),
}


def flaw_in(operation: str, kind: str, parameters: Mapping[str, Any]) -> str | None:
    """Tell what is wrong with a fault, or None.

    :param operation: that it is for
    :param kind: one of :data:`KINDS`, if all is well
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
    if operation in DOOR_OPERATIONS and kind not in AT_THE_DOOR:
        return f"fault {kind!r} is not for the object store; there are {', '.join(sorted(AT_THE_DOOR))}"
    return None


def _wrong_value(kind: str, parameters: Mapping[str, Any]) -> str | None:
    for name, value in parameters.items():
        wanted, fits = _CHECKS.get(name, ("anything", lambda _: True))
        if not fits(value):
            return f"parameter {name} of fault {kind!r} must be {wanted}, not {value!r}"
    return None
