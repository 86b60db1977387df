"""Each kind of credentials, end to end: DLI, IAM and OBS, valid, expired, renewed and refused."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.connection import to_account
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks import base
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator
from dli_emulator.server import KINDS
from dli_emulator.state import DEFAULT_OIDC_AGENCY, DEFAULT_TRUST_AGENCY, Project
from tests.airflow_cli import AirflowCli
from tests.connections import needs_installation
from tests.http_server import HttpHandler, HttpServer

TOKEN = "KeystoneCreateUserTokenByPassword"
KEY = "CreateTemporaryAccessKey"
SECURITY_KEY = "GetSecurityKey"
ASSUME, OIDC = "AssumeAgency", "AssumeAgencyWithOIDC"

Connect = Callable[..., Any]


@pytest.fixture
def connect(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Connect:
    """Return a function that connects with credentials of a kind."""

    def set_connection(kind: str, *, agency: bool = False, **extra: Any) -> Any:
        if kind == "oidc":
            extra["id_token_file"] = str(tmp_path / "id-token")
        connection = dli_emulator.connection(kind, agency=agency, **{"retry_budget": 0, **extra})
        monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)
        return dli_emulator

    return set_connection


def request_counts(emulator: Any) -> Counter[str]:
    """Count the requests of each operation."""
    return Counter(request.operation for request in emulator.requests)


@pytest.mark.slow
@pytest.mark.parametrize("agency", [False, True], ids=["itself", "agency"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_exports_and_verifies(connect: Connect, kind: str, agency: bool) -> None:
    """The project is looked up on the way; temporary keys are requested where OBS needs keys."""
    emulator = connect(kind, agency=agency, project_id=None)
    export = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{emulator.bucket}/kinds")
    archives = export.execute({})
    verify = DliVerifyFlinkExportOperator(task_id="verify", zip_file=archives, timeout=0)
    (report,) = verify.execute({})
    assert report["verified"]
    assert report["entries"] == 26
    assert {request.status for request in emulator.requests} <= {200, 201}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_serves_async_calls(connect: Connect, kind: str) -> None:
    """The same flow, the other driver."""
    connect(kind)
    page = asyncio.run(DliHook().arun(flink.list_jobs({}, limit=1)))
    assert page.total_count == 26


def call_for(hook: DliHook, seconds: float, driver: str) -> int:
    """List jobs again and again; return how often."""
    call = flink.list_jobs({}, limit=1)
    deadline = time.monotonic() + seconds

    def in_turn() -> int:
        count = 0
        while time.monotonic() < deadline:
            hook.run(call)
            count += 1
            time.sleep(0.05)
        return count

    async def in_loop() -> int:
        count = 0
        while time.monotonic() < deadline:
            await hook.arun(call)
            count += 1
            await asyncio.sleep(0.05)
        return count

    return in_turn() if driver == "sync" else asyncio.run(in_loop())


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["sync", "async"])
@pytest.mark.parametrize(
    ("kind", "agency", "renewed"),
    [
        ("password", False, TOKEN),
        ("metadata", False, SECURITY_KEY),
        ("access_key", True, KEY),
        ("oidc", False, OIDC),
    ],
    ids=["password", "metadata", "agency", "oidc"],
)
def test_a_long_task_survives_the_end_of_what_it_started_with(
    connect: Connect,
    kind: str,
    agency: bool,
    renewed: str,
    driver: str,
) -> None:
    """With lives of a second: fetched before each end, and not for each call."""
    emulator = connect(kind, agency=agency)
    emulator.state.keys.token_seconds = emulator.state.keys.key_seconds = 1.0
    calls = call_for(DliHook(), 3.2, driver)
    counts = request_counts(emulator)
    assert counts["ListFlinkJobs"] == calls > 15
    assert 3 <= counts[renewed] <= 6
    assert {request.error_code for request in emulator.requests} == {None}


def test_a_token_that_ends_early_is_renewed_once(connect: Connect) -> None:
    """As after a change of permissions: DLI refuses it, and one new token is fetched."""
    emulator = connect("password")
    hook = DliHook()
    assert len(list(hook.list_flink_jobs())) == 26
    for token in list(emulator.state.keys.tokens.values()):
        emulator.state.keys.tokens[token.value] = type(token)(token.value, token.user, token.issued, 0.0)
    assert hook.get_flink_job(100).job_id == 100
    counts = request_counts(emulator)
    assert (counts[TOKEN], counts["ShowFlinkJob"]) == (2, 2)


def test_an_expired_token_is_reported(connect: Connect) -> None:
    """Nothing renews it, so one request is sent, and the message has advice."""
    emulator = connect("token")
    emulator.state.keys.tokens.clear()
    with pytest.raises(DliFailException, match=r"HTTP 401 APIGW\.0301") as caught:
        DliHook().get_flink_job(100)
    assert "token" in str(caught.value)
    assert request_counts(emulator) == {"ShowFlinkJob": 1}


def test_an_older_metadata_service_is_used_without_a_session(connect: Connect) -> None:
    """Version 1, detected by its response to the request for a session."""
    emulator = connect("metadata")
    emulator.state.settings.metadata_version = 1
    assert DliHook().get_flink_job(100).job_id == 100
    assert request_counts(emulator) == {"GetMetadataToken": 1, SECURITY_KEY: 1, "ShowFlinkJob": 1}


def test_keys_of_the_metadata_service_are_shared_by_dli_and_obs_hooks_calls(connect: Connect) -> None:
    """Requested once by a hook."""
    emulator = connect("metadata")
    hook = ObsHook()
    for _ in range(3):
        assert hook.find(f"{emulator.bucket}/none.zip") is None
    assert request_counts(emulator) == {"GetMetadataToken": 1, SECURITY_KEY: 1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "agency"), [("metadata", False), ("password", False), ("access_key", True)], ids=str
)
def test_reading_from_obs_goes_on_with_fresh_keys(connect: Connect, kind: str, agency: bool) -> None:
    """One client, one open object; its keys end while it is read."""
    emulator = connect(kind, agency=agency)
    emulator.state.keys.key_seconds = 0.6
    emulator.s3.put_object(Bucket=emulator.bucket, Key="a.zip", Body=bytes(range(256)) * 4000)
    hook = ObsHook()
    place = f"{emulator.bucket}/a.zip"
    facts = hook.find(place)
    assert facts
    with hook.open(place, facts) as opened:
        for turn in range(4):
            opened.seek(1000 * turn)
            assert opened.read(3) == bytes((1000 * turn + i) % 256 for i in range(3))
            time.sleep(0.5)
    counts = request_counts(emulator)
    assert counts[KEY] + counts[SECURITY_KEY] >= 2


def test_a_wrong_password_costs_one_request(connect: Connect) -> None:
    """IAM refuses it; nothing is sent to DLI."""
    emulator = connect("password")
    emulator.state.keys.users.clear()
    with pytest.raises(DliFailException, match=rf"{TOKEN}: HTTP 401: The username or password is wrong"):
        DliHook().get_flink_job(100)
    assert request_counts(emulator) == {TOKEN: 1}


def test_an_agency_that_does_not_trust_the_account_is_reported(connect: Connect) -> None:
    """By IAM's words."""
    emulator = connect("access_key", agency=True)
    emulator.state.keys.agencies.clear()
    with pytest.raises(DliFailException, match=r"CreateTemporaryAccessKeyByAgency: HTTP 404: The agency does not"):
        DliHook().get_flink_job(100)
    assert request_counts(emulator) == {KEY: 1}


