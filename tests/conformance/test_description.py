"""The emulator's OpenAPI description: valid, with every operation, and with how far each part can be trusted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from api_client import ApiClient
from dli_emulator.routes import ROUTES
from tests.conformance.explorer import description
from tests.operations import ENDPOINTS

TRUST = {"documented", "captured", "clients", "inferred", "open"}
METHODS = ("get", "put", "post", "delete")
#: a status that the emulator's faults or size limit give; the manual's pages of operations do not repeat them
GENERAL = {"401", "403", "413", "429"}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return description()


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and operation of each."""
    for path, item in described["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an operation's body."""
    content = operation.get("requestBody", {}).get("content", {})
    schema: dict[str, Any] = content.get("application/json", {}).get("schema", {})
    return schema


def by_name(described: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the operation of a name."""
    (found,) = (operation for _, _, operation in operations(described) if operation["operationId"] == name)
    return found


def test_it_is_a_valid_description(described: dict[str, Any]) -> None:
    """By openapi-spec-validator, for version 3.1."""
    OpenAPIV31SpecValidator(described).validate()


def test_it_has_every_operation_of_the_emulator(described: dict[str, Any]) -> None:
    """No more, no fewer, with method and path; those that need no authentication are marked."""
    known = {(route.method, route.path, route.operation) for route in ROUTES}
    assert {(method, path, each["operationId"]) for method, path, each in operations(described)} == known
    security = {each["operationId"]: each.get("security") for _, _, each in operations(described)}
    free = {name for name, needed in security.items() if needed == [] or {} in (needed or [])}
    assert free == {route.operation for route in ROUTES if route.is_open}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint["operation"])
def test_it_has_what_the_manual_has(described: dict[str, Any], endpoint: dict[str, Any]) -> None:
    """Query parameters, fields of the body, mandatory ones, and statuses."""
    operation = by_name(described, endpoint["operation"])
    query = {each["name"] for each in operation["parameters"] if each.get("in") == "query"}
    assert query == {each["name"] for each in endpoint["query"]}
    body = body_of(operation)
    assert set(body.get("properties", {})) == {each["name"] for each in endpoint["body"] or []}
    wanted = {each["name"] for each in endpoint["body"] or [] if each["required"]}
    if endpoint["operation"] == "ExecuteFlinkJobSavepoint":  # clients in use omit the path
        wanted -= {"savepoint_path"}
    assert set(body.get("required", [])) == wanted
    assert set(operation["responses"]) - GENERAL == {str(status) for status in endpoint["documented_statuses"]}


def test_each_part_has_its_degree_of_trust(described: dict[str, Any]) -> None:
    """Operations, responses and schemas; what the manual leaves open is marked with the emulator's choice."""
    parts = [each for _, _, each in operations(described)]
    parts += [response for each in parts for response in each["responses"].values() if "$ref" not in response]
    parts += [*described["components"]["responses"].values(), *described["components"]["schemas"].values()]
    assert {part.get("x-trust") for part in parts} <= TRUST
    assert {"documented", "open"} <= {part["x-trust"] for part in parts}
    chosen = {each["operationId"] for _, _, each in operations(described) if each.get("x-open")}
    assert {"ExportFlinkJobs", "ImportFlinkJobs", "ListFlinkJobs", "BatchRunFlinkJobs"} <= chosen


def test_the_emulator_serves_it(api: ApiClient, described: dict[str, Any]) -> None:
    """Beside its other routes of its own."""
    response = api.send("GET", "/_emulator/openapi.json")
    assert response.status == 200
    assert response.headers["content-type"].startswith("application/json")
    assert json.loads(response.content) == described
