"""STS and federation: keys of an agency by its URN, and keys for a token of OpenID Connect."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkcore.auth.provider import (  # type: ignore[import-untyped]  # it has no types
    EnvCredentialProvider,
    OidcStsCredentialProvider,
)
from huaweicloudsdkdli.v1 import DliClient, ListFlinkJobsRequest  # type: ignore[import-untyped]  # likewise

from api_client import ApiClient, Clock, Response
from dli_emulator.keys import IdToken, TrustAgency
from dli_emulator.state import DEFAULT_OIDC_AGENCY, DEFAULT_TRUST_AGENCY

ASSUME = "/v5/agencies/assume"
SESSION = {"agency_urn": DEFAULT_TRUST_AGENCY.urn, "agency_session_name": "nightly"}
PROVIDER = DEFAULT_OIDC_AGENCY.provider_urn or ""


def assume(api: ApiClient, **changes: Any) -> Response:
    """Assume an agency with the account's key."""
    return api.request("POST", ASSUME, SESSION | changes)


def post(api: ApiClient, path: str, body: Any, **headers: str) -> Response:
    """Send a request without a signature."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.send("POST", path, {"Content-Type": "application/json", **named}, json.dumps(body).encode())


def with_oidc(api: ApiClient, token: IdToken, **changes: Any) -> Response:
    """Assume an agency with a token of the identity provider."""
    body = {
        "agency_urn": DEFAULT_OIDC_AGENCY.urn,
        "agency_session_name": "nightly",
        "provider_urn": PROVIDER,
        "id_token": token.value,
    }
    return post(api, f"{ASSUME}-with-oidc", body | changes)


def jobs_of(api: ApiClient, credentials: dict[str, str]) -> Response:
    """List jobs with the keys of an agency."""
    key = (credentials["access_key_id"], credentials["secret_access_key"])
    target = f"/v1.0/{api.emulator.project_id}/streaming/jobs"
    return api.request_with_token(target, key, credentials["security_token"])


def test_a_key_assumes_an_agency(made: Any, clock: Clock) -> None:
    """For an hour by default; the keys open DLI until then."""
    ours = made(clock=clock)
    answer = assume(ours)
    assert answer.status == 200
    session = answer.body["assumed_agency"]["urn"]
    assert session.startswith("sts::")
    assert session.endswith(":assumed-agency:emulator-agency/nightly")
    credentials = answer.body["credentials"]
    assert set(credentials) == {"access_key_id", "secret_access_key", "security_token", "expiration"}
    assert jobs_of(ours, credentials).status == 200
    clock.now += 3600
    assert jobs_of(ours, credentials).error == (401, "APIGW.0301")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"agency_urn": "iam::0:agency:none"}, (403, "PAP5.0001")),
        ({"agency_urn": DEFAULT_OIDC_AGENCY.urn}, (403, "PAP5.0001")),
        ({"agency_urn": 7}, (400, "STS5.1001")),
        ({"agency_session_name": "a"}, (400, "STS5.1001")),
        ({"duration_seconds": 899}, (400, "STS5.1001")),
        ({"duration_seconds": 43201}, (400, "STS5.1001")),
        ({"duration_seconds": "900"}, (400, "STS5.1001")),
        ({"domain_name": "x"}, (400, "STS5.1001")),
    ],
    ids=str,
)
def test_what_assumes_no_agency(api: ApiClient, changes: dict[str, Any], refusal: tuple[int, str]) -> None:
    """With code, message and request id, as version 5 of IAM has them."""
    answer = assume(api, **changes)
    assert answer.error == refusal
    assert answer.body["request_id"]


def test_only_who_is_trusted_and_signs(api: ApiClient) -> None:
    """A token does not sign; external id and maximum duration are the agency's; a user needs the action."""
    keys = api.emulator.state.keys
    token = keys.issue_token(api.emulator.state.administrator).value
    assert post(api, ASSUME, SESSION, X_Auth_Token=token).error == (401, "APIGW.0301")
    keys.trust_agencies[DEFAULT_TRUST_AGENCY.urn] = replace(
        DEFAULT_TRUST_AGENCY, external_id="ours", max_seconds=3600
    )
    assert assume(api).error == (403, "PAP5.0001")
    assert assume(api, external_id="ours").status == 200
    assert assume(api, external_id="ours", duration_seconds=3601).error == (400, "STS5.1001")
    api.emulator.state.add_user("ann")
    key = keys.key_of("ann")
    answer = api.request("POST", ASSUME, SESSION, (key.access_key, key.secret_key))
    assert answer.error == (403, "PAP5.0001")
    assert answer.body["encoded_authorization_message"]


