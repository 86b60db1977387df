"""Requests that no correct client sends are refused with the service's codes; none breaks the emulator."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from api_client import ApiClient, Response, signed

JOBS = "/v1.0/{p}/streaming/jobs"
SQL = "/v1.0/{p}/streaming/sql-jobs"
TEMPLATES = "/v1.0/{p}/streaming/job-templates"


def send_raw(api: ApiClient, path: str, body: bytes) -> Response:
    """Post just these bytes, signed."""
    target = path.format(p=api.emulator.project_id)
    date = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"Host": urlsplit(api.emulator.dli).netloc, "X-Sdk-Date": date}
    key = (api.emulator.access_key, api.emulator.secret_key)
    return api.send("POST", target, signed("POST", target, headers, body, key), body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b'{"name": "n", "cu_number": NaN}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_not_a_json_object_is_refused(api: ApiClient, body: bytes) -> None:
    """Half a character, NaN and deep nesting among them: they would break later responses."""
    assert send_raw(api, SQL, body).error == (400, "DLI.0001")


@pytest.mark.parametrize(
    "settings",
    [
        {"desc": 5},
        {"desc": "x" * 2049},
        {"queue_name": "x" * 129},
        {"cu_number": "2"},
        {"cu_number": True},
        {"cu_number": 1},
        {"cu_number": 401},
        {"parallel_number": 0},
        {"checkpoint_enabled": "true"},
        {"checkpoint_mode": 3},
        {"checkpoint_interval": 1 << 64},
        {"resume_max_num": -2},
        {"run_mode": "somewhere"},
        {"dirty_data_strategy": "3"},
        {"dirty_data_strategy": ""},
        {"edge_group_ids": ["a", 1]},
        {"resource_config_version": "v3"},
        {"resource_config": []},
        {"resource_config": {"max_slot": None}},
        {"resource_config": {"jobmanager_resource_spec": {"cpu": 0.1}}},
        {"resource_config": {"taskmanager_resource_spec": {"memory": 4}}},
        {"tags": [{"key": "a"}]},
        {"tags": [{"key": "a", "value": 1}]},
        {"tags": [{"key": "k" * 129, "value": ""}]},
        {"tags": {"a": "b"}},
    ],
    ids=lambda settings: str(settings)[:60],
)
def test_a_setting_of_a_wrong_kind_is_refused(api: ApiClient, settings: dict[str, Any]) -> None:
    """And no job is made; it would be shown with that setting later."""
    path = SQL.format(p=api.emulator.project_id)
    assert api.request("POST", path, {"name": "job", **settings}).error == (400, "DLI.0001")
    assert api.ids(name="job") == []
    if "tags" not in settings:
        assert api.request("PUT", f"{path}/100", settings).error == (400, "DLI.0001")


def test_a_setting_that_is_null_is_omitted(api: ApiClient) -> None:
    """The job has what it had."""
    path = SQL.format(p=api.emulator.project_id)
    assert api.request("PUT", f"{path}/100", {"name": None, "cu_number": None, "desc": None}).status == 200
    shown = api.show(100).body["job_detail"]
    assert (shown["name"], shown["desc"], shown["job_config"]["cu_number"]) == ("orders_to_dws_00", "", 2)


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", TEMPLATES, {"name": "n", "job_type": "flink_jar_job"}, "DLI.0001"),
        ("POST", TEMPLATES, {"name": "n", "tags": ["a"]}, "DLI.0001"),
        ("DELETE", f"{TEMPLATES}/{'9' * 5000}", None, "DLI.18005"),
        ("GET", f"{JOBS}/{'9' * 5000}", None, "DLI.16001"),
        ("POST", f"{JOBS}/export", {"obs_dir": "obs-test/\x01", "is_selected": False}, "DLI.29001"),
        ("POST", f"{JOBS}/export", {"obs_dir": f"obs-test/{'x' * 1024}", "is_selected": False}, "DLI.29001"),
        ("POST", f"{JOBS}/import", {"zip_file": "A B/c.zip"}, "DLI.29002"),
        ("POST", f"{JOBS}/import", {"zip_file": f"obs-test/{'x' * 2000}"}, "DLI.29002"),
        ("POST", f"{JOBS}/100/import-savepoint", {"savepoint_path": "obs://b/c", "job_id": 0}, "DLI.0001"),
        ("POST", "/v3/{p}/streaming/jobs/100/gen-graph", {"sql_body": "x", "flink_version": "1.15"}, "DLI.0001"),
        ("POST", "/v3/{p}/streaming/jobs/100/gen-graph", {"sql_body": "x", "cu_number": "1"}, "DLI.0001"),
    ],
)
def test_each_is_refused_with_its_code(api: ApiClient, method: str, path: str, body: Any, code: str) -> None:
    """And the emulator can be reset afterwards."""
    target = path.format(p=api.emulator.project_id)
    assert api.request(method, target, body).error == (400, code)
    api.emulator.reset()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": "9" * 5000}, "DLI.0001"),
        ({"limit": "1_0"}, "DLI.0001"),
        ({"offset": "٣"}, "DLI.0001"),
        ({"root_job_id": str(1 << 63)}, "DLI.0001"),
    ],
)
def test_a_wrong_number_in_a_list_query_is_refused(api: ApiClient, query: dict[str, str], code: str) -> None:
    """Numbers are plain digits of 64 bits."""
    assert api.jobs(**query).error == (400, code)


@pytest.mark.parametrize(
    ("query", "code"),
    [({"limit": "101"}, "DLI.1206"), ({"offset": "9" * 5000}, "DLI.1206"), ({"order": "up"}, "DLI.0001")],
)
def test_a_wrong_page_of_templates_is_refused(api: ApiClient, query: dict[str, Any], code: str) -> None:
    """With the code of its page, or that of the parameter check."""
    assert api.request("GET", TEMPLATES.format(p=api.emulator.project_id), **query).error == (400, code)


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/v3/auth/tokens", {"methods": ["password"], "password": {"user": {"name": [], "password": {}}}}),
        ("/v3/auth/tokens", {"methods": ["token"], "token": {"id": []}}),
        ("/v3/auth/tokens", {"methods": [{}]}),
        ("/v3.0/OS-CREDENTIAL/securitytokens", {"methods": ["token"], "token": {"id": ["a"]}}),
        ("/v3.0/OS-CREDENTIAL/securitytokens", {"methods": [[]]}),
        ("/v3.0/OS-CREDENTIAL/securitytokens", {"methods": ["assume_role"], "assume_role": {"agency_name": {}}}),
        ("/v3.0/OS-CREDENTIAL/securitytokens", {"methods": ["token"], "token": {"duration_seconds": True}}),
    ],
)
def test_iam_refuses_values_that_are_not_strings(api: ApiClient, path: str, identity: dict[str, Any]) -> None:
    """As a request that it cannot read."""
    body = {"auth": {"identity": identity, "scope": {"project": {"name": api.emulator.region}}}}
    reply = api.send("POST", path, {}, json.dumps(body).encode())
    assert (reply.status, reply.body["error"]["title"]) == (400, "Bad Request")


@pytest.mark.parametrize("seconds", ["9" * 5000, "²", "0", "x"])
def test_the_metadata_service_wants_seconds(api: ApiClient, seconds: str) -> None:
    """In plain digits."""
    headers = {"X-Metadata-Token-Ttl-Seconds": seconds.encode().decode("latin-1")}
    assert api.send("PUT", "/meta-data/latest/api/token", headers).status == 400