def test_a_missing_metadata_service_is_reported(connect: Connect) -> None:
    """As nothing that was sent: the task does not run on an ECS."""
    connect("metadata", metadata_endpoint="http://127.0.0.1:9", connect_timeout=0.5)
    with pytest.raises(DliException, match=r"GetMetadataToken: could not reach 127\.0\.0\.1:9"):
        DliHook().get_flink_job(100)


@pytest.mark.parametrize("status", [404, 405, 503])
def test_a_metadata_service_that_gives_no_session(connect: Connect, status: int) -> None:
    """Returns keys without one."""
    emulator = connect("metadata")
    emulator.state.settings.change({"metadata_token_status": status})
    assert DliHook().get_flink_job(100).job_id == 100


def test_an_ecs_without_an_agency_is_reported(connect: Connect) -> None:
    """The message has what to do in the console; the service is requested once."""
    emulator = connect("metadata")
    emulator.state.settings.change({"has_ecs_agency": False})
    with pytest.raises(DliFailException, match="The ECS has no agency: choose one") as caught:
        DliHook().get_flink_job(100)
    assert "Please configure Cloud Service Agency first" in str(caught.value)
    assert request_counts(emulator) == {"GetMetadataToken": 1, SECURITY_KEY: 1}


class PodIdentity(HttpHandler):
    """Hands out keys of the emulator, as the agent on a node of CCE does."""

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        token = self.headers["Authorization"]
        self.server.received.append((self.path, token, sent))
        if token != self.server.token:
            self.begin(401, {})
            return
        key = self.server.keys.issue_key()
        credentials = {
            "access_key_id": key.access_key,
            "secret_access_key": key.secret_key,
            "security_token": key.security_token,
            "expiration": datetime.fromtimestamp(key.expires, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        body = json.dumps({"credentials": credentials}).encode()
        self.begin(200, {"Content-Type": "application/json"}, len(body))
        self.wfile.write(body)


@pytest.fixture
def pod(connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return the server of a node, of which a connection is to use the pod's identity."""
    emulator = connect("metadata", auth_type="pod_identity")
    opened: Any = HttpServer(PodIdentity)
    with opened as server:
        server.keys, server.token, server.received = emulator.state.keys, "the-token", []
        server.file = tmp_path / "token"
        server.file.write_text("the-token\n")
        monkeypatch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/v1/credentials")
        monkeypatch.setenv("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(server.file))
        yield server


def test_a_pod_has_an_identity(pod: Any, dli_emulator: Any) -> None:
    """For DLI and OBS, each key fetched once by a hook; the token is read for each."""
    hook = DliHook()
    assert hook.get_flink_job(100).job_id == 100
    assert hook.get_flink_job(101).job_id == 101
    assert ObsHook().find(f"{dli_emulator.bucket}/none.zip") is None
    assert pod.received == [("/v1/credentials", "the-token", b"{}")] * 2
    assert DliHook().test_connection()[1].startswith("Authenticated as the agency of this pod, project")
    pod.token = "another"
    with pytest.raises(DliFailException, match="GetPodIdentityKey: HTTP 401") as caught:
        DliHook().get_flink_job(100)
    assert "the-token" not in str(caught.value)
    pod.file.write_text("another")
    assert DliHook().get_flink_job(100).job_id == 100


@pytest.mark.slow
def test_a_pod_whose_keys_end_fetches_others(pod: Any) -> None:
    """Before each end."""
    pod.keys.key_seconds = 1.0
    hook, began = DliHook(), time.monotonic()
    while len(pod.received) < 3 and time.monotonic() - began < 30:
        call_for(hook, 0.5, "sync")
    assert len(pod.received) >= 3


def test_a_credentials_file_authenticates(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DLI and OBS; and a hook notices that the file was replaced."""
    emulator = connect("metadata", auth_type="credentials_file", project_id=None)
    file = tmp_path / "credentials"
    profile = f"[basic]\nak={emulator.access_key}\nsk={{}}\nproject_id={emulator.project_id}\n"
    file.write_text(profile.format(emulator.secret_key))
    monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(file))
    hook = DliHook()
    assert hook.get_flink_job(100).job_id == 100
    assert ObsHook().find(f"{emulator.bucket}/none.zip") is None
    assert request_counts(emulator) == {"ShowFlinkJob": 1}
    assert not hook.has_changed()
    file.write_text(profile.format("another"))
    assert hook.has_changed()
    with pytest.raises(DliFailException, match="HTTP 401"):
        DliHook().get_flink_job(100)


def test_a_credentials_file_that_is_replaced_while_it_is_read_has_changed(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key and project are of one reading; what was masked was read before: it is read again the next time."""
    emulator = connect("metadata", auth_type="credentials_file", project_id=None)
    file = tmp_path / "credentials"
    file.write_text("[basic]\nak=old\nsk=old\nproject_id=old\n")
    monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(file))

    def replaced(*arguments: Any) -> Any:
        lines = f"ak={emulator.access_key}\nsk={emulator.secret_key}\nproject_id={emulator.project_id}"
        file.write_text(f"[basic]\n{lines}\n")
        return to_account(*arguments)

    monkeypatch.setattr(base, "to_account", replaced)
    hook = DliHook()
    assert hook.get_flink_job(100).job_id == 100
    assert hook.has_changed()


URN = DEFAULT_TRUST_AGENCY.urn


@pytest.mark.parametrize("kind", ["access_key", "temporary", "password"])
def test_an_agency_is_assumed_by_its_urn(connect: Connect, kind: str) -> None:
    """By a key, a temporary one, or one that IAM issues for a token: for DLI and OBS."""
    emulator = connect(kind, agency_urn=URN, agency_session_name="nightly", duration_seconds=1000)
    hook = DliHook()
    assert hook.get_flink_job(100).job_id == 100
    assert hook.get_flink_job(101).job_id == 101
    assert ObsHook().find(f"{emulator.bucket}/none.zip") is None
    counts = request_counts(emulator)
    assert (counts[ASSUME], counts["ShowFlinkJob"]) == (2, 2), "one exchange by each hook"
    assert f"agency {URN}, assumed by" in hook.test_connection()[1]
    assert asyncio.run(DliHook().arun(flink.show_job(100))).job_id == 100


@pytest.mark.parametrize(
    ("extra", "change", "message"),
    [
        ({"agency_urn": "iam::0:agency:none"}, {}, r"AssumeAgency: HTTP 403 PAP5\.0001: .* Check agency_urn"),
        ({}, {"external_id": "theirs"}, r"AssumeAgency: HTTP 403 PAP5\.0001: .*which external_id"),
        (
            {"duration_seconds": 3600},
            {"max_seconds": 900},
            "AssumeAgency: HTTP 400 .*maximum of the agency, 900.* Correct what the message names",
        ),
    ],
    ids=["unknown", "external id", "duration"],
)
def test_an_agency_that_cannot_be_assumed_is_reported(
    connect: Connect, extra: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    """By the words of STS, with advice; nothing is sent to DLI."""
    emulator = connect("access_key", **{"agency_urn": URN, **extra})
    agency = dataclasses.replace(DEFAULT_TRUST_AGENCY, **change)
    emulator.state.keys.trust_agencies[URN] = agency
    with pytest.raises(DliFailException, match=message):
        DliHook().get_flink_job(100)
    assert request_counts(emulator) == {ASSUME: 1}


def test_a_token_of_an_identity_provider_is_replaced(connect: Connect, tmp_path: Path) -> None:
    """The file is read for each exchange; an expired token is reported, with what to check."""
    emulator = connect("oidc")
    keys, file = emulator.state.keys, tmp_path / "id-token"
    assert DliHook().test_connection()[0]
    before = file.read_text()
    keys.id_tokens.clear()
    with pytest.raises(DliFailException, match=r"AssumeAgencyWithOIDC: HTTP 400 .*still replaced") as caught:
        DliHook().get_flink_job(100)
    assert before not in str(caught.value)
    file.write_text(f"{keys.issue_id_token(DEFAULT_OIDC_AGENCY.provider_urn or '').value}\n")
    assert DliHook().get_flink_job(100).job_id == 100
    file.unlink()
    sent = len(emulator.requests)
    with pytest.raises(DliFailException, match=r"id_token_file: .* cannot be read \(FileNotFoundError"):
        DliHook().get_flink_job(100)
    assert len(emulator.requests) == sent


@needs_installation
def test_airflow_tests_such_connections(
    connect: Connect, cli: AirflowCli, airflow_environ: dict[str, str], tmp_path: Path
) -> None:
    """``airflow connections test`` prints whether an agency can be assumed, and if not, why."""
    output = tmp_path / "output"
    environment = airflow_environ | {"AIRFLOW__CORE__TEST_CONNECTION": "Enabled"}

    def tested() -> str:
        given = environment | {"AIRFLOW_CONN_DLI_DEFAULT": os.environ["AIRFLOW_CONN_DLI_DEFAULT"]}
        cli.run(["connections", "test", "dli_default"], given, output)
        return output.read_text()

    emulator = connect("oidc")
    assert "Connection success!" in tested()
    emulator.state.keys.id_tokens.clear()
    failed = tested()
    assert "Connection failed!" in failed
    assert "invalid oidc id token" in failed
    connect("access_key", agency_urn="iam::0:agency:none")
    assert "Check agency_urn" in tested()
    connect("access_key", agency_urn="agency")
    assert "agency_urn: 'agen" in tested()


@pytest.mark.parametrize("kind", ["environment", "credentials_file"])
def test_a_federated_user_is_named_by_the_sdks_own_settings(
    connect: Connect, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The identity provider comes before a key, as it does there."""
    emulator = connect("metadata", auth_type=kind)
    provider = DEFAULT_OIDC_AGENCY.provider_urn or ""
    token = tmp_path / "token"
    token.write_text(emulator.state.keys.issue_id_token(provider).value)
    values = {"ak": "wrong", "sk": "wrong", "idp_id": provider.rpartition(":")[2], "id_token_file": str(token)}
    file = tmp_path / "credentials"
    file.write_text("\n".join(["[basic]", *(f"{name}={value}" for name, value in values.items())]))
    monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(file))
    if kind == "environment":
        for name, value in values.items():
            monkeypatch.setenv(f"HUAWEICLOUD_SDK_{name.upper()}", value)
    assert DliHook().get_flink_job(100).job_id == 100
    assert ObsHook().find(f"{emulator.bucket}/none.zip") is None
    assert request_counts(emulator) == {"CreateTokenWithIdToken": 2, KEY: 2, "ShowFlinkJob": 1}


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("environment", "HUAWEICLOUD_SDK_SK"),
        ("credentials_file", "the file that HUAWEICLOUD_SDK_CREDENTIALS_FILE"),
    ],
)
def test_a_key_from_elsewhere_that_is_refused_is_named_by_its_place(
    connect: Connect, kind: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Login and password of the connection have no part in it."""
    connect("metadata", auth_type=kind)
    file = tmp_path / "credentials"
    file.write_text("[basic]\nak=AKWRONG\nsk=wrong\n")
    monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "AKWRONG")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", "wrong")
    with pytest.raises(DliFailException, match=f"Check .*{named}") as caught:
        DliHook().get_flink_job(100)
    assert "login" not in str(caught.value)
    assert (caught.value.advice or "") in str(caught.value)


@pytest.mark.parametrize("operation", [ASSUME, OIDC])
@pytest.mark.parametrize(
    ("status", "body", "message", "kind"),
    [
        (401, "{}", "HTTP 401", DliFailException),
        (403, "{}", "HTTP 403", DliFailException),
        (503, "", "HTTP 503", DliException),
        (200, "{broken", "a JSON object was expected", DliException),
        (200, '{"credentials": {}}', "the keys cannot be read: no 'access'", DliException),
    ],
)
def test_a_failing_sts_is_reported(
    connect: Connect, operation: str, status: int, body: str, message: str, kind: type[DliException]
) -> None:
    """With operation and status; nothing is sent to DLI."""
    emulator = connect("oidc") if operation == OIDC else connect("access_key", agency_urn=URN)
    emulator.fault(operation, "reply", status=status, body=body)
    with pytest.raises(kind, match=f"{operation}: .*{message}"):
        DliHook().get_flink_job(100)
    assert request_counts(emulator) == {operation: 1}


def test_an_exchange_is_repeated_where_sts_is_in_trouble(connect: Connect) -> None:
    """As nothing has been sent to DLI yet."""
    emulator = connect("oidc", retry_budget=30)
    emulator.fault(OIDC, "reply", status=503, body="", times=1)
    assert DliHook().get_flink_job(100).job_id == 100
    assert request_counts(emulator) == {OIDC: 2, "ShowFlinkJob": 1}


@pytest.mark.parametrize("code", [403, 500])
def test_a_failing_metadata_service_is_reported(connect: Connect, code: int) -> None:
    """With its status, and not mistaken for an older one."""
    emulator = connect("metadata")
    emulator.fault("GetMetadataToken", "html", status=code)
    with pytest.raises(DliException, match=f"GetMetadataToken: HTTP {code}"):
        DliHook().get_flink_job(100)


@pytest.mark.parametrize(
    ("operation", "body", "problem"),
    [
        (TOKEN, "{}", "the reply has no X-Subject-Token"),
        ("GetSecurityKey", "{}", "the keys cannot be read: no 'access'"),
        ("GetSecurityKey", '{"credential": []}', "the keys cannot be read"),
        (
            "GetSecurityKey",
            '{"credential": {"access": "a", "secret": "b", "securitytoken": "c", "expires_at": "soon"}}',
            "expires_at is not a time: 'soon'",
        ),
        ("GetMetadataToken", "", "the reply is not a session token"),
        ("GetMetadataToken", "a\nb", "the reply is not a session token"),
    ],
)
def test_replies_without_credentials_are_refused(
    connect: Connect, operation: str, body: str, problem: str
) -> None:
    """The message has the problem, and nothing of the reply's content."""
    emulator = connect("password" if operation == TOKEN else "metadata")
    emulator.fault(operation, "reply", status=200, body=body)
    with pytest.raises(DliException, match=f"{operation}: HTTP 200: .*{problem}"):
        DliHook().get_flink_job(100)


@pytest.mark.parametrize("kind", ["access_key", "password"])
def test_the_project_is_looked_up_once(connect: Connect, kind: str) -> None:
    """By the region's name."""
    emulator = connect(kind, project_id=None)
    hook = DliHook()
    assert hook.project_id == emulator.project_id
    hook.get_flink_job(100)
    assert request_counts(emulator)["KeystoneListAuthProjects"] == 1


@pytest.mark.parametrize(
    ("projects", "listed"),
    [
        ([], "0 projects named 'cn-north-4': none"),
        ([("a", "cn-north-4"), ("b", "cn-north-4")], "2 projects .*a.*b"),
    ],
    ids=["none", "several"],
)
def test_a_project_that_is_not_clear_is_an_error_that_lists_them(
    connect: Connect, projects: list[tuple[str, str]], listed: str
) -> None:
    """Nothing is sent to DLI."""
    emulator = connect("access_key", project_id=None)
    emulator.state.projects.clear()
    for number, name in projects:
        # IAM has no two projects of one name, and the emulator adds none.
        emulator.state.projects[number] = Project(number, name, emulator.state.clock)
    with pytest.raises(DliFailException, match=rf"project_id: is not given, and IAM lists not one but {listed}"):
        DliHook().get_flink_job(100)
    assert request_counts(emulator) == {"KeystoneListAuthProjects": 1}


@pytest.mark.parametrize(
    ("kind", "agency", "identity"),
    [
        ("access_key", False, "access key {emulator.access_key}, project {emulator.project_id} in cn-north-4"),
        ("temporary", False, "temporary access key HST"),
        ("password", False, "IAM user emulator-user of account emulator-domain, project"),
        ("token", False, "the bearer of a token, project"),
        ("metadata", False, "the agency of this ECS, project"),
        ("metadata", True, "agency emulator-agency of account granting-domain, assumed by the agency of this ECS"),
    ],
)
def test_the_connection_test_shows_the_identity(connect: Connect, kind: str, agency: bool, identity: str) -> None:
    """In one line, with what one may do."""
    emulator = connect(kind, agency=agency)
    works, message = DliHook().test_connection()
    assert works
    assert message.startswith(f"Authenticated as {identity.format(emulator=emulator)}")
    assert "26 Flink jobs visible" in message
    assert "\n" not in message
