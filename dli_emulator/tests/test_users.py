"""Users: what policies allow, whose jobs a user sees, and what an export of all is to it."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from huaweicloudsdkcore.auth.credentials import (  # type: ignore[import-untyped]  # it has no types
    BasicCredentials,
)
from huaweicloudsdkcore.exceptions.exceptions import (  # type: ignore[import-untyped]  # likewise
    ClientRequestException,
)
from huaweicloudsdkdli.v1 import DliClient, ListFlinkJobsRequest  # type: ignore[import-untyped]  # likewise

from api_client import ApiClient, Response
from dli_emulator.policies import Policy, is_allowed
from dli_emulator.routes import ROUTES

#: the sample jobs of this user
OWN = [number for number in range(100, 126) if (number - 100) % 3 == 2]
NAME = "svc-airflow"


def policy(*actions: str, version: str = "1.1", effect: str = "Allow", **fields: Any) -> dict[str, Any]:
    return {"Version": version, "Statement": [{"Effect": effect, "Action": list(actions), **fields}]}


def key(api: ApiClient, *policies: Any, name: str = NAME) -> tuple[str, str]:
    """Add a user, or give it other policies; return its key."""
    api.emulator.add_user(name, *policies)
    found = api.emulator.state.keys.key_of(name)
    return found.access_key, found.secret_key


def export(api: ApiClient, key: tuple[str, str], *ids: int) -> Response:
    body: dict[str, Any] = {"obs_dir": api.emulator.bucket, "is_selected": bool(ids)}
    return api.flink("POST", "jobs/export", body | ({"job_selected": list(ids)} if ids else {}), key)


def exported(api: ApiClient, reply: Response) -> list[int]:
    (archive,) = reply.body["zip_file"]
    with zipfile.ZipFile(io.BytesIO(api.stored(archive))) as opened:
        return [int(name.removesuffix(".json")) for name in opened.namelist()]


def ids(reply: Response) -> list[int]:
    return [job["job_id"] for job in reply.body["job_list"]["jobs"]]


def test_a_user_sees_its_own_jobs(api: ApiClient) -> None:
    """In the list, with its total, in detail and by the official SDK; the administrator sees all."""
    mine = key(api, policy("dli:jobs:get"))
    listed = api.flink("GET", "jobs", None, mine, limit=100, order="asc")
    assert (ids(listed), listed.body["job_list"]["total_count"]) == (OWN, len(OWN))
    assert api.flink("GET", f"jobs/{OWN[0]}", None, mine).status == 200
    refused = api.flink("GET", "jobs/100", None, mine)
    assert refused.error == (400, "DLI.0003")
    words = f"Permission denied for resource 'jobs.flink.100', User = '{NAME}', Action = 'GET'."
    assert refused.body["error_msg"] == words
    credentials = BasicCredentials(*mine, api.emulator.project_id)
    client = DliClient.new_builder().with_credentials(credentials).with_endpoint(api.emulator.dli).build()
    assert client.list_flink_jobs(ListFlinkJobsRequest()).job_list.total_count == len(OWN)
    key(api)
    with pytest.raises(ClientRequestException, match=r"APIGW.0302.*dli:jobs:list"):
        client.list_flink_jobs(ListFlinkJobsRequest())
    assert len(api.ids(limit=100)) == 26


@pytest.mark.parametrize("version", ["1.1", "5.0"])
def test_list_all_shows_all_jobs(api: ApiClient, version: str) -> None:
    """And lets a user act on all, as far as its other actions go."""
    mine = key(api, policy("dli:jobs:listAll", "dli:jobs:export", version=version))
    assert len(ids(api.flink("GET", "jobs", None, mine, limit=100))) == 26
    assert len(exported(api, export(api, mine))) == 26
    assert exported(api, export(api, mine, 100)) == [100]
    assert api.flink("DELETE", "jobs/100", None, mine).error == (403, "APIGW.0302")


def test_what_is_exported_for_a_user(api: ApiClient) -> None:
    """Its own jobs, none or all, by the setting; a job of somebody else is refused, and nothing is written."""
    mine = key(api, policy("dli:jobs:export"))
    assert exported(api, export(api, mine)) == OWN
    assert exported(api, export(api, mine, OWN[0])) == [OWN[0]]
    api.emulator.state.settings.change({"sub_user_export": "all"})
    assert len(exported(api, export(api, mine))) == 26
    api.emulator.state.settings.change({"sub_user_export": "refused"})
    assert export(api, mine).error == (400, "DLI.0003")
    assert export(api, mine, OWN[0], 100).error == (400, "DLI.0003")
    assert len(api.stored_keys()) == 3
    api.emulator.state.settings.change({"foreign_jobs": "missing"})
    assert export(api, mine, OWN[0], 100).error == (400, "DLI.16001")


def test_what_was_granted_for_one_job(api: ApiClient) -> None:
    """Each privilege for itself; the job is in the list then."""
    mine = key(api, policy("dli:jobs:*"), name="auditor")
    assert len(ids(api.flink("GET", "jobs", None, mine, limit=100))) == 26
    mine = key(api, policy("dli:jobs:get", "dli:jobs:export", "dli:jobs:start"), name="auditor")
    assert ids(api.flink("GET", "jobs", None, mine)) == []
    api.emulator.state.grant("auditor", 100, "GET", "EXPORT")
    assert ids(api.flink("GET", "jobs", None, mine)) == [100]
    assert api.flink("GET", "jobs/100", None, mine).status == 200
    assert exported(api, export(api, mine)) == [100]
    refused = api.flink("POST", "jobs/run", {"job_ids": [100]}, mine)
    assert (refused.status, refused.body[0]["error_code"]) == (400, "DLI.0003")
    api.emulator.state.grant("auditor", 100)
    assert ids(api.flink("GET", "jobs", None, mine)) == []


def test_jobs_belong_to_who_made_or_imported_them(api: ApiClient) -> None:
    """And an import does not overwrite somebody else's."""
    mine = key(api, policy("dli:jobs:create", "dli:jobs:get", "dli:jobs:export"), name="maker")
    made = api.flink("POST", "sql-jobs", {"name": "made"}, mine).body["job"]["job_id"]
    assert ids(api.flink("GET", "jobs", None, mine)) == [made]
    (archive,) = api.export(100).body["zip_file"]
    body = {"zip_file": archive, "is_cover": True}
    (mapped,) = api.flink("POST", "jobs/import", body, mine).body["job_mapping"]
    assert mapped["new_job_id"] == -1
    api.flink("DELETE", "jobs/100")
    (mapped,) = api.flink("POST", "jobs/import", body, mine).body["job_mapping"]
    assert ids(api.flink("GET", "jobs", None, mine)) == [mapped["new_job_id"], made]


