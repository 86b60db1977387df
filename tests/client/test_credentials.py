"""Tokens, temporary keys and project look-ups: each request, byte for byte, and the result of each reply."""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.client import iam
from airflow_provider_dli.client.call import USER_AGENT, plain_request
from airflow_provider_dli.client.credentials import AccessKey, Cached, Expiring
from airflow_provider_dli.client.errors import (
    AuthenticationError,
    ConfigurationError,
    RefusedError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.exchange import Project
from airflow_provider_dli.client.iam import agency_keys, metadata_keys, password_token, ready_token
from tests.client.scripted_replies import NOON, FlowResult, answer, noon, run_flow

IAM = "https://iam.example.com"
USER = iam.User("ann", "pass-word", "acme")
SCOPE = iam.Scope(None, "cn-north-4")
KEY = AccessKey("AK", "SK")
END = NOON + timedelta(hours=1)
CREDENTIAL = {"access": "TAK", "secret": "TSK", "securitytoken": "T" * 40, "expires_at": END.isoformat()}
TOKEN = {"token": {"expires_at": END.isoformat()}}
JSON = ("Content-Type", "application/json")
OURS = ("User-Agent", USER_AGENT)
REQUEST = plain_request("Anything", "GET", "https://dli.example.com/v1", [])


def body_of(flow: FlowResult) -> Any:
    """Return the JSON of the only request."""
    (request,) = flow.requests
    return json.loads(request.body)


def test_a_token_is_requested() -> None:
    """KeystoneCreateUserTokenByPassword, scoped by name; the password is a secret of the request."""
    flow = run_flow(iam.create_token(IAM, USER, SCOPE), answer(201, TOKEN, x_subject_token="the-token"))
    (request,) = flow.requests
    assert (request.operation, request.method) == ("KeystoneCreateUserTokenByPassword", "POST")
    assert request.url == f"{IAM}/v3/auth/tokens?nocatalog=true"
    assert request.headers == (("Host", "iam.example.com"), JSON, OURS)
    assert request.secrets == ("pass-word",)
    assert body_of(flow) == {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "ann", "password": "pass-word", "domain": {"name": "acme"}}},
            },
            "scope": {"project": {"name": "cn-north-4"}},
        }
    }
    assert flow.result == Expiring("the-token", END)


def test_a_known_project_scopes_by_its_id() -> None:
    """Where the id is known the name is not sent."""
    scope = iam.Scope("p1", "cn-north-4")
    flow = run_flow(iam.create_token(IAM, USER, scope), answer(201, TOKEN, x_subject_token="t"))
    assert body_of(flow)["auth"]["scope"] == {"project": {"id": "p1"}}


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (answer(201, TOKEN), "the reply has no X-Subject-Token"),
        (answer(201, {}, x_subject_token="t"), "expires_at is not a time: None"),
        (answer(201, {"token": []}, x_subject_token="t"), "expires_at is not a time: None"),
        (answer(201, {"token": {"expires_at": "soon"}}, x_subject_token="t"), "expires_at is not a time: 'soon'"),
        (
            answer(201, {"token": {"expires_at": "2026-01-15T12:00:00"}}, x_subject_token="t"),
            "expires_at is not a time: '2026-01-15T12:00:00'",
        ),
        (answer(201, b"Welcome", x_subject_token="t"), "a JSON object was expected, not: Welcome"),
    ],
)
def test_replies_without_a_valid_token(reply: Any, message: str) -> None:
    """The message names the operation and what is wrong with the reply."""
    error = run_flow(iam.create_token(IAM, USER, SCOPE), reply).error
    assert isinstance(error, UnexpectedReplyError)
    assert (error.operation, error.status, error.message) == ("KeystoneCreateUserTokenByPassword", 201, message)


def test_keys_of_a_token() -> None:
    """CreateTemporaryAccessKeyByToken for an hour; the token is a secret of the request."""
    flow = run_flow(iam.keys_of_token(IAM, "the-token"), answer(201, {"credential": CREDENTIAL}))
    (request,) = flow.requests
    assert (request.operation, request.method) == ("CreateTemporaryAccessKeyByToken", "POST")
    assert request.url == f"{IAM}/v3.0/OS-CREDENTIAL/securitytokens"
    assert request.headers == (("Host", "iam.example.com"), JSON, OURS)
    assert request.secrets == ("the-token",)
    token = {"id": "the-token", "duration_seconds": 3600}
    assert body_of(flow) == {"auth": {"identity": {"methods": ["token"], "token": token}}}
    assert flow.result == Expiring(AccessKey("TAK", "TSK", "T" * 40), END)


