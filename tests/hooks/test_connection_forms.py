"""A connection is the same in each form that Airflow keeps or takes it in."""

from __future__ import annotations

import json
from typing import Any

import certifi
import pytest
from airflow.models import Connection

from airflow_provider_dli.compat import Connection as TaskConnection
from airflow_provider_dli.connection import to_account
from airflow_provider_dli.connection.fields import AirflowConnection
from airflow_provider_dli.connection_form import EXTRAS

SECRET = "s/e%c+r&e?t=:@#1"
EXTRA = {
    "region": "eu-de",
    "project_id": "48cc2c48765f481480c7db940d6409d1",
    "auth_type": "password",
    "domain_name": "Konto Süd/1",
    "cloud": "open-telekom-cloud",
    "obs_endpoint": "https://obs.example.com:8443",
    "console_endpoint": "https://console-intl.huaweicloud.com",
    "bucket": "obs-test",
    "ca_bundle": certifi.where(),
    "insecure_skip_verify": False,
    "proxy": "http://user:p%40ss@proxy:3128",
    "connect_timeout": 2.5,
    "read_timeout": 30,
    "total_timeout": 90,
    "retry_budget": 0,
}


# They change with every use, or are compared by their parts.
_NOT_COMPARED = {"project", "credentials", "dli_clock", "obs_clock", "limiter"}


def read(connection: AirflowConnection) -> dict[str, Any]:
    """Return the fields of an account, and the parts of its credentials."""
    account = to_account(connection)
    shown = {name: getattr(account, name) for name in account.__slots__ if name not in _NOT_COMPARED}
    return shown | {
        "project": account.project.given,
        "kind": type(account.credentials).__name__,
        "login": connection.login,
        "password": connection.password,
    }


def from_json(extra: dict[str, Any]) -> Connection:
    """Make the connection of ``AIRFLOW_CONN_…`` as JSON."""
    text = json.dumps({"conn_type": "dli", "login": "ops user", "password": SECRET, "extra": extra})
    return Connection.from_json(text, "dli_default")


def from_form(extra: dict[str, Any]) -> Connection:
    """Make the connection as the UI saves it: each field of the form there, those not filled in empty."""
    filled = {**dict.fromkeys(EXTRAS), **extra}
    return Connection(
        conn_id="dli_default", conn_type="dli", login="ops user", password=SECRET, extra=json.dumps(filled)
    )


@pytest.mark.slow
def test_uri_json_and_form_give_the_same_account() -> None:
    """The URI of one is read as the other, and back."""
    given = from_json(EXTRA)
    uri = given.get_uri()
    again = Connection(conn_id="dli_default", uri=uri)
    assert read(from_form(EXTRA)) == read(given) == read(again)
    assert again.get_uri() == uri
    assert read(Connection.from_json(again.as_json(), "dli_default")) == read(given)
    assert read(TaskConnection.from_json(given.as_json(), "dli_default")) == read(given)


def test_extras_as_plain_strings_of_a_uri_are_understood() -> None:
    """Numbers and booleans are strings there, as people write them by hand."""
    query = "region=eu-de&insecure_skip_verify=true&connect_timeout=2.5&retry_budget=0"
    query += "&obs_endpoint=https%3A%2F%2Fobs.test"
    account = to_account(Connection(conn_id="dli_default", uri=f"dli://AK:SK@/?{query}"))
    assert account.network.verify is False
    assert account.network.connect_timeout == 2.5
    assert account.retry.budget == 0
    assert account.obs_endpoint == "https://obs.test"


NEEDED = {"region": "cn-north-4", "auth_type": "password", "domain_name": "d"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in EXTRAS if name not in NEEDED])
def test_a_field_of_the_form_may_hold_an_empty_string(name: str) -> None:
    """It means the same as a missing field."""
    assert read(from_form({**NEEDED, name: ""})) == read(from_json(NEEDED))