@pytest.mark.parametrize("route", [each for each in ROUTES if each.action], ids=lambda each: each.operation)
@pytest.mark.parametrize("version", ["1.1", "5.0"])
def test_each_operation_needs_its_action(api: ApiClient, route: Any, version: str) -> None:
    """By its name in each version; any other action is not enough."""
    names = {
        ("dli:jobs:start", "5.0"): "dli:jobs:startFlinkJob",
        ("dli:jobs:stop", "5.0"): "dli:jobs:stopFlinkJob",
    }
    action = names.get((route.action, version), route.action)
    path = route.path.format(project_id=api.emulator.project_id, job_id=1, template_id=1)
    mine = key(api, policy("dli:queue:*", "obs:*:*", version=version))
    assert api.request(route.method, path, {}, mine).status == 403
    mine = key(api, policy(action, version=version))
    assert api.request(route.method, path, {}, mine).status != 403
    mine = key(api, policy("dli:*:*", "iam:*:*"), policy(action, version=version, effect="Deny"))
    assert api.request(route.method, path, {}, mine).status == 403


def test_names_of_one_version_mean_nothing_in_the_other() -> None:
    """Those of starting and stopping."""
    assert is_allowed([Policy.read(policy("dli:jobs:start"))], "dli:jobs:start")
    assert not is_allowed([Policy.read(policy("dli:jobs:startFlinkJob"))], "dli:jobs:start")
    assert not is_allowed([Policy.read(policy("dli:jobs:start", version="5.0"))], "dli:jobs:start")


@pytest.mark.parametrize(
    ("denial", "expected"),
    [("gateway", (403, "APIGW.0302")), ("identity", (403, "APIGW.0302")), ("dli", (400, "DLI.0003"))],
)
def test_the_forms_of_a_denial(api: ApiClient, denial: str, expected: tuple[int, str]) -> None:
    """None is established."""
    api.emulator.state.settings.change({"denial": denial})
    reply = export(api, key(api, policy("dli:jobs:get")))
    assert reply.error == expected
    assert ("encoded_authorization_message" in reply.body) is (denial == "identity")
    assert "export" in reply.body["error_msg"].lower()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, "the Version of a policy"),
        ([], "the Version of a policy"),
        ({"Version": "1.0"}, "not '1.0'"),
        ({"Version": "5.0", "Statement": []}, "must be a list"),
        (policy("dli:jobs:get", effect="Maybe"), "Allow or Deny"),
        (policy("dli"), "service:type:action"),
        (policy(), "service:type:action"),
        (policy("dli:jobs:get", Resource=[1]), "list of strings"),
        (policy("dli:jobs:get", Condition={"a": {}}), "Condition"),
    ],
)
def test_a_document_that_is_not_a_policy_is_refused(api: ApiClient, document: Any, expected: str) -> None:
    """Rather than read as one that allows nothing, or all."""
    with pytest.raises(ValueError, match=expected):
        api.emulator.add_user("x", document)