def test_keys_of_an_agency() -> None:
    """CreateTemporaryAccessKeyByAgency, signed with the credentials that assume the agency."""
    agency = iam.Agency("backup", "other")
    flow = run_flow(iam.keys_of_agency(IAM, KEY, agency, noon), answer(201, {"credential": CREDENTIAL}))
    (request,) = flow.requests
    assert (request.operation, request.method) == ("CreateTemporaryAccessKeyByAgency", "POST")
    assert request.url == f"{IAM}/v3.0/OS-CREDENTIAL/securitytokens"
    assert dict(request.headers)["Authorization"].startswith("SDK-HMAC-SHA256 Access=AK, ")
    assert dict(request.headers)["X-Sdk-Date"] == "20260115T120000Z"
    role = {"agency_name": "backup", "domain_name": "other", "duration_seconds": 3600}
    assert body_of(flow) == {"auth": {"identity": {"methods": ["assume_role"], "assume_role": role}}}
    assert flow.result.value == AccessKey("TAK", "TSK", "T" * 40)


@pytest.mark.parametrize("missing", ["access", "secret", "securitytoken"])
def test_keys_with_a_part_missing(missing: str) -> None:
    """The part is named, and no other is in the message."""
    given = {name: value for name, value in CREDENTIAL.items() if name != missing}
    error = run_flow(iam.keys_of_token(IAM, "the-token"), answer(201, {"credential": given})).error
    assert isinstance(error, UnexpectedReplyError)
    assert (error.operation, error.message) == (
        "CreateTemporaryAccessKeyByToken",
        f"the keys cannot be read: no {missing!r}",
    )


@pytest.mark.parametrize("credential", [None, [], 7, "text"])
def test_replies_without_valid_keys(credential: object) -> None:
    """Whatever is in their place is an UnexpectedReplyError, never a TypeError."""
    error = run_flow(iam.keys_of_token(IAM, "the-token"), answer(201, {"credential": credential})).error
    assert isinstance(error, UnexpectedReplyError)
    assert error.message.startswith("the keys cannot be read: no ")


@pytest.mark.parametrize("name", ["access", "secret", "securitytoken"])
@pytest.mark.parametrize("value", ["k\ud800", "ké", "k\n"])
def test_keys_that_could_neither_sign_nor_be_sent(name: str, value: str) -> None:
    """They are an UnexpectedReplyError, which does not show them."""
    error = run_flow(
        iam.keys_of_token(IAM, "the-token"), answer(201, {"credential": CREDENTIAL | {name: value}})
    ).error
    assert isinstance(error, UnexpectedReplyError)
    assert error.message == "the keys cannot be read: they have characters that no key has"


@pytest.mark.parametrize("depth", [900, 980, 990])
@pytest.mark.parametrize("name", ["access", "expires_at"])
def test_keys_that_are_nested_without_end(name: str, depth: int) -> None:
    """JSON's parser may take more than what writes it out can."""
    nested = json.dumps({"credential": CREDENTIAL | {name: "HERE"}}).replace('"HERE"', "[" * depth + "]" * depth)
    flow = run_flow(iam.keys_of_token(IAM, "the-token"), answer(201, nested.encode()))
    assert isinstance(flow.error, UnexpectedReplyError) or flow.result.value.access_key.startswith("[[")


def test_keys_need_an_end() -> None:
    """Keys whose end is not known would be used beyond it."""
    error = run_flow(
        iam.keys_of_token(IAM, "the-token"), answer(201, {"credential": CREDENTIAL | {"expires_at": ""}})
    ).error
    assert (error.operation, error.message) == ("CreateTemporaryAccessKeyByToken", "expires_at is not a time: ''")


def test_a_project_is_looked_up() -> None:
    """Among those that one may use; signed; its id comes back."""
    found = {"projects": [{"id": "p0", "name": "cn-north-4"}, {"id": "p1", "name": "cn-north-4 a"}]}
    flow = run_flow(iam.find_project(IAM, KEY, "cn-north-4 a", noon), answer(200, found))
    (request,) = flow.requests
    assert (request.operation, request.method) == ("KeystoneListAuthProjects", "GET")
    assert request.url == f"{IAM}/v3/auth/projects"
    assert request.body == b""
    assert "Authorization" in dict(request.headers)
    assert dict(request.headers)["X-Sdk-Date"] == "20260115T120000Z"
    assert not request.direct
    assert flow.result == Expiring("p1", None)