def test_a_temporary_key_assumes_an_agency_for_an_hour_at_most(api: ApiClient) -> None:
    """And what it assumes acts as the user of that agency."""
    state = api.emulator.state
    state.add_user("ann")
    urn = "iam::0:agency:ann"
    state.keys.trust_agencies[urn] = TrustAgency(urn, user="ann")
    temporary = state.keys.issue_key()
    key = (temporary.access_key, temporary.secret_key)

    def chained(seconds: int) -> Response:
        body = {**SESSION, "agency_urn": urn, "duration_seconds": seconds}
        return api.request_with_token(ASSUME, key, temporary.security_token or "", body)

    assert chained(3601).error == (400, "STS5.1001")
    assert jobs_of(api, chained(3600).body["credentials"]).error == (403, "APIGW.0302")


def test_a_token_of_an_identity_provider_assumes_an_agency(made: Any, clock: Clock) -> None:
    """While it lives, of that provider and about that subject."""
    ours = made(clock=clock)
    keys = ours.emulator.state.keys
    token = keys.issue_id_token(PROVIDER, seconds=600)
    answer = with_oidc(ours, token)
    assert (answer.status, answer.body["subject_from_id_token"]) == (200, "airflow")
    assert jobs_of(ours, answer.body["credentials"]).status == 200
    assert with_oidc(ours, token, provider_urn="iam::0:oidcProvider:x").error == (400, "STS5.1004")
    assert with_oidc(ours, token, agency_urn=DEFAULT_TRUST_AGENCY.urn).error == (403, "PAP5.0001")
    keys.trust_agencies[DEFAULT_OIDC_AGENCY.urn] = replace(DEFAULT_OIDC_AGENCY, subject="another")
    assert with_oidc(ours, token).error == (403, "PAP5.0001")
    clock.now += 600
    assert with_oidc(ours, token).error == (400, "STS5.1004")


def test_the_official_client_assumes_an_agency_with_a_token(
    api: ApiClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the variables that it reads: STS of version 5, and the older federation of IAM."""
    file = tmp_path / "token"
    file.write_text(api.emulator.state.keys.issue_id_token(PROVIDER).value)
    for name, value in {
        "OIDC_PROVIDER_URN": PROVIDER,
        "OIDC_AGENCY_URN": DEFAULT_OIDC_AGENCY.urn,
        "OIDC_TOKEN_FILE": str(file),
        "SDK_STS_ENDPOINT": api.emulator.iam,
        "SDK_IAM_ENDPOINT": api.emulator.iam,
        "SDK_IDP_ID": PROVIDER.rpartition(":")[2],
        "SDK_ID_TOKEN_FILE": str(file),
        "SDK_PROJECT_ID": api.emulator.project_id,
    }.items():
        monkeypatch.setenv(f"HUAWEICLOUD_{name}", value)
    for provider in (OidcStsCredentialProvider.get_basic(), EnvCredentialProvider.get_basic()):
        credentials = provider.get_credentials()
        client = DliClient.new_builder().with_credentials(credentials).with_endpoint(api.emulator.dli).build()
        assert client.list_flink_jobs(ListFlinkJobsRequest(limit=1)).job_list.total_count == 26
    assert [request.operation for request in api.emulator.requests] == [
        "AssumeAgencyWithOIDC",
        "ListFlinkJobs",
        "CreateTokenWithIdToken",
        "CreateTemporaryAccessKey",
        "ListFlinkJobs",
    ]


@pytest.mark.parametrize(
    ("body", "provider", "status"),
    [
        ({}, "emulator-idp", 400),
        ({"auth": {"id_token": {"id": "eyJ.eyJ.x"}}}, "emulator-idp", 401),
        (None, "another", 401),
    ],
)
def test_a_federation_that_gives_no_token(api: ApiClient, body: Any, provider: str, status: int) -> None:
    """In IAM's own shape."""
    value = api.emulator.state.keys.issue_id_token(PROVIDER).value
    body = {"auth": {"id_token": {"id": value}}} if body is None else body
    answer = post(api, "/v3.0/OS-AUTH/id-token/tokens", body, X_Idp_Id=provider)
    assert (answer.status, answer.body["error"]["code"]) == (status, status)


def test_a_connection_with_a_token_needs_a_file(api: ApiClient, tmp_path: Path) -> None:
    """Into which the token is written; a user's permissions are then those of the agency."""
    with pytest.raises(ValueError, match="id_token_file is required with oidc"):
        api.emulator.connection("oidc")
    api.emulator.state.add_user("ann")
    file = tmp_path / "token"
    extra = json.loads(api.emulator.connection("oidc", user="ann", id_token_file=str(file)))["extra"]
    assert (extra["auth_type"], extra["agency_urn"]) == ("oidc", DEFAULT_OIDC_AGENCY.urn)
    credentials = with_oidc(api, api.emulator.state.keys.id_tokens[file.read_text()]).body["credentials"]
    assert jobs_of(api, credentials).error == (403, "APIGW.0302")
