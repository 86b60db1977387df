"""The filters of the job list (dli_02_0234), as a value that is read from a query and picks jobs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from dli_emulator.jobs import JOB_TYPES, NAME_LENGTH, NO_ROOT, STATUSES, FlinkJob
from dli_emulator.wire import Refusal

DEFAULT_LIMIT = 10
MAX_LIMIT = 100

_WHOLE = re.compile(r"-?[0-9]{1,19}")
_LARGEST = 1 << 63
_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True)
class Listing:
    """Which jobs are asked for, in which order, and which page of them.

    :param tests: each must hold for a job to be listed
    :param descending: newest first
    :param limit: most jobs on the page
    :param offset: jobs to pass over
    :param show_detail: whether jobs are shown with all they have
    """

    tests: tuple[Callable[[FlinkJob], bool], ...]
    descending: bool
    limit: int
    offset: int
    show_detail: bool

    def pick(self, jobs: Iterable[FlinkJob]) -> list[FlinkJob]:
        """Give the jobs that fit, of all pages, in order."""
        fitting = [job for job in jobs if all(test(job) for test in self.tests)]
        return sorted(fitting, key=lambda job: (job.create_time, job.job_id), reverse=self.descending)

    def page(self, jobs: list[FlinkJob]) -> list[FlinkJob]:
        """Give those of the picked jobs that are on the page."""
        return jobs[self.offset : self.offset + self.limit]


def read_listing(query: Mapping[str, str]) -> Listing:
    """Read the query of a list call.

    INVENTED, since the manual is silent: ``name`` fits any part of a name; a ``limit`` beyond 0 to 100, an
    unknown ``status``, ``job_type`` or ``order``, and a name over 57 characters are ``DLI.0001``.

    :param query: its parameters; those the manual does not name are passed over
    :raises Refusal: ``DLI.23001`` for a negative ``offset``, ``DLI.0001`` for any other bad value
    """
    limit = _number(query, "limit", DEFAULT_LIMIT)
    offset = _number(query, "offset", 0)
    if not 0 <= limit <= MAX_LIMIT:
        raise Refusal(400, "DLI.0001", f"The limit must be from 0 to {MAX_LIMIT}.")
    if offset < 0:
        raise Refusal(400, "DLI.23001", "The offset must not be negative.")
    descending = _choice(query, "order", ("asc", "desc")) != "asc"
    detail = _TRUTHS[_choice(query, "show_detail", tuple(_TRUTHS)) or "false"]
    return Listing(tuple(_tests(query)), descending, limit, offset, detail)


def _tests(query: Mapping[str, str]) -> Iterable[Callable[[FlinkJob], bool]]:
    root = _number(query, "root_job_id", NO_ROOT)
    yield lambda job: job.root_id == root
    if wanted := _choice(query, "job_type", JOB_TYPES):
        yield lambda job: job.job_type == wanted
    if state := _choice(query, "status", STATUSES):
        yield lambda job: job.status == state
    if queue := query.get("queue_name"):
        yield lambda job: job.queue_name == queue
    if user := query.get("user_name"):
        yield lambda job: job.user_name == user
    if project := query.get("sys_enterprise_project_name"):
        yield lambda job: job.enterprise_project == project
    if name := _name(query):
        yield lambda job: name in job.name
    if tags := _tags(query):
        yield lambda job: tags <= job.tags.items()


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not _WHOLE.fullmatch(text) or not -_LARGEST <= int(text) < _LARGEST:
        raise Refusal(400, "DLI.0001", f"The {name} {text!r} is not a whole number of 64 bits.")
    return int(text)


def _choice(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str | None:
    text = query.get(name) or None
    if text is not None and text not in choices:
        raise Refusal(400, "DLI.0001", f"The {name} {text!r} is none of {', '.join(choices)}.")
    return text


def _name(query: Mapping[str, str]) -> str | None:
    name = query.get("name")
    if name and len(name) > NAME_LENGTH:
        raise Refusal(400, "DLI.0001", f"The name is longer than {NAME_LENGTH} characters.")
    return name


def _tags(query: Mapping[str, str]) -> set[tuple[str, str]]:
    pairs = [pair.partition("=") for pair in query.get("tags", "").split(",") if pair]
    if any(not separator for _, separator, _ in pairs):
        raise Refusal(400, "DLI.0001", "The tags are not of the form key=value,key=value.")
    return {(key, value) for key, _, value in pairs}
