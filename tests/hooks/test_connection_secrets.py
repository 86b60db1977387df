"""Secrets in the wrong field of a connection, and connections that cannot be read: nothing of them is shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.triggers.flink import FlinkJobsTrigger
from tests.airflow.execution_modes import event_of
from tests.client.test_proxies import chain
from tests.conftest import Connect

SECRETS = {
    "a secret key": "wJalrXUtnFEMIbK7MDENGbPxRfiCYEXAMPLEKEYa",
    "a secret key with slashes": "/Jalr/UtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "an access key": "AKIAIOSFODNN7EXAMPLE",
    "a password": "Tr0ub4dor&3",
    "a password of few characters": "hunt3r2!",
    "a phrase": "correct horse battery staple",
    "a token": "MIIQ" + "Abc1+/" * 15,
    "a URL with a password": "https://ann:Tr0ub4dor&3@host/a",
    "a UUID": "d9b2d63d-a233-4123-847a-5f3c2b1a0e9d",
}
FIELDS = (
    "region",
    "project_id",
    "auth_type",
    "cloud",
    "endpoint",
    "obs_endpoint",
    "iam_endpoint",
    "metadata_endpoint",
    "console_endpoint",
    "bucket",
    "ca_bundle",
    "insecure_skip_verify",
    "connect_timeout",
    "read_timeout",
    "retry_budget",
    "proxy",
    "agency_urn",
    "duration_seconds",
    "sts_endpoint",
)
_OF_OTHERS = {
    "metadata_endpoint": {"auth_type": "metadata"},
    "duration_seconds": {"agency_urn": "iam::1:agency:a"},
    "sts_endpoint": {"agency_urn": "iam::1:agency:a"},
}


def failure_of(act: Callable[[], object]) -> str:
    """Return everything that a failure shows, its causes included; an empty string if there is none."""
    try:
        act()
    except DliException as error:
        return "".join(f"{each} {each!r} {each.__dict__}" for each in chain(error))
    return ""


# Each field with some, and some fields with each: Airflow's masker takes the longer, the more it knows.
_SOME = ("a secret key", "a password", "a URL with a password")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "kind"),
    [(field, kind) for field in FIELDS for kind in SECRETS if kind in _SOME or field in ("region", "project_id")],
)
def test_a_secret_in_the_wrong_field_is_shortened(connect: Connect, field: str, kind: str) -> None:
    """At most four characters of it are shown, with its length; the field is named."""
    secret = SECRETS[kind]
    connect(**_OF_OTHERS.get(field, {}), **{field: secret})
    failure = failure_of(lambda: DliHook().account)
    fits = field == "project_id" and kind in ("an access key", "a UUID")
    fits |= field == "bucket" and kind == "a UUID"
    fits |= field == "proxy" and kind == "a URL with a password"
    assert bool(failure) is not fits or field == "proxy"
    assert secret[:9] not in failure
    assert secret[-9:] not in failure
    assert "Tr0ub4dor" not in failure
    assert not failure or field in failure


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_for_the_name_of_an_extra_is_shortened(connect: Connect, kind: str) -> None:
    """The message mentions a key that was pasted as the name of an extra; a misspelt name is shown in full."""
    connect(**{SECRETS[kind]: "x", "regoin": "cn-north-4"})
    failure = failure_of(lambda: DliHook().account)
    assert "did you mean region?" in failure
    assert "regoin" in failure
    assert SECRETS[kind][:9] not in failure


def test_values_that_are_not_secret_are_still_shown(connect: Connect) -> None:
    """Paths, hosts, and short words: the reader finds the mistake."""
    connect(ca_bundle="/etc/ssl/Our CA/ca.pem")
    assert "'/etc/ssl/Our CA/ca.pem' cannot be used (No such file" in failure_of(lambda: DliHook().account)
    connect(ca_bundle="/no/such/file")
    assert "'/no/such/file' cannot be used (No such file" in failure_of(lambda: DliHook().account)
    connect(endpoint="https://dli.cn-north-4.myhuaweicloud.com:99999")
    assert "'https://dli.cn-north-4.myhuaweicloud.com:99999' is not a URL" in failure_of(lambda: DliHook().account)
    connect(insecure_skip_verify="maybe")
    assert "'maybe' is not a boolean" in failure_of(lambda: DliHook().account)


PASSWORD = "hunter2-secret"
UNREADABLE = {
    "JSON that is cut": f'{{"conn_type": "dli", "password": "{PASSWORD}"',
    "JSON and something more": f'{{"conn_type": "dli", "password": "{PASSWORD}"}} x',
    "an unknown field": f'{{"conn_type": "dli", "passwrd": "{PASSWORD}"}}',
    "a port that is none": f'{{"conn_type": "dli", "port": "{PASSWORD}"}}',
    "a password with a slash": "dli://ak:hunter2/secret@host/",
    "a bracket": f"dli://ak:{PASSWORD}@[host/",
    "extras that are no JSON": json.dumps({"conn_type": "dli", "extra": f"{{{PASSWORD}"}),
    "extras of a URI that are no JSON": f"dli://ak:x@/?__extra__={quote('{' + PASSWORD)}",
    "nothing": "",
    "a bare secret": PASSWORD,
    "a secret in quotes": f'"{PASSWORD}"',
    "a list of a secret": f'["{PASSWORD}"]',
    "null": "null",
}


def sync(conn_id: str) -> object:
    return DliHook(conn_id).account


def within_a_loop(conn_id: str) -> object:
    async def used() -> None:
        async with DliHook(conn_id):
            pass

    return asyncio.run(used())


@pytest.mark.parametrize("how", [sync, within_a_loop])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_connection_that_cannot_be_read(
    how: Callable[[str], object], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Has another error than one that does not exist, shows nothing of it, and is not retried."""
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", UNREADABLE[kind])
    with pytest.raises(DliFailException, match=r"^connection 'broken' cannot be read \(.*\): correct it$"):
        how("broken")
    failure = failure_of(lambda: how("broken"))
    assert "hunter2" not in failure


@pytest.mark.parametrize("how", [sync, within_a_loop])
def test_a_connection_that_does_not_exist(how: Callable[[str], object]) -> None:
    """It may be created later, so that a retry may help."""
    with pytest.raises(DliException, match=r"^connection 'nowhere' does not exist; create it") as caught:
        how("nowhere")
    assert not isinstance(caught.value, DliFailException)


def test_a_trigger_reports_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the words that its task then fails with."""
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", UNREADABLE["JSON that is cut"])
    trigger = FlinkJobsTrigger([1], "running", dli_conn_id="broken", poll_interval=0.05, deadline=9e9)
    payload = asyncio.run(event_of(trigger))
    assert "connection 'broken' cannot be read" in payload["message"]
    assert PASSWORD not in str(payload)