@pytest.mark.parametrize("status", [403, 404, 405])
def test_a_project_is_looked_up_by_name_where_ones_own_are_not_listed(status: int) -> None:
    """The name is encoded; one of a longer name is not it. A refused identity is not sent twice."""
    found = {"projects": [{"id": "p2", "name": "cn-north-4 ab"}, {"id": "p1", "name": "cn-north-4 a"}]}
    flow = run_flow(iam.find_project(IAM, KEY, "cn-north-4 a", noon), answer(status), answer(200, found))
    assert (flow.requests[1].operation, flow.requests[1].method) == ("KeystoneListProjects", "GET")
    assert flow.requests[1].url == f"{IAM}/v3/projects?name=cn-north-4%20a"
    assert "Authorization" in dict(flow.requests[1].headers)
    assert flow.result == Expiring("p1", None)
    refused = run_flow(iam.find_project(IAM, KEY, "n", noon), answer(401))
    assert (len(refused.requests), type(refused.error)) == (1, AuthenticationError)


@pytest.mark.parametrize(
    ("projects", "message"),
    [
        ([{"id": "p"}], "the projects cannot be read: 'name'"),
        ([{"name": "n"}], "the projects cannot be read: 'id'"),
        ([7], "the projects cannot be read: 'int' object is not subscriptable"),
        (7, "the projects cannot be read: 'int' object is not iterable"),
    ],
)
def test_replies_without_valid_projects(projects: object, message: str) -> None:
    """They are an UnexpectedReplyError."""
    error = run_flow(iam.find_project(IAM, KEY, "n", noon), answer(200, {"projects": projects})).error
    assert isinstance(error, UnexpectedReplyError)
    assert (error.operation, error.message) == ("KeystoneListAuthProjects", message)


def test_credentials_refused_at_iam_are_invalidated() -> None:
    """On a look-up of projects, for an agency and for keys of a token: the next request fetches new ones."""
    fetched = answer(201, TOKEN, x_subject_token="t")

    def lookups() -> list[tuple[Any, Any]]:
        agency, one, other, third = (
            iam.Agency("backup", "other"),
            *(password_token(IAM, USER, SCOPE) for _ in "123"),
        )
        return [
            (one, lambda: iam.find_project(IAM, one, "n", noon)),
            (other, lambda: iam.keys_of_agency(IAM, other, agency, noon)),
            (third, lambda: third.keys(noon)),
        ]

    for credentials, look_up in lookups():
        assert isinstance(run_flow(look_up(), fetched, answer(401)).error, AuthenticationError)
        assert run_flow(credentials.authenticate(REQUEST, noon), fetched).error is None, "fetched again"
        assert isinstance(run_flow(look_up(), answer(400)).error, RefusedError)
        assert run_flow(credentials.authenticate(REQUEST, noon)).error is None, "a 400 keeps the credentials"


def project(given: str | None = None) -> Project:
    """Make a project that is looked up unless its id is given."""
    return Project(given, "cn-north-4", IAM, KEY)


def test_a_given_project_is_not_looked_up() -> None:
    """Nothing is sent."""
    assert run_flow(project("p0").id(noon)).result == "p0"


def test_a_project_is_looked_up_once() -> None:
    """The second time nothing is sent."""
    one = project()
    found = answer(200, {"projects": [{"id": "p1", "name": "cn-north-4"}]})
    flow = run_flow(one.id(noon), found)
    assert flow.result == "p1"
    assert flow.requests[0].url == f"{IAM}/v3/auth/projects"
    assert run_flow(one.id(noon)).result == "p1"


