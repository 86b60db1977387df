"""What the operations share: their path, and how values are checked before they go and after they came."""

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
class Done:
    """An operation that was carried out, or handed over, and gives nothing but words.

    :param message: the service's words, perhaps empty
    """

    message: str

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Done:
        """Read an envelope.

        :raises ValueError: if it does not say ``is_success``: nothing else in it shows that anything was done
        """
        if "is_success" not in body:
            raise ValueError("it does not say is_success")
        return cls(message_of(body))


def message_of(body: Mapping[str, Any]) -> str:
    """Give the service's words, perhaps empty.

    :param body: an envelope
    """
    return str(body.get("message") or "")


def checked_job_ids(name: str, job_ids: object, *, or_all: bool = False) -> list[int]:
    """Return the ids, each once, in their order.

    :param name: the parameter they come from, for messages
    :param job_ids: positive whole numbers
    :param or_all: whether all jobs are meant where the parameter is left out, for messages
    :raises ConfigurationError: if it is no list, there are none, or one is not a positive 64-bit number
    """
    # Of bytes and mappings the items are numbers too, and nobody means those.
    if not isinstance(job_ids, Iterable) or isinstance(job_ids, bytes | Mapping):
        raise ConfigurationError(name, f"{job_ids!r} is no list of job ids", "give a list, such as [100, 101]")
    ids = list(dict.fromkeys(checked_id(name, job_id) for job_id in job_ids))
    if not ids:
        remedy = f"name at least one job{', or leave it out for all' if or_all else ''}"
        raise ConfigurationError(name, "holds no job id", remedy)
    return ids


def checked_id(name: str, value: object) -> int:
    """Return an id.

    :param name: the parameter it comes from, for messages
    :param value: a positive whole number
    :raises ConfigurationError: if it is not a positive 64-bit number
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 63:
        return value
    kind = "template" if name == "template_id" else "job"
    raise ConfigurationError(name, f"{value!r} is not a {kind} id", f"{kind} ids are positive whole numbers")


def checked_text(name: str, value: object, longest: int) -> str:
    """Return a text that must not be empty.

    :param name: the parameter it comes from, for messages
    :param value: the text
    :param longest: most characters it may have
    :raises ConfigurationError: if it is no text, empty, or too long
    """
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(name, f"{value!r} is empty or no text", f"give 1 to {longest:,} characters")
    if len(value) > longest:
        raise ConfigurationError(name, f"has {len(value):,} characters", f"give at most {longest:,}")
    return value


def id_of(body: Mapping[str, Any], name: str, expected: int | None = None) -> int:
    """Return an id of a response, quoted or not.

    :param body: the object that it is in
    :param name: of the field
    :param expected: what it must be: a response about another job or template is none to this request
    :raises ValueError: if it is not an id, or another one
    """
    found = body.get(name)
    is_text = isinstance(found, str) and found.isascii() and found.isdecimal() and len(found) < _LONGEST_ID
    is_number = isinstance(found, int) and not isinstance(found, bool)
    number = int(str(found)) if is_text or is_number else -1
    # The manual's example of a template has the id 0.
    least = 0 if name == "template_id" else 1
    if not least <= number < 1 << 63:
        raise ValueError(f"{name} should be an id and is {found!r}")
    if expected is not None and number != expected:
        raise ValueError(f"it is about {name} {number}, and {expected} was requested")
    return number


def count_of(body: Mapping[str, Any], name: str) -> int:
    """Return a count of a response, quoted or not.

    :param body: the object that it is in
    :param name: of the field
    :raises ValueError: if it is not a whole number, or less than 0
    """
    found = body.get(name)
    number = int(found) if isinstance(found, int | str) and not isinstance(found, bool) else -1
    if number < 0:
        raise ValueError(f"{name} should be a count and is {found!r}")
    return number


def text_of(body: Mapping[str, Any], name: str) -> str:
    """Return a text of a response.

    :param body: the object that it is in
    :param name: of the field
    :raises TypeError: if it is missing, null, empty, or not a text
    """
    found = body.get(name)
    if not isinstance(found, str) or not found.strip():
        raise TypeError(f"{name} should be a text and is {found!r}")
    return found


def number_of(value: object) -> int | None:
    """Read a number that an answer may lack, quoted or not; None if there is none, or it cannot be read.

    :param value: what stands in its place
    """
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]  # whatever JSON holds
    except (TypeError, ValueError, OverflowError):
        return None


def object_of(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Give a field of an answer that must be an object.

    :raises TypeError: if it is none
    """
    found = body.get(name)
    if not isinstance(found, Mapping):
        raise TypeError(f"{name} should be an object and is {found!r}")
    return found


def objects_of(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Give a field of an answer that must be a list of objects; null stands for none.

    :raises TypeError: if it is no such list
    """
    found = body.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise TypeError(f"{name} should be a list of objects and is {found!r}")
    return found