@pytest.mark.parametrize("kind", ["access_key", "temporary", "password", "token", "metadata"])
def test_each_kind_of_credentials_is_the_users(api: ApiClient, kind: str) -> None:
    """A key, its temporary form, a password, a token, and the agency of an ECS."""
    key(api, policy("dli:jobs:get"))
    given = json.loads(api.emulator.connection(kind, user=NAME))
    state = api.emulator.state
    if kind in ("access_key", "temporary"):
        assert state.keys.access_keys[given["login"]].user == NAME
    elif kind == "password":
        assert state.keys.users[given["login"]].password == given["password"]
    elif kind == "token":
        path = f"/v1.0/{api.emulator.project_id}/streaming/jobs"
        reply = api.send("GET", path, {"X-Auth-Token": given["password"]})
        assert reply.body["job_list"]["total_count"] == len(OWN)
    else:
        state.settings.metadata_version = 1
        issued = api.send("GET", "/openstack/latest/securitykey").body["credential"]["access"]
        assert state.keys.access_keys[issued].user == NAME
    with pytest.raises(ValueError, match="there is no user 'nobody'"):
        api.emulator.connection(kind, user="nobody")


def test_a_temporary_key_for_a_token_is_the_users(api: ApiClient) -> None:
    """It may no more than the user."""
    key(api, policy("dli:jobs:get"))
    token = json.loads(api.emulator.connection("token", user=NAME))["password"]
    body = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}}
    headers = {"Content-Type": "application/json"}
    content = json.dumps(body).encode()
    reply = api.send("POST", "/v3.0/OS-CREDENTIAL/securitytokens", headers, content)
    assert api.emulator.state.keys.access_keys[reply.body["credential"]["access"]].user == NAME


def s3(api: ApiClient, key: tuple[str, str]) -> Any:
    config = Config(
        s3={"addressing_style": "path"},
        retries={"total_max_attempts": 1},
        request_checksum_calculation="when_required",
    )
    session = boto3.Session(*key, region_name="cn-north-4")
    return session.client("s3", endpoint_url=api.emulator.dli, config=config)


@pytest.mark.slow
def test_obs_checks_policies_too(api: ApiClient) -> None:
    """Actions and resources; the connection of a user has the proxy as its OBS."""
    bucket = api.emulator.bucket
    reading = policy(
        "obs:object:GetObject", "obs:bucket:ListBucket", "obs:bucket:HeadBucket",
        Resource=[f"OBS:*:*:object:{bucket}/backup/*", f"OBS:*:*:bucket:{bucket}"],
    )  # fmt: skip
    client = s3(api, key(api, reading))
    for name in ("backup/a", "other/a"):
        api.emulator.s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    assert client.get_object(Bucket=bucket, Key="backup/a")["Body"].read() == b"x"
    client.head_bucket(Bucket=bucket)
    client.list_objects_v2(Bucket=bucket)
    refused = [
        lambda: client.get_object(Bucket=bucket, Key="other/a"),
        lambda: client.put_object(Bucket=bucket, Key="backup/b", Body=b""),
        lambda: client.delete_object(Bucket=bucket, Key="backup/a"),
        lambda: client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "backup/a"}]}),
        lambda: client.get_bucket_lifecycle_configuration(Bucket=bucket),
        client.list_buckets,
    ]
    for call in refused:
        with pytest.raises(ClientError, match="AccessDenied"):
            call()
    assert json.loads(api.emulator.connection(user=NAME))["extra"]["obs_endpoint"] == api.emulator.dli


def test_users_and_grants_over_http(api: ApiClient) -> None:
    """As tests in other languages add them."""

    def post(what: str, body: Any) -> Response:
        headers = {"Content-Type": "application/json"}
        return api.send("POST", f"/_emulator/{what}", headers, json.dumps(body).encode())

    made = post("users", {"name": "ann", "policies": [policy("dli:jobs:get")]})
    assert made.status == 201
    hers = (made.body["access_key"], made.body["secret_key"])
    assert post("grants", {"user": "ann", "job_id": 100, "privileges": ["GET"]}).status == 201
    assert ids(api.flink("GET", "jobs", None, hers)) == [100]
    assert post("users", {"name": "ann", "is_admin": True}).body["access_key"] == hers[0]
    assert len(ids(api.flink("GET", "jobs", None, hers, limit=100))) == 26
    for what, wrong in [
        ("users", {}),
        ("users", {"name": "x", "policies": [{}]}),
        ("grants", {}),
        ("grants", {"user": "ann", "job_id": 100, "privileges": ["ALL"]}),
        ("grants", {"user": "bob", "job_id": 100, "privileges": []}),
        ("grants", {"user": "ann", "job_id": 1, "privileges": []}),
    ]:
        assert post(what, wrong).status == 400
    post("reset", None)
    assert api.flink("GET", "jobs", None, hers).error == (401, "APIGW.0301")
