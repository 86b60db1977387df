"""Fields of requests and responses: how values are checked before they are sent, and after they have come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_dli.client.errors import ConfigurationError

#: path of the job operations, as the manual writes it
JOBS = "/v1.0/{project_id}/streaming/jobs"
#: most characters of a job's name (dli_02_0228)
MAX_NAME = 57
# digits of a 64-bit number, and one
_LONGEST_ID = 20


@dataclass(frozen=True, slots=True)
class Ack:
    """The acknowledgement of an operation that returns nothing but a message.

    :param message: of the service, may be empty
    """

    message: str

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Ack:
        """Return the acknowledgement in an envelope.

        :raises ValueError: if it does not have ``is_success``: nothing else in it shows that anything was done
        """
        if "is_success" not in body:
            raise ValueError("it lacks is_success")
        return cls(message_of(body))


def checked_job_ids(name: str, job_ids: object, *, or_all: bool = False) -> list[int]:
    """Return the ids, each once, in their order; ``or_all`` where the parameter may be omitted to mean all jobs.

    :raises ConfigurationError: if it is not a list, is empty, or has an item that is not a positive 64-bit number
    """
    # The items of bytes and mappings may be numbers too, but are not meant.
    if not isinstance(job_ids, Iterable) or isinstance(job_ids, bytes | Mapping):
        raise ConfigurationError(name, f"{job_ids!r} is not a list of job ids", "give a list, such as [100, 101]")
    ids = list(dict.fromkeys(checked_id(name, job_id) for job_id in job_ids))
    if not ids:
        remedy = f"name at least one job{', or omit it for all' if or_all else ''}"
        raise ConfigurationError(name, "has no job id", remedy)
    return ids


def checked_id(name: str, value: object) -> int:
    """Return an id.

    :raises ConfigurationError: if it is not a positive 64-bit number
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 63:
        return value
    kind = "template" if name == "template_id" else "job"
    raise ConfigurationError(name, f"{value!r} is not a {kind} id", f"{kind} ids are positive whole numbers")


def checked_string(name: str, value: object, longest: int) -> str:
    """Return a string that must not be empty.

    :raises ConfigurationError: if it is not a string, empty, or too long
    """
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(name, f"{value!r} is empty or not a string", f"give 1 to {longest:,} characters")
    if len(value) > longest:
        raise ConfigurationError(name, f"has {len(value):,} characters", f"give at most {longest:,}")
    return value


def message_of(body: Mapping[str, Any]) -> str:
    """Return the message of the service, which may be empty."""
    return str(body.get("message") or "")


def id_of(body: Mapping[str, Any], name: str, expected: int | None = None) -> int:
    """Return an id of a response, quoted or not.

    :raises ValueError: if it is not an id, or not the expected one: then the response is not about this request
    """
    found = body.get(name)
    is_string = isinstance(found, str) and found.isascii() and found.isdecimal() and len(found) < _LONGEST_ID
    is_number = isinstance(found, int) and not isinstance(found, bool)
    number = int(str(found)) if is_string or is_number else -1
    # The manual's example of a template has the id 0.
    least = 0 if name == "template_id" else 1
    if not least <= number < 1 << 63:
        raise ValueError(f"{name} should be an id and is {found!r}")
    if expected is not None and number != expected:
        raise ValueError(f"it is about {name} {number}, and {expected} was requested")
    return number


def count_of(body: Mapping[str, Any], name: str) -> int:
    """Return a count of a response, quoted or not.

    :raises ValueError: if it is not a whole number, or less than 0
    """
    found = body.get(name)
    number = int(found) if isinstance(found, int | str) and not isinstance(found, bool) else -1
    if number < 0:
        raise ValueError(f"{name} should be a count and is {found!r}")
    return number


def string_of(body: Mapping[str, Any], name: str) -> str:
    """Return a string of a response.

    :raises TypeError: if it is missing, null, empty, or not a string
    """
    found = body.get(name)
    if not isinstance(found, str) or not found.strip():
        raise TypeError(f"{name} should be a string and is {found!r}")
    return found


def number_of(value: object) -> int | None:
    """Return an optional number of a response, quoted or not; None if it is missing or cannot be read."""
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]  # whatever JSON holds
    except (TypeError, ValueError, OverflowError):
        return None


def object_of(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a field of a response that must be an object.

    :raises TypeError: if it is not
    """
    found = body.get(name)
    if not isinstance(found, Mapping):
        raise TypeError(f"{name} should be an object and is {found!r}")
    return found


def objects_of(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return a field of a response that must be a list of objects; null, which is not documented, is an empty one.

    :raises TypeError: if it is not, or missing: a response without its list does not show that there are none
    """
    if name not in body:
        raise TypeError(f"{name} should be a list of objects and is missing")
    found = [] if body[name] is None else body[name]
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise TypeError(f"{name} should be a list of objects and is {found!r}")
    return found
