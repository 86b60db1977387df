"""A secret for the login (access key and secret key swapped): services repeat it when they refuse it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from dli_emulator import Emulator
from tests.client.test_proxies import chain

SECRET = "wJalrXUtnFEMI0K7MDENG0bPxRfiCYEXAMPLEKEY"
PLACE = ObsLocation("exports", "a/b.zip")
USES: dict[str, tuple[str, str, Callable[[], Any]]] = {
    "DLI": ("ShowFlinkJob", "access_key", lambda: DliHook().get_flink_job(100)),
    "DLI on an event loop": (
        "ShowFlinkJob",
        "access_key",
        lambda: asyncio.run(DliHook().arun(flink.show_job(100))),
    ),
    "IAM looks up the project": ("KeystoneListAuthProjects", "access_key", lambda: DliHook().project_id),
    "IAM with a password": (
        "KeystoneCreateUserTokenByPassword",
        "password",
        lambda: DliHook().get_flink_job(100),
    ),
    "OBS by boto3": ("ListObjects", "access_key", lambda: ObsHook().list_keys(ObsLocation("exports", "a"))),
    "OBS by HEAD": ("GetObject", "access_key", lambda: asyncio.run(ObsHook().afind(PLACE))),
}


@pytest.mark.slow
@pytest.mark.parametrize("use", USES)
def test_what_a_service_repeats_of_the_login_is_not_shown(
    dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, use: str
) -> None:
    """In no message, attribute or log; the rest of the service's message is kept."""
    operation, kind, act = USES[use]
    connection = json.loads(dli_emulator.connection(kind, retry_budget=0))
    connection |= {"login": SECRET, "password": "AKIAIOSFODNN7EXAMPLE"}
    # Known to the emulator, so that it comes as far as the scripted refusal.
    dli_emulator.state.keys.add_key(SECRET, connection["password"])
    connection["extra"]["obs_endpoint"] = connection["extra"]["endpoint"]
    if "project" in use:
        del connection["extra"]["project_id"]
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", json.dumps(connection))
    words = f"ak {SECRET} not exist"
    status, code = (403, "InvalidAccessKeyId") if "OBS" in use else (401, "APIGW.0301")
    if operation == "GetObject":  # which a sensor requests to learn why HEAD was refused
        dli_emulator.fault("HeadObject", "error", status=status, code=code, message=words, times=None)
    dli_emulator.fault(operation, "error", status=status, code=code, message=words, times=None)
    with pytest.raises(DliException) as caught:
        act()
    written = "".join(f"{each} {each!r} {each.__dict__}" for each in chain(caught.value)) + caplog.text
    assert SECRET not in written
    assert "ak *** not exist" in written


def test_an_access_key_in_the_sql_of_a_job_stays(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A successful response is unchanged: jobs are compared and promoted as DLI has them."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection())
    key = json.loads(dli_emulator.connection())["login"]
    dli_emulator.state.jobs[100].sql_body = f"with ('access_key' = '{key}')"
    assert DliHook().get_flink_job(100).raw["sql_body"] == f"with ('access_key' = '{key}')"


@pytest.mark.parametrize("use", [use for use in USES if "IAM" not in use])
def test_refused_credentials_name_what_they_are_from(
    dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    """DLI and OBS alike: nobody corrects a login that is not used."""
    operation, _, act = USES[use]
    connection = json.loads(dli_emulator.connection(retry_budget=0))
    variables = {"HUAWEICLOUD_SDK_AK": connection.pop("login"), "HUAWEICLOUD_SDK_SK": connection.pop("password")}
    connection["extra"] |= {"auth_type": "environment", "obs_endpoint": connection["extra"]["endpoint"]}
    for name, value in {**variables, "AIRFLOW_CONN_DLI_DEFAULT": json.dumps(connection)}.items():
        monkeypatch.setenv(name, value)
    status, code = (403, "InvalidAccessKeyId") if "OBS" in use else (401, "APIGW.0301")
    for each in {operation, "HeadObject"} if "OBS" in use else {operation}:
        dli_emulator.fault(each, "error", status=status, code=code, message="no such key", times=None)
    with pytest.raises(DliException, match="Check the environment variables HUAWEICLOUD_SDK_AK") as caught:
        act()
    assert "login" not in str(caught.value)
