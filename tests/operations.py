"""All operations of the service: the manual's page on each, and where it is in our code.

``python -m tests.operations`` writes the table of docs/operations.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Call
from dli_emulator.routes import ROUTES
from tests.pages import with_section

GOLDEN = Path(__file__).parent / "golden"
PAGE = Path(__file__).parents[1] / "docs" / "operations.md"
#: what walks through pages has no function of its own on the hook
_WALKS = {"list_jobs": "list_flink_jobs", "list_templates": "list_flink_sql_job_templates"}

ENDPOINTS: list[dict[str, Any]] = json.loads((GOLDEN / "endpoints.json").read_text(encoding="utf-8"))
OPERATIONS = [endpoint["operation"] for endpoint in ENDPOINTS]


def golden(operation: str) -> dict[str, Any]:
    """Return the golden cases of an operation."""
    case: dict[str, Any] = json.loads((GOLDEN / "operations" / f"{operation}.json").read_text(encoding="utf-8"))
    return case


def make_call(case: dict[str, Any]) -> Call[Any]:
    """Make the call of a golden case."""
    made: Call[Any] = getattr(flink, case["function"])(*case["args"], **case["kwargs"])
    return made


#: of an operation whose response names what it is about: where
_SUBJECTS: dict[str, Callable[[Any], Any]] = {
    "ShowFlinkJob": lambda body: body["job_detail"]["job_id"],
    "DeleteFlinkSqlJobTemplate": lambda body: body["template"]["template_id"],
}


def call_about(operation: str, body: Any) -> Call[Any]:
    """Make the call of a golden case, for the job or template that a response is about.

    :param operation: its name
    :param body: decoded JSON of the response
    """
    case = golden(operation)
    if operation in _SUBJECTS:
        case = {**case, "args": [_SUBJECTS[operation](body), *case["args"][1:]]}
    return make_call(case)


def hook_method(function: str) -> str:
    """Return the name of the hook's method for a function of the client."""
    from airflow_provider_dli.hooks.dli import DliHook  # noqa: PLC0415 -- the rest is of use without Airflow

    wanted = getattr(flink, function)
    found = [name for name, value in vars(DliHook).items() if getattr(value, "__wrapped__", None) is wanted]
    return _WALKS.get(function) or found[0]


def rows() -> Iterator[str]:
    """Write a row for each operation; what is missing raises."""
    routes = {route.operation: route for route in ROUTES}
    for endpoint in ENDPOINTS:
        operation = endpoint["operation"]
        case = golden(operation)
        assert routes[operation].path == endpoint["path"]
        assert case["ok"]
        assert case["refused"]
        yield (
            f"| {operation} | {endpoint['doc_id']} | `{endpoint['method']} {endpoint['path']}` "
            f"| `flink.{case['function']}` | `DliHook.{hook_method(case['function'])}` |\n"
        )


def table() -> str:
    """Write the whole table."""
    head = "| operation | page | request | call, for `run` and `arun` | on the hook |\n|---|---|---|---|---|\n"
    return head + "".join(rows())


def page_with(text: str) -> str:
    """Return the page with the table in its place.

    :param text: the page as it is
    """
    return with_section(text, "table", table())


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