@pytest.mark.parametrize(
    ("projects", "message"),
    [
        (None, "is not given, and IAM lists not one but 0 projects named 'cn-north-4': none"),
        (
            [{"id": "p1", "name": "a"}, {"id": "p2", "name": "b"}],
            "is not given, and IAM lists not one but 0 projects named 'cn-north-4': only a (p1), b (p2)",
        ),
        (
            [{"id": f"p{n}", "name": f"r{n}"} for n in range(30)],
            "is not given, and IAM lists not one but 0 projects named 'cn-north-4': only "
            + ", ".join(f"r{n} (p{n})" for n in range(10)),
        ),
        (
            [{"id": "1", "name": "cn-north-4"}, {"id": "2", "name": "b"}, {"id": "3", "name": "cn-north-4"}],
            (
                "is not given, and IAM lists not one but 2 projects named 'cn-north-4': "
                "cn-north-4 (1), cn-north-4 (3)"
            ),
        ),
    ],
)
def test_a_project_must_be_one(projects: object, message: str) -> None:
    """None or several: the message has the field, what was found, and where to find the right one."""
    error = run_flow(project().id(noon), answer(200, {"projects": projects})).error
    assert isinstance(error, ConfigurationError)
    assert (error.field, error.problem, error.remedy) == (
        "project_id",
        message,
        "copy the correct one from My Credentials in the console",
    )


def test_metadata_keys() -> None:
    """Version 2: a session token of six hours first, then the keys with it."""
    credential = {"credential": CREDENTIAL}
    flow = run_flow(iam.security_key("http://meta"), answer(200, b" session \n"), answer(200, credential))
    first, second = flow.requests
    assert (first.operation, first.method, first.url) == (
        "GetMetadataToken",
        "PUT",
        "http://meta/meta-data/latest/api/token",
    )
    assert first.headers == (("Host", "meta"), ("X-Metadata-Token-Ttl-Seconds", "21600"), OURS)
    assert (second.operation, second.method, second.url) == (
        "GetSecurityKey",
        "GET",
        "http://meta/openstack/latest/securitykey",
    )
    assert second.headers == (("Host", "meta"), ("X-Metadata-Token", "session"), OURS)
    assert (first.secrets, second.secrets) == ((), ("session",))
    assert (first.direct, second.direct) == (True, True), "a proxy would fetch the metadata of its own machine"
    assert flow.result == Expiring(AccessKey("TAK", "TSK", "T" * 40), END)


@pytest.mark.parametrize("status", [404, 405, 503])
def test_metadata_without_version_2(status: int) -> None:
    """An older image has no session tokens: the keys are requested without one."""
    flow = run_flow(iam.security_key("http://meta"), answer(status), answer(200, {"credential": CREDENTIAL}))
    assert flow.requests[1].headers == (("Host", "meta"), OURS)
    assert flow.requests[1].secrets == ()
    assert flow.result.value.access_key == "TAK"


def test_a_session_that_is_refused_is_replaced_once() -> None:
    """One that ended early, or that a service in trouble did not give: then the refusal is reported."""
    keys, refused = answer(200, {"credential": CREDENTIAL}), answer(401, b"Unauthorized")
    for first in (answer(200, b"one"), answer(503)):
        flow = run_flow(iam.security_key("http://meta"), first, refused, answer(200, b"two"), keys)
        assert dict(flow.requests[3].headers)["X-Metadata-Token"] == "two"
        assert flow.result.value.access_key == "TAK"
    flow = run_flow(iam.security_key("http://meta"), answer(200, b"one"), refused, answer(200, b"two"), refused)
    assert (len(flow.requests), type(flow.error)) == (4, AuthenticationError)
    assert "agency" not in str(flow.error)


@pytest.mark.parametrize(
    "body",
    [b"Please configure Cloud Service Agency first", {"message": "Please configure Cloud Service Agency first"}],
)
def test_an_ecs_without_an_agency(body: Any) -> None:
    """Is what the message names, and no other session is requested."""
    flow = run_flow(iam.security_key("http://meta"), answer(200, b"one"), answer(401, body))
    assert isinstance(flow.error, AuthenticationError)
    assert flow.error.advice.startswith("The ECS has no agency: choose one for it in the console")
    assert "Check login, password" not in str(flow.error)


POD_URL = "http://node:8443/v1/credentials?x=1"


@pytest.mark.parametrize("status", [401, 403, 429])
def test_what_a_pods_service_refuses_has_advice_of_its_own(status: int, tmp_path: Path) -> None:
    """Neither login nor permissions of a key, nor the project: it knows none."""
    file = tmp_path / "token"
    file.write_text("pod-token")
    keys = iam.pod_keys(POD_URL, iam.TokenFile("f", str(file)))
    shown = str(run_flow(keys.keys(noon), answer(status, {"message": "no"})).error)
    assert not any(each in shown for each in ("login", "lock", "permission", "project"))
    assert ("that service" if status == 429 else "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE") in shown


