"""IAM: projects by name, tokens for passwords, and what a token opens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api_client import ApiClient, Clock, Response
from dli_emulator.keys import id_of_name
from dli_emulator.state import DEFAULT_DOMAIN, DEFAULT_USER

PASSWORD = "emulator-password"


def auth(api: ApiClient, **changes: Any) -> dict[str, Any]:
    user = {"name": DEFAULT_USER, "password": PASSWORD, "domain": {"name": DEFAULT_DOMAIN}} | changes
    scope = user.pop("scope", {"project": {"name": api.emulator.region}})
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}


def token(api: ApiClient, body: Any) -> Response:
    return api.send("POST", "/v3/auth/tokens", {"Content-Type": "application/json"}, json.dumps(body).encode())


@pytest.mark.parametrize("scope", ["name", "id"])
def test_a_password_gives_a_token_that_opens_dli(api: ApiClient, scope: str) -> None:
    """201, the token in the header, scoped to the project by name or id; DLI takes it."""
    project = {"name": api.emulator.region} if scope == "name" else {"id": api.emulator.project_id}
    reply = token(api, auth(api, scope={"project": project}))
    assert reply.status == 201
    assert reply.body["token"]["project"]["id"] == api.emulator.project_id
    assert reply.body["token"]["expires_at"] > reply.body["token"]["issued_at"]
    headers = {"X-Auth-Token": reply.headers["x-subject-token"]}
    path = f"/v1.0/{api.emulator.project_id}/streaming/jobs"
    assert api.send("GET", path, headers).status == 200
    shown = api.send("GET", "/v3/auth/tokens", headers | {"X-Subject-Token": headers["X-Auth-Token"]})
    assert (shown.status, shown.body) == (200, reply.body)


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong"},
        {"name": "nobody"},
        {"domain": {"name": "elsewhere"}},
        {"scope": {"project": {"name": "eu-west-101"}}},
        {"scope": {"project": {"id": "x"}}},
    ],
)
def test_wrong_names_and_passwords_give_none(api: ApiClient, changes: dict[str, Any]) -> None:
    """401 in IAM's own shape, and no token."""
    reply = token(api, auth(api, **changes))
    assert (reply.status, reply.body["error"]["title"]) == (401, "Unauthorized")
    assert "x-subject-token" not in reply.headers


@pytest.mark.parametrize("body", [{}, [], {"auth": {}}, {"auth": {"identity": "x"}}])
def test_a_body_that_makes_no_sense_is_refused(api: ApiClient, body: Any) -> None:
    """400 in IAM's own shape."""
    reply = token(api, body)
    assert (reply.status, reply.body["error"]["code"]) == (400, 400)


def test_a_token_ends(made: Any, clock: Clock) -> None:
    """After its expiry DLI requires a new one, and IAM does not know it any more."""
    ours = made(clock=clock)
    ours.emulator.state.keys.token_seconds = 5
    value = token(ours, auth(ours)).headers["x-subject-token"]
    headers = {"X-Auth-Token": value, "X-Subject-Token": value}
    clock.now += 4.9
    assert ours.send("GET", "/v3/auth/tokens", headers).status == 200
    clock.now += 0.1
    assert ours.send("GET", "/v3/projects", headers).error == (401, "APIGW.0307")
    fresh = token(ours, auth(ours)).headers["x-subject-token"]
    assert ours.send("GET", "/v3/auth/tokens", {"X-Auth-Token": fresh, "X-Subject-Token": value}).status == 404


def test_projects_are_found_by_region(api: ApiClient) -> None:
    """The one project, by its name or unasked; none by another; signed as all else."""
    (project,) = api.request("GET", "/v3/projects", name="cn-north-4").body["projects"]
    assert (project["id"], project["name"]) == (api.emulator.project_id, "cn-north-4")
    assert len(api.request("GET", "/v3/projects").body["projects"]) == 1
    reply = api.request("GET", "/v3/projects", name="eu-west-101").body
    assert reply["projects"] == []
    assert reply["links"]["self"] == f"{api.emulator.iam}/v3/projects"
    assert api.send("GET", "/v3/projects").error == (401, "APIGW.0301")


def test_ones_own_projects_are_listed(api: ApiClient) -> None:
    """Each of them, whatever one is allowed to list."""
    reply = api.request("GET", "/v3/auth/projects").body
    assert [project["name"] for project in reply["projects"]] == ["cn-north-4"]
    assert reply["links"] == {"self": f"{api.emulator.iam}/v3/auth/projects"}
    assert api.send("GET", "/v3/auth/projects").error == (401, "APIGW.0301")


def test_the_password_is_not_in_the_log(api: ApiClient) -> None:
    """Nor is the token."""
    value = token(api, auth(api)).headers["x-subject-token"]
    api.send("GET", "/v3/projects", {"X-Auth-Token": value})
    assert PASSWORD not in repr(api.emulator.requests)
    assert value not in repr(api.emulator.requests)


def test_each_project_and_user_has_an_id_of_its_own(api: ApiClient) -> None:
    """However long the beginning is that their names share; a project that exists is not replaced."""
    state = api.emulator.state
    one, other = state.add_project("cn-north-4_team_a"), state.add_project("cn-north-4_team_b")
    assert one.project_id != other.project_id
    assert one.project_id == id_of_name("cn-north-4_team_a")
    state.add_job(in_project=one.project_id, name="mine")
    for name, number in (("cn-north-4_team_a", None), ("cn-north-4_team_c", one.project_id)):
        with pytest.raises(ValueError, match="there is a project"):
            state.add_project(name, number)
    assert [job.name for job in one.jobs.values()] == ["mine"]
    assert not other.jobs
    assert id_of_name("svc-airflow-production-1") != id_of_name("svc-airflow-production-2")
