"""The Airflow connection of type ``dli``: its only list of fields, and the account they give.

No I/O and no Airflow: anything with the attributes of an Airflow connection will do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_provider_dli.client.account import (
    Account,
    checked_endpoint,
    checked_project,
    checked_region,
    default_endpoint,
)
from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.errors import ConfigurationError

CONN_TYPE = "dli"
DEFAULT_CONN_ID = "dli_default"


@dataclass(frozen=True, slots=True)
class ExtraField:
    """One extra of the connection.

    :param label: its label in the connection form
    :param description: what to put there
    :param secret: shown as dots and masked in logs
    """

    label: str
    description: str
    secret: bool = False


EXTRAS: Mapping[str, ExtraField] = {
    "region": ExtraField("Region", "Region id, such as cn-north-4."),
    "project_id": ExtraField("Project ID", "Id of the project in that region: console, My Credentials."),
    "endpoint": ExtraField("DLI endpoint", "Only if it is not https://dli.<region>.myhuaweicloud.com."),
    "obs_endpoint": ExtraField("OBS endpoint", "Only if it is not https://obs.<region>.myhuaweicloud.com."),
    "iam_endpoint": ExtraField("IAM endpoint", "Only if it is not https://iam.<region>.myhuaweicloud.com."),
    "security_token": ExtraField("Security token", "Only with a temporary access key.", secret=True),
}


def conn_fields() -> dict[str, Any]:
    """Describe the extras as ``conn-fields`` of Airflow's connection form (JSON Schema)."""
    return {
        name: {
            "label": extra.label,
            "description": extra.description,
            "schema": {"type": ["string", "null"]} | ({"format": "password"} if extra.secret else {}),
        }
        for name, extra in EXTRAS.items()
    }


def ui_field_behaviour() -> dict[str, Any]:
    """Describe the standard fields as ``ui-field-behaviour`` of Airflow's connection form."""
    return {
        "hidden-fields": ["host", "schema", "port", "extra"],
        "relabeling": {"login": "Access key (AK)", "password": "Secret key (SK)"},
        "placeholders": {},
    }


class AirflowConnection(Protocol):
    """What is read of an Airflow connection."""

    @property
    def login(self) -> str | None:
        """Access key."""
        ...

    @property
    def password(self) -> str | None:
        """Secret key."""
        ...

    @property
    def host(self) -> str | None:
        """Not used."""
        ...

    @property
    def schema(self) -> str | None:
        """Not used."""
        ...

    @property
    def port(self) -> int | None:
        """Not used."""
        ...

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """The extras, decoded."""
        ...


def to_account(connection: AirflowConnection) -> Account:
    """Read a connection.

    :param connection: of type ``dli``
    :raises ConfigurationError: naming the field, if one is missing, unknown or not usable
    """
    _refuse_unused(connection)
    extras = _extras(connection.extra_dejson)
    region = checked_region(_required(extras, "region", "give a region id such as cn-north-4"))
    project_id = _required(extras, "project_id", "copy it from My Credentials in the console")
    return Account(
        region=region,
        project_id=checked_project(project_id),
        credentials=AccessKey(
            _checked_secret("login", connection.login, "the access key (AK)"),
            _checked_secret("password", connection.password, "the secret key (SK)"),
            _checked_secret("security_token", extras["security_token"], "the token")
            if "security_token" in extras
            else None,
        ),
        endpoint=_endpoint(extras, "endpoint", "dli", region),
        obs_endpoint=_endpoint(extras, "obs_endpoint", "obs", region),
        iam_endpoint=_endpoint(extras, "iam_endpoint", "iam", region),
    )


def secrets_of(account: Account) -> list[str]:
    """Return every text of an account that no log may show."""
    keys = account.credentials
    return [secret for secret in (keys.secret_key, keys.security_token) if secret]


def _refuse_unused(connection: AirflowConnection) -> None:
    for name in ("host", "schema", "port"):
        if getattr(connection, name, None):
            raise ConfigurationError(
                name, "is not used by a dli connection", "leave it empty; put a URL into the extra 'endpoint'"
            )


def _extras(given: Mapping[str, Any]) -> dict[str, str]:
    if unknown := sorted(set(given) - set(EXTRAS)):
        raise ConfigurationError(
            f"extra {', '.join(unknown)}", "is unknown to a dli connection", f"known are {', '.join(EXTRAS)}"
        )
    extras = {name: value for name, value in given.items() if value not in (None, "")}
    for name, value in extras.items():
        if not isinstance(value, str):
            raise ConfigurationError(name, f"is a {type(value).__name__}", "give a text")
    # Blanks around a pasted value are never meant.
    return {name: value.strip() for name, value in extras.items() if value.strip()}


def _required(extras: Mapping[str, str], name: str, remedy: str) -> str:
    if name not in extras:
        raise ConfigurationError(name, "is missing from the extras of the connection", remedy)
    return extras[name]


def _checked_secret(name: str, value: str | None, meaning: str) -> str:
    """Check what goes into a header or a key; the message never shows it."""
    stripped = (value or "").strip()
    if not stripped:
        raise ConfigurationError(name, "is empty", f"give {meaning}")
    if not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise ConfigurationError(name, "has blanks, control or non-ASCII characters", f"give {meaning} as issued")
    return stripped


def _endpoint(extras: Mapping[str, str], name: str, service: str, region: str) -> str:
    given = extras.get(name)
    return checked_endpoint(name, given) if given else default_endpoint(service, region)