def test_keys_that_have_expired_already_are_not_used(tmp_path: Path) -> None:
    """A service that hands out what it keeps: the time is named, and what to check."""
    file = tmp_path / "token"
    file.write_text("pod-token")
    keys = iam.pod_keys(POD_URL, iam.TokenFile("f", str(file)))
    late = dataclasses.replace(answer(200, {"credential": CREDENTIAL}), received=END.timestamp())
    flow = run_flow(keys.keys(noon), late)
    assert isinstance(flow.error, UnexpectedReplyError)
    assert f"expires_at is in the past: {END.isoformat()!r}" in str(flow.error)
    assert "clocks" in str(flow.error)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"t" * 40000, "holds 40,000 characters, more"),
        (b"t" * 200000, "has more than 131,072 bytes"),
    ],
)
def test_a_file_of_a_token_shows_what_is_wrong_with_it(content: bytes, problem: str, tmp_path: Path) -> None:
    """Its path and its size, and nothing of it; a pipe is not waited for."""
    file, pipe = tmp_path / "token", tmp_path / "pipe"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        iam.TokenFile("f", str(file))()
    assert caught.value.problem.startswith(f"'{file}' {problem}")
    os.mkfifo(pipe)
    with pytest.raises(ConfigurationError, match=f"'{pipe}' is not a regular file"):
        iam.TokenFile("f", str(pipe))()


