"""One operation being carried out, the fields of its request, and the forms of DLI's replies."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from dli_emulator.access import may_act, refused
from dli_emulator.faults import Fault
from dli_emulator.flink_job import FlinkJob
from dli_emulator.keys import User
from dli_emulator.settings import Settings
from dli_emulator.state import Project, State
from dli_emulator.wire import Refusal, Reply, Request


class Archives(Protocol):
    """Where archives go: what the handlers need of an object store. All calls block."""

    def has_bucket(self, bucket: str) -> bool:
        """Return whether the store has that bucket."""
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
    :param user: who sent it
    :param action: of IAM, that the operation needs
    :param later: runs a blocking function after so many seconds, unless the state is reset meanwhile
    """

    state: State
    archives: Archives
    request: Request
    path: Mapping[str, str]
    fault: Fault | None
    user: User
    action: str
    later: Callable[[float, Callable[[], None]], None]

    @property
    def project(self) -> Project:
        """The project that the path names; the first one if it names none."""
        return self.state.projects[self.path.get("project_id") or self.state.identity.project_id]

    def json_object(self) -> dict[str, Any]:
        """Read the body.

        :raises Refusal: ``DLI.0001`` if it is not a JSON object
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
        """Return the query's parameters; of several with one name, the last."""
        return dict(self.request.query)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not valid JSON")


Handler = Callable[[Call], Awaitable[Reply]]

blocking = asyncio.to_thread


_ID = re.compile(r"[0-9]{1,19}")
#: names of the types that a field may have
_KINDS: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    list: "a list",
    dict: "an object",
}


class BatchRefusal(Refusal):
    """A batch is refused, with an array of errors (seen of run; of stop and delete by analogy).

    :param problems: code and message for each id that is refused
    """

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__(400, *problems[0])
        self._problems = problems

    def reply(self, request_id: str) -> Reply:
        """Return the reply."""
        del request_id
        return Reply(400, [{"error_code": code, "error_msg": message} for code, message in self._problems])


class AgencyRefusal(Refusal):
    """DLI has no agency with which it may use OBS.

    INVENTED: that an export and an import are answered so; it was seen where a bucket was to be authorised.
    """

    def __init__(self) -> None:
        super().__init__(400, "DLI.10001", "An internal error occurred.")

    def reply(self, request_id: str) -> Reply:
        """Return the reply."""
        body = super().reply(request_id).body
        return Reply(400, {**body, "error_json_opt": _NO_AGENCY})


_NO_AGENCY = {"error": "Unexpected exception[NoSuchElementException: None.get]"}


def envelope(settings: Settings, *, success: bool, message: str = "", **payload: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return the body that every job call answers with.

    :param settings: whether ``is_success`` is a string or a boolean
    :param success: whether the operation was executed
    :param message: the service's message
    :param payload: what the operation gives beside
    """
    truth = success if settings.boolean_is_success else str(success).lower()
    return {"is_success": truth, "message": message, **payload}


def done(call: Call, message: str = "", **payload: Any) -> Reply:  # noqa: ANN401 - any JSON
    """Return the reply to a job call that was carried out."""
    return Reply(200, envelope(call.state.settings, success=True, message=message, **payload))


def done_with_boolean(message: str = "", **payload: Any) -> Reply:  # noqa: ANN401 - any JSON
    """Return the reply to a call whose ``is_success`` is a boolean in every edition."""
    return Reply(200, {"is_success": True, "message": message, **payload})


def batch_done(call: Call, ids: list[int], message: str) -> Reply:
    """Return the reply to a batch, in the length that the settings want.

    :param ids: those of the request
    :param message: message for each
    """
    settings = call.state.settings
    one = envelope(settings, success=True, message=message)
    match settings.batch_answer:
        case "object":
            return Reply(200, one)
        case "one":
            return Reply(200, [one])
    return Reply(200, [one for _ in ids])


def field(body: dict[str, Any], name: str, kind: type, *, required: bool = False) -> Any:  # noqa: ANN401 - of that kind
    """Return a field of a body; None if it is not there.

    :param body: the body
    :param name: of the field
    :param kind: what it must be
    :param required: whether it must be there
    :raises Refusal: ``DLI.0001`` if it is missing or of another kind
    """
    value = body.get(name)
    if value is None and not required:
        return None
    if type(value) is not kind:
        is_required = "is required and " if required else ""
        raise Refusal(400, "DLI.0001", f"The parameter {name} {is_required}must be {_KINDS[kind]}.")
    return value


def text_field(body: dict[str, Any], name: str, longest: int) -> str | None:
    """Return a string of a body; None if it is not there.

    :param longest: most characters
    :raises Refusal: ``DLI.0001`` if it is not a string or too long
    """
    value = field(body, name, str)
    if value is not None and len(value) > longest:
        raise Refusal(400, "DLI.0001", f"The parameter {name} is longer than {longest} characters.")
    return str(value) if value is not None else None


def list_field(body: dict[str, Any], name: str, kind: type, *, required: bool = False) -> list[Any] | None:
    """Return a list of a body whose items are all of one kind; None if it is not there.

    :param kind: what each item must be
    :param required: whether it must be there
    :raises Refusal: ``DLI.0001`` if it is missing, no list, or an item is of another kind
    """
    items: list[Any] | None = field(body, name, list, required=required)
    if any(type(item) is not kind for item in items or []):
        raise Refusal(400, "DLI.0001", f"Each item of the parameter {name} must be {_KINDS[kind]}.")
    return items


def job_ids(body: dict[str, Any], name: str = "job_ids") -> list[int]:
    """Return the ids of a batch, each once.

    :raises Refusal: ``DLI.0001`` if they are no list of ids
    """
    ids = body.get(name)
    if not isinstance(ids, list) or not ids or any(type(item) is not int for item in ids):
        raise Refusal(400, "DLI.0001", f"The parameter {name} must be a list of job ids.")
    return list(dict.fromkeys(ids))


def id_of(text: str) -> int | None:
    """Read an id out of a path; None if it can be none.

    :param text: decoded
    """
    return int(text) if _ID.fullmatch(text) else None


def job_of_path(call: Call, code: str) -> FlinkJob:
    """Return the job whose id is in the path.

    :param code: for a job that does not exist
    :raises Refusal: with that code, or ``DLI.0003`` if the job is not one that the sender may use
    """
    text = call.path["job_id"]
    number = id_of(text)
    job = None if number is None else call.project.job(number)
    if job is None:
        raise Refusal(400, code, f"The job {text} does not exist.")
    if not may_act(call.state, call.user, job, call.action):
        raise Refusal(400, *refused(call.state, call.user, job, call.action, code))
    return job


def jobs_of(call: Call, ids: Iterable[int], code: str) -> list[FlinkJob]:
    """Return the jobs of a batch.

    :param code: for a job that does not exist
    :raises BatchRefusal: with that code, or ``DLI.0003``, for each that the sender cannot use
    """
    jobs = [(job_id, call.project.job(job_id)) for job_id in ids]
    problems = [problem for job_id, job in jobs if (problem := _problem(call, job_id, job, code))]
    if problems:
        raise BatchRefusal(problems)
    return [job for _, job in jobs if job is not None]


def _problem(call: Call, job_id: int, job: FlinkJob | None, code: str) -> tuple[str, str] | None:
    if job is None:
        return code, f"The job {job_id} does not exist."
    is_allowed = may_act(call.state, call.user, job, call.action)
    return None if is_allowed else refused(call.state, call.user, job, call.action, code)
