"""Calls of the official client over all operations: the manual's values, its limits, and what lies beyond them.

Each is a row of docs/quality/conformance.md: ``make conformance`` writes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huaweicloudsdkcore.exceptions.exceptions import (  # type: ignore[import-untyped]  # it has no types
    ServiceResponseException,
)
from jsonschema import Draft202012Validator

from api_client import ApiClient
from tests.conformance.explorer import description
from tests.conformance.test_sdk_operations import REQUESTS, sdk_send, template
from tests.operations import ENDPOINTS
from tests.pages import with_section

PAGE = Path(__file__).parents[2] / "docs" / "quality" / "conformance.md"
#: no job and no template has it
UNKNOWN = 9
#: a valid value of each mandatory field
VALID: dict[str, Any] = {
    "name": "n",
    "sql_body": "insert into a select 1",
    "job_ids": [100],
    "zip_file": "obs-test/none.zip",
    "action": "TRIGGER",
    "savepoint_path": "obs://obs-test/s",
    "obs_dir": "obs-test",
    "is_selected": False,
}
#: a value of another type than the manual's
WRONG: dict[str, Any] = {
    "string": 5,
    "boolean": "perhaps",
    "integer": "many",
    "long": "x",
    "array<long>": ["x"],
    "array<string>": 5,
    "array<{key,value}>": ["x"],
    "object": ["x"],
}
#: what the manual requires and clients in use omit: taken
OMITTED = ("ExecuteFlinkJobSavepoint", "savepoint_path")
#: a job that each operation can be about
SUBJECTS = {"UpdateFlinkJarJob": 104, "ShowFlinkJobExecutionGraph": 103, "ExecuteFlinkJobSavepoint": 103}


@dataclass(frozen=True)
class SdkCall:
    """One call.

    :param operation: its name
    :param what: what is special about its input
    :param is_valid: whether the manual has such a value
    :param send: sends it
    """

    operation: str
    what: str
    is_valid: bool
    send: Callable[[ApiClient], Any]


def calls() -> Iterator[SdkCall]:
    """Yield the calls, operation by operation, as the tables of the manual have their fields."""
    for endpoint in ENDPOINTS:
        operation = endpoint["operation"]
        yield SdkCall(operation, "valid", True, REQUESTS[operation])
        yield from _unknown(endpoint)
        for described in endpoint["body"] or []:
            if described["required"]:
                what, is_valid = f"without `{described['name']}`", (operation, described["name"]) == OMITTED
                yield SdkCall(operation, what, is_valid, _with(endpoint, described, None))
            for what, is_valid, value in _values(described):
                yield SdkCall(operation, what, is_valid, _with(endpoint, described, value))
    for name, value, is_valid in (
        ("limit", 0, True), ("limit", 100, True), ("limit", -1, False), ("offset", -1, False),
        ("order", "sideways", False), ("job_type", "batch_job", False), ("status", "job_sleeping", False),
        ("order", "asc", True), ("job_type", "flink_jar_job", True), ("status", "job_running", True),
        ("name", "x" * 57, True), ("name", "作业 %&+", True), ("root_job_id", UNKNOWN, True),
    ):  # fmt: skip
        what = f"`{name}` {_shown(value)}"
        yield SdkCall("ListFlinkJobs", what, is_valid, _listing("ListFlinkJobs", name, value))
    for name, value, is_valid in (("limit", 100, True), ("limit", -1, False), ("offset", -1, False)):
        what = f"`{name}` {_shown(value)}"
        operation = "ListFlinkSqlJobTemplates"
        yield SdkCall(operation, what, is_valid, _listing(operation, name, value))


def _listing(operation: str, name: str, value: Any) -> Callable[[ApiClient], Any]:
    return lambda api: sdk_send(api, operation, **{name: value})


def _unknown(endpoint: dict[str, Any]) -> Iterator[SdkCall]:
    """Yield calls about a job or template that does not exist."""
    operation = endpoint["operation"]
    ids = [each["name"] for each in endpoint["path_params"] if each["name"] != "project_id"]
    if ids:
        yield SdkCall(operation, f"an unknown `{ids[0]}`", False, _with(endpoint, None, None, UNKNOWN))
    named = {each["name"]: each for each in endpoint["body"] or []}
    if "job_ids" in named:
        for what, value in (("an unknown id beside one that exists", [100, UNKNOWN]), ("no ids", [])):
            yield SdkCall(operation, f"`job_ids`: {what}", False, _with(endpoint, named["job_ids"], value))


def _values(described: dict[str, Any]) -> Iterator[tuple[str, bool, Any]]:
    """Yield values at and beyond the limits of a field."""
    # Where manual and official client differ, the larger limit counts.
    name, longest = described["name"], max(described.get("max_length", 0), described.get("sdk_max_length", 0))
    if longest and longest < 1 << 16:
        yield f"`{name}` of {longest} characters", True, "x" * longest
        yield f"`{name}` of {longest + 1} characters", False, "x" * (longest + 1)
    for bound, beyond in (("min", -1), ("max", 1)):
        if bound in described:
            yield f"`{name}` {described[bound]}", True, described[bound]
            yield f"`{name}` {described[bound] + beyond}", False, described[bound] + beyond
    if "enum" in described and name != "dirty_data_strategy":
        other = 77 if isinstance(described["enum"][0], int) else "something else"
        yield f"`{name}` {_shown(other)}", False, other
    yield f"`{name}` {_shown(WRONG[described['type']])}", False, WRONG[described["type"]]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) < 30 else f"of {len(value)} characters"


def _with(
    endpoint: dict[str, Any], described: dict[str, Any] | None, value: Any, number: int | None = None
) -> Callable[[ApiClient], Any]:
    """Return a call with all mandatory fields; one field has a value, and is omitted if that is None."""
    operation = endpoint["operation"]

    def send(api: ApiClient) -> Any:
        body = {each["name"]: VALID[each["name"]] for each in endpoint["body"] or [] if each["required"]}
        body = {name: api.emulator.bucket if name == "obs_dir" else given for name, given in body.items()}
        if described:
            body |= {described["name"]: value}
            if described["name"] == "job_selected":
                body["is_selected"] = True
        body = {name: given for name, given in body.items() if given is not None}
        path: dict[str, Any] = {}
        for each in endpoint["path_params"]:
            if each["name"] == "template_id":
                path["template_id"] = number or template(api)
            elif each["name"] == "job_id":
                path["job_id"] = number or SUBJECTS.get(operation, 100)
        return sdk_send(api, operation, body if endpoint["body"] else None, **path)

    return send


@dataclass(frozen=True)
class Outcome:
    """What came of a call.

    :param call: it
    :param status: HTTP status
    :param code: of the service, if it is an error
    :param problems: in what the reply contradicts the manual
    """

    call: SdkCall
    status: int
    code: str | None
    problems: tuple[str, ...]


def outcome(call: SdkCall, api: ApiClient) -> Outcome:
    """Send a call to an emulator in its initial state, and compare the reply with the manual.

    :param call: to send
    :param api: of the emulator
    """
    api.emulator.reset()
    try:
        answer = call.send(api)
        status, body = answer.status_code, json.loads(answer.raw_content)
        first = body[0] if isinstance(body, list) else body
        refused = first.get("is_success") in (False, "false")
        code = first.get("error_code") if refused else None
    except ServiceResponseException as error:
        status, body, code, refused = error.status_code, None, error.error_code, True
        if found := re.search(r'"error_code": ?"([^"]+)"', error.error_msg or ""):
            code = found[1]  # the official client reads no code from an array
    problems = []
    described = _operation(call.operation)["responses"]
    if str(status) not in described:
        problems.append(f"status {status} is not in the manual")
    elif body is not None:
        schema = described[str(status)]["content"]["application/json"]["schema"]
        validator = Draft202012Validator({**schema, "components": description()["components"]})
        problems += [error.message for error in validator.iter_errors(body)]
    if refused and not re.fullmatch(r"(DLI|APIGW)\.\d+", code or ""):
        problems.append(f"{code!r} is not a code of the manual")
    if refused is call.is_valid:
        problems.append("refused, though the manual has such a value" if refused else "taken, against the manual")
    return Outcome(call, status, code, tuple(problems))


def _operation(name: str) -> dict[str, Any]:
    (found,) = (
        each
        for item in description()["paths"].values()
        for each in item.values()
        if isinstance(each, dict) and each.get("operationId") == name
    )
    return found


def page_with(text: str, outcomes: list[Outcome]) -> str:
    """Return the page with the calls in their place.

    :param text: the page as it is
    :param outcomes: of all calls
    """
    rows = "".join(
        f"| {each.call.operation} | {each.call.what} | {each.status}{f' {each.code}' if each.code else ''} |\n"
        for each in outcomes
    )
    table = f"{len(outcomes)} calls, {sum(bool(each.problems) for each in outcomes)} contradictions.\n\n"
    table += f"| operation | input | reply |\n|---|---|---|\n{rows}"
    return with_section(text, "calls", table)