@pytest.mark.parametrize(
    "reply",
    [
        {"credential": CREDENTIAL},
        {
            "credentials": {
                "access_key_id": "TAK",
                "secret_access_key": "TSK",
                "security_token": "T" * 40,
                "expiration": END.isoformat(),
            }
        },
        {
            "accessKeyId": "TAK",
            "secretAccessKey": "TSK",
            "securityToken": "T" * 40,
            "expiration": END.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    ],
    ids=["iam", "v5", "flat"],
)
def test_keys_of_a_pod(reply: Any, tmp_path: Path) -> None:
    """An empty object is posted, with the token of the file as it is at that moment, past every proxy."""
    file = tmp_path / "token"
    file.write_text(" the-token\n")
    flow = run_flow(iam.pod_keys(POD_URL, iam.TokenFile("f", str(file))).keys(noon), answer(200, reply))
    (request,) = flow.requests
    assert (request.operation, request.method, request.url) == ("GetPodIdentityKey", "POST", POD_URL)
    assert request.headers == (("Host", "node:8443"), JSON, ("Authorization", "the-token"), OURS)
    assert (request.body, request.secrets, request.direct) == (b"{}", ("the-token",), True)
    assert flow.result == AccessKey("TAK", "TSK", "T" * 40)


@pytest.mark.parametrize("content", [None, b"", b" \n", b"two tokens", b"a\nb", b"\xff", b"a" * 32769], ids=repr)
def test_a_pod_without_a_token(content: bytes | None, tmp_path: Path) -> None:
    """Nothing is sent, and nothing of the file is shown."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    flow = run_flow(iam.pod_keys(POD_URL, iam.TokenFile("the variable", str(file))).keys(noon))
    assert isinstance(flow.error, ConfigurationError)
    assert flow.error.field == "the variable"
    assert "two" not in str(flow.error)


@pytest.mark.parametrize("text", [b"", b"  \n", b"a\x00b", b"\xff\xfe", "夜".encode()])
def test_replies_without_a_valid_session_token(text: bytes) -> None:
    """It is never put into a header."""
    error = run_flow(iam.security_key("http://meta"), answer(200, text)).error
    assert isinstance(error, UnexpectedReplyError)
    assert (error.operation, error.message) == ("GetMetadataToken", "the reply is not a session token")


def test_metadata_in_trouble() -> None:
    """Other statuses raise the usual errors; a 2xx other than 200 has no token either."""
    error = run_flow(iam.security_key("http://meta"), answer(400, {"message": "no"})).error
    assert isinstance(error, RefusedError)
    assert (error.operation, error.message) == ("GetMetadataToken", "no")
    error = run_flow(iam.security_key("http://meta"), answer(204, {"a": 1})).error
    assert (error.operation, error.message) == ("GetMetadataToken", "the reply is not a session token")


def test_keys_of_the_metadata_service_name_themselves_in_errors() -> None:
    """The operation is that of the metadata service, not IAM's."""
    error = run_flow(iam.security_key("http://meta"), answer(404), answer(200, {})).error
    assert error.operation == "GetSecurityKey"


def test_a_ready_token_authenticates() -> None:
    """As X-Auth-Token, after the other headers, and as a secret of the request; nothing is sent to IAM."""
    credentials = ready_token(IAM, "the-token")
    authenticated = run_flow(credentials.authenticate(REQUEST, noon)).result
    assert authenticated.headers == (*REQUEST.headers, ("X-Auth-Token", "the-token"))
    assert authenticated.secrets == ("the-token",)
    assert credentials.identity == "the bearer of a token"


def test_a_ready_token_gives_keys_once() -> None:
    """For OBS, by way of IAM; the second time from memory."""
    credentials = ready_token(IAM, "the-token")
    flow = run_flow(credentials.keys(noon), answer(201, {"credential": CREDENTIAL}))
    assert flow.requests[0].url == f"{IAM}/v3.0/OS-CREDENTIAL/securitytokens"
    assert body_of(flow)["auth"]["identity"]["token"]["id"] == "the-token"
    assert flow.result == run_flow(credentials.keys(noon)).result == AccessKey("TAK", "TSK", "T" * 40)


def test_a_ready_token_that_is_refused_cannot_be_renewed() -> None:
    """There is no other one."""
    credentials = ready_token(IAM, "the-token")
    authenticated = run_flow(credentials.authenticate(REQUEST, noon)).result
    assert credentials.invalidate(authenticated) is False
    assert run_flow(credentials.authenticate(REQUEST, noon)).result == authenticated


def test_a_password_gets_a_token_once_and_again_when_refused() -> None:
    """One request for two calls; after a refusal of that very token another is fetched."""
    credentials = password_token(IAM, USER, SCOPE)
    assert credentials.identity == "IAM user ann of account acme"
    flow = run_flow(credentials.authenticate(REQUEST, noon), answer(201, TOKEN, x_subject_token="t1"))
    assert flow.requests[0].operation == "KeystoneCreateUserTokenByPassword"
    first = flow.result
    assert run_flow(credentials.authenticate(REQUEST, noon)).result == first
    assert credentials.invalidate(REQUEST) is True
    assert run_flow(credentials.authenticate(REQUEST, noon)).result == first, (
        "another request's refusal invalidates nothing"
    )
    assert credentials.invalidate(first) is True
    second = run_flow(credentials.authenticate(REQUEST, noon), answer(201, TOKEN, x_subject_token="t2")).result
    assert second.headers[-1] == ("X-Auth-Token", "t2")


def test_a_wrong_password_is_an_authentication_error() -> None:
    """IAM's own words, without the password should it repeat it."""
    reply = answer(401, {"error": {"code": 401, "message": "not pass-word", "title": "Unauthorized"}})
    error = run_flow(password_token(IAM, USER, SCOPE).authenticate(REQUEST, noon), reply).error
    assert isinstance(error, AuthenticationError)
    assert (error.code, error.message) == (None, "not ***")


def test_temporary_keys_sign() -> None:
    """Fetched once; they sign requests, and are the keys for OBS too."""
    credentials = metadata_keys("http://meta")
    assert credentials.identity == "the agency of this ECS"
    flow = run_flow(credentials.authenticate(REQUEST, noon), answer(404), answer(200, {"credential": CREDENTIAL}))
    headers = dict(flow.result.headers)
    assert headers["Authorization"].startswith("SDK-HMAC-SHA256 Access=TAK, ")
    assert headers["X-Security-Token"] == "T" * 40
    assert headers["X-Sdk-Date"] == "20260115T120000Z"
    assert run_flow(credentials.keys(noon)).result == AccessKey("TAK", "TSK", "T" * 40)


def test_refused_temporary_keys_are_fetched_again_by_the_next_call() -> None:
    """This call is not repeated: a key that is refused again and again is locked."""
    credentials = metadata_keys("http://meta")
    authenticated = run_flow(
        credentials.authenticate(REQUEST, noon), answer(404), answer(200, {"credential": CREDENTIAL})
    ).result
    assert credentials.invalidate(REQUEST) is False
    assert run_flow(credentials.keys(noon)).result.access_key == "TAK"
    assert credentials.invalidate(authenticated) is False
    other = {"credential": CREDENTIAL | {"access": "NEW"}}
    assert run_flow(credentials.keys(noon), answer(404), answer(200, other)).result.access_key == "NEW"


def test_the_metadata_service_of_an_ecs() -> None:
    """Where every ECS has it."""
    flow = run_flow(metadata_keys().keys(noon), answer(404), answer(200, {"credential": CREDENTIAL}))
    assert flow.requests[0].url == "http://169.254.169.254/meta-data/latest/api/token"


def test_an_agency_is_assumed() -> None:
    """Its identity names the agency and who assumes it; its keys come from IAM."""
    credentials = agency_keys(IAM, KEY, iam.Agency("backup", "other"))
    assert credentials.identity == "agency backup of account other, assumed by access key AK"
    flow = run_flow(credentials.keys(noon), answer(201, {"credential": CREDENTIAL}))
    assert flow.requests[0].operation == "CreateTemporaryAccessKeyByAgency"
    assert flow.result.access_key == "TAK"


def test_an_access_key_is_its_own_identity_and_keys() -> None:
    """Without its secret; the identity of a temporary key shows that it is temporary."""
    temporary = AccessKey("AK", "SK", "ST")
    assert (KEY.identity, temporary.identity) == ("access key AK", "temporary access key AK")
    assert run_flow(temporary.keys(noon)).result is temporary
    assert temporary.invalidate(REQUEST) is False
    assert repr(temporary) == "AccessKey(access_key='AK')"


def test_what_an_access_key_signs_is_secret() -> None:
    """The signature and the security token; nothing of a plain key beside its signature."""
    plain = run_flow(KEY.authenticate(REQUEST, noon)).result
    signature = dict(plain.headers)["Authorization"].rpartition("Signature=")[2]
    assert plain.secrets == (signature,)
    assert [name for name, _ in plain.headers] == ["Host", "User-Agent", "X-Sdk-Date", "Authorization"]
    temporary = run_flow(AccessKey("AK", "SK", "ST").authenticate(REQUEST, noon)).result
    assert temporary.secrets[1:] == ("ST",)
    assert [name for name, _ in temporary.headers][2:] == ["X-Sdk-Date", "X-Security-Token", "Authorization"]


class Clock:
    """A clock that shows the time that it is set to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@pytest.mark.parametrize(
    ("lasts", "early"),
    [(timedelta(hours=24), timedelta(minutes=5)), (timedelta(minutes=10), timedelta(minutes=2))],
)
def test_a_value_is_fetched_again_before_it_ends(lasts: timedelta, early: timedelta) -> None:
    """Five minutes before, or a fifth of a short life."""
    clock, fetched = Clock(), []

    def fetch(now: Any) -> Any:
        yield from ()
        fetched.append(now())
        return Expiring(len(fetched), NOON + lasts)

    cached = Cached(fetch)
    assert run_flow(cached.get(clock)).result == 1
    clock.now = NOON + lasts - early - timedelta(seconds=1)
    assert run_flow(cached.get(clock)).result == 1
    clock.now = NOON + lasts - early
    assert run_flow(cached.get(clock)).result == 2
    assert fetched == [NOON, clock.now]


def test_a_second_one_waits_while_the_first_fetches() -> None:
    """In steps of ten milliseconds, without blocking; it takes what the first fetched."""

    def fetch(_clock: Any) -> Any:
        reply = yield REQUEST
        return Expiring(reply.body, None)

    cached = Cached(fetch)
    first, second = cached.get(noon), cached.get(noon)
    assert next(first) == REQUEST
    assert [next(second).seconds, next(second).seconds] == [0.01, 0.01]  # type: ignore[union-attr]
    with pytest.raises(StopIteration) as stop:
        first.send(answer(200, b"value"))
    assert stop.value.value == b"value"
    with pytest.raises(StopIteration) as stop:
        next(second)
    assert stop.value.value == b"value"


def test_a_failed_fetch_releases_the_lock() -> None:
    """The next call fetches again."""
    credentials = password_token(IAM, USER, SCOPE)
    assert run_flow(credentials.authenticate(REQUEST, noon), answer(500)).error is not None
    assert run_flow(credentials.authenticate(REQUEST, noon), answer(201, TOKEN, x_subject_token="t")).error is None


def test_invalidating_what_was_never_fetched() -> None:
    """It has no effect."""
    Cached(lambda _clock: iter(())).invalidate(lambda _: True)  # type: ignore[arg-type, return-value]
