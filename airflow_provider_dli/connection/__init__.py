"""From the Airflow connection of type ``dli`` to the account that it describes.

No Airflow, and no I/O but for the file of ``credentials_file``: anything with the attributes of an Airflow
connection will do.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping

from airflow_provider_dli.client import iam
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.exchange import Account, Project, RetryPolicy
from airflow_provider_dli.client.locations import parse_directory
from airflow_provider_dli.client.transport import Network, checked_ca_bundle, parse_proxy, proxy_secrets
from airflow_provider_dli.connection.credentials import (
    Given,
    read_credentials,
    sdk_values,
    secrets_of_machine,
    source_of,
)
from airflow_provider_dli.connection.fields import (
    AirflowConnection,
    Extras,
    checked_endpoint,
    checked_region,
    default_console,
    endpoint,
    host,
)
from airflow_provider_dli.connection_form import SDK_VARIABLES
from airflow_provider_dli.formatting import excerpt

_PROXY_VARIABLES = [
    variable for name in ("https_proxy", "http_proxy", "all_proxy") for variable in (name, name.upper())
]
_WEEK = 604800.0
# Project ids have 32 hexadecimal digits, and no other form is known; a longer one may be a secret key, of 40.
_PROJECT = re.compile(r"[0-9A-Za-z_-]{1,32}|[0-9a-f-]{33,64}")
_KNOWN_PROJECT = re.compile(r"[0-9a-f]{32}|[0-9A-F]{32}|[0-9a-z_-]*")


def to_account(connection: AirflowConnection, environ: Mapping[str, str] = os.environ) -> Account:
    """Return the account of a connection.

    :raises ConfigurationError: naming the field, if one is missing, unknown or not usable
    """
    for name in ("host", "schema", "port"):
        if getattr(connection, name, None):
            raise ConfigurationError(
                name, "is not used by a dli connection", "leave it empty; put a URL into the extra 'endpoint'"
            )
    extras = Extras(connection.extra_dejson)
    region = checked_region(extras.required("region", "give a region id such as cn-north-4"))
    project_id, cloud = extras.string("project_id"), extras.string("cloud")
    values = sdk_values(extras.string("auth_type"), environ)
    if not project_id and values:
        project_id = values["project_id"][1] or None
    if project_id:
        checked_project(project_id)
    named = values.get("iam_endpoint", ("", ""))
    if named[1] and not extras.is_set("iam_endpoint"):
        iam_endpoint = checked_endpoint(named[0], named[1].strip())
    else:
        iam_endpoint = host(extras, "iam_endpoint", "iam", region, cloud)
    scope = iam.Scope(project_id, region)
    credentials = read_credentials(Given(connection, extras, environ, values, region, cloud, iam_endpoint, scope))
    return Account(
        region=region,
        project=Project(project_id, region, iam_endpoint, credentials),
        credentials=credentials,
        endpoint=host(extras, "endpoint", "dli", region, cloud),
        obs_endpoint=host(extras, "obs_endpoint", "obs", region, cloud),
        iam_endpoint=iam_endpoint,
        console=endpoint(extras, "console_endpoint", default_console(region, cloud)),
        bucket=_bucket(extras),
        source=source_of(extras.string("auth_type"), environ, credentials),
        network=_network(extras),
        retry=RetryPolicy(budget=extras.number("retry_budget", 120.0, 0.0, _WEEK)),
    )


def checked_project(project_id: str) -> str:
    """Return ``project_id`` if it can be one.

    :raises ConfigurationError: if it has characters that no project id has, or looks like a secret
    """
    if not _PROJECT.fullmatch(project_id):
        raise ConfigurationError(
            "project_id",
            f"{excerpt(project_id, secret=True)} is not a project id",
            "copy it from My Credentials in the console: 32 hexadecimal digits",
        )
    return project_id


def _bucket(extras: Extras) -> str | None:
    given = extras.string("bucket")
    try:
        return parse_directory("bucket", given).bucket if given else None
    except ConfigurationError as error:
        failure = ConfigurationError(
            "bucket", f"{excerpt(given, secret=True)} is not the name of a bucket", error.remedy
        )
    raise failure


def _network(extras: Extras) -> Network:
    proxy, bundle = extras.string("proxy"), extras.string("ca_bundle")
    trusted = checked_ca_bundle("ca_bundle", bundle) if bundle else True
    if proxy:
        parse_proxy("proxy", proxy)
    return Network(
        verify=not extras.boolean("insecure_skip_verify") and trusted,
        proxy=proxy,
        connect_timeout=extras.number("connect_timeout", 10.0, 0.1, 600.0),
        read_timeout=extras.number("read_timeout", 120.0, 0.1, 3600.0),
        total_timeout=extras.number("total_timeout", 0.0, 0.1, 86400.0) or None,
    )


def secrets_of(connection: AirflowConnection, environ: Mapping[str, str]) -> list[str]:
    """Return every string of a connection that no log may show."""
    # Whatever JSON it is: a connection that cannot be used may hold secrets all the same.
    decoded: object = connection.extra_dejson
    extras = decoded if isinstance(decoded, Mapping) else {}
    given = [connection.password, extras.get("security_token"), extras.get("proxy")]
    for text in (extras.get("proxy"), *(environ.get(name) for name in _PROXY_VARIABLES)):
        given += proxy_secrets(text) if isinstance(text, str) else []
    given += secrets_of_machine(extras.get("auth_type"), environ)
    # A project id of no known form may be a secret in the wrong field, which a service quotes.
    project_id = extras.get("project_id") or environ.get(SDK_VARIABLES["project_id"])
    if isinstance(project_id, str) and not _KNOWN_PROJECT.fullmatch(project_id.strip()):
        given.append(project_id)
    secrets = [secret.strip() for secret in given if isinstance(secret, str)]
    return [secret for secret in dict.fromkeys(secrets) if secret]


def is_json(extra: object) -> bool:
    """Return whether the undecoded extras of a connection are JSON, or empty."""
    if not isinstance(extra, str) or not extra.strip():
        return True
    try:
        json.loads(extra)
    except (ValueError, RecursionError):
        return False
    return True
