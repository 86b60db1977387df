"""From a connection to an account."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from airflow_provider_dli.client.account import Account, Network, Project, RetryPolicy
from airflow_provider_dli.client.credentials import AccessKey, Credentials, iam, metadata
from airflow_provider_dli.client.credentials.iam import agency_keys, password_token, ready_token
from airflow_provider_dli.client.credentials.metadata import metadata_keys
from airflow_provider_dli.client.endpoints import (
    checked_ca_bundle,
    checked_endpoint,
    checked_project,
    checked_region,
    default_console,
    default_endpoint,
)
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.locations import parse_directory
from airflow_provider_dli.client.proxies import parse_proxy, proxy_secrets
from airflow_provider_dli.connection.fields import KEY_VARIABLES, AuthType
from airflow_provider_dli.connection.reading import AirflowConnection, Extras, credential
from airflow_provider_dli.escaping import beginning

_WEEK = 604800.0
_PROXY_VARIABLES = [
    written for name in ("https_proxy", "http_proxy", "all_proxy") for written in (name, name.upper())
]


def to_account(connection: AirflowConnection, environ: Mapping[str, str] = os.environ) -> Account:
    """Read a connection.

    :param connection: of type ``dli``
    :param environ: where authentication ``environment`` looks
    :raises ConfigurationError: naming the field, if one is missing, unknown or not usable
    """
    _refuse_unused(connection)
    extras = Extras(connection.extra_dejson)
    region = checked_region(extras.needed("region", "give a region id such as cn-north-4"))
    project_id = extras.text("project_id") or _project_of_environment(extras, environ)
    if project_id:
        checked_project(project_id)
    iam_endpoint = _endpoint(extras, "iam", region)
    credentials = _credentials(connection, extras, iam_endpoint, iam.Scope(project_id, region), environ)
    credentials = _assumed(extras, iam_endpoint, credentials)
    return Account(
        region=region,
        project=Project(project_id, region, iam_endpoint, credentials),
        credentials=credentials,
        endpoint=_endpoint(extras, "dli", region),
        obs_endpoint=_endpoint(extras, "obs", region),
        iam_endpoint=iam_endpoint,
        console=_console(extras, region),
        bucket=_bucket(extras),
        network=_network(extras),
        retry=RetryPolicy(budget=extras.number("retry_budget", 120.0, 0.0, _WEEK)),
    )


def secrets_of(connection: AirflowConnection, environ: Mapping[str, str]) -> list[str]:
    """Return every text of a connection that no log may show.

    :param connection: of type ``dli``, usable or not
    :param environ: the variables of the environment, from which the keys come if the connection says so
    """
    # Whatever JSON it is: a connection that cannot be used may hold secrets all the same.
    decoded: object = connection.extra_dejson
    extras = decoded if isinstance(decoded, Mapping) else {}
    given = [connection.password, extras.get("security_token"), extras.get("proxy")]
    for text in (extras.get("proxy"), *(environ.get(name) for name in _PROXY_VARIABLES)):
        given += proxy_secrets(text) if isinstance(text, str) else []
    if extras.get("auth_type") == AuthType.ENVIRONMENT:
        given += [environ.get(name) for name in KEY_VARIABLES[1:]]
    secrets = [secret.strip() for secret in given if isinstance(secret, str)]
    return [secret for secret in dict.fromkeys(secrets) if secret]


def _refuse_unused(connection: AirflowConnection) -> None:
    for name in ("host", "schema", "port"):
        if getattr(connection, name, None):
            raise ConfigurationError(
                name, "is not used by a dli connection", "leave it empty; put a URL into the extra 'endpoint'"
            )


def _credentials(
    connection: AirflowConnection, extras: Extras, iam_endpoint: str, scope: iam.Scope, environ: Mapping[str, str]
) -> Credentials:
    makers: dict[str, Callable[[], Credentials]] = {
        AuthType.ACCESS_KEY: lambda: _access_key(connection, extras),
        AuthType.PASSWORD: lambda: password_token(iam_endpoint, _user(connection, extras), scope),
        AuthType.TOKEN: lambda: ready_token(
            iam_endpoint, credential("password", connection.password, "the token", header=True)
        ),
        AuthType.METADATA: lambda: metadata_keys(
            checked_endpoint("metadata_endpoint", extras.text("metadata_endpoint") or metadata.ENDPOINT)
        ),
        AuthType.ENVIRONMENT: lambda: _environment_key(environ),
    }
    return makers[extras.text("auth_type") or AuthType.ACCESS_KEY]()


def _access_key(connection: AirflowConnection, extras: Extras) -> AccessKey:
    token = extras.text("security_token")
    return AccessKey(
        credential("login", connection.login, "the access key (AK)", header=True),
        credential("password", connection.password, "the secret key (SK)", header=True),
        credential("security_token", token, "the token", header=True) if token else None,
    )


def _user(connection: AirflowConnection, extras: Extras) -> iam.User:
    return iam.User(
        credential("login", connection.login, "the name of the IAM user", header=False),
        credential("password", connection.password, "the password of the IAM user", header=False),
        extras.needed("domain_name", "give the name of the account that the IAM user belongs to"),
    )


def _environment_key(environ: Mapping[str, str]) -> AccessKey:
    def variable(name: str) -> str:
        return credential(f"environment variable {name}", environ.get(name), "the key", header=True)

    key_name, secret_name, token_name = KEY_VARIABLES
    token = variable(token_name) if environ.get(token_name) else None
    return AccessKey(variable(key_name), variable(secret_name), token)


def _project_of_environment(extras: Extras, environ: Mapping[str, str]) -> str | None:
    from_environment = extras.text("auth_type") == AuthType.ENVIRONMENT
    return (environ.get("HUAWEICLOUD_SDK_PROJECT_ID") or None) if from_environment else None


def _assumed(extras: Extras, iam_endpoint: str, credentials: Credentials) -> Credentials:
    name, domain = extras.text("agency_name"), extras.text("agency_domain_name")
    if name and domain:
        return agency_keys(iam_endpoint, credentials, iam.Agency(name, domain))
    if name or domain:
        missing = "agency_domain_name" if name else "agency_name"
        raise ConfigurationError(missing, "is missing", "an agency needs its name and the account that gave it")
    return credentials


def _endpoint(extras: Extras, service: str, region: str) -> str:
    name = "endpoint" if service == "dli" else f"{service}_endpoint"
    given = extras.text(name)
    return checked_endpoint(name, given) if given else default_endpoint(service, region, extras.text("cloud"))


def _console(extras: Extras, region: str) -> str | None:
    given = extras.text("console_endpoint")
    return checked_endpoint("console_endpoint", given) if given else default_console(region, extras.text("cloud"))


def _bucket(extras: Extras) -> str | None:
    given = extras.text("bucket")
    try:
        return parse_directory("bucket", given).bucket if given else None
    except ConfigurationError as error:
        failure = ConfigurationError("bucket", f"{beginning(given)} is not the name of a bucket", error.remedy)
    raise failure


def _proxy(given: str) -> str:
    parse_proxy("proxy", given)
    return given


def _network(extras: Extras) -> Network:
    proxy, bundle = extras.text("proxy"), extras.text("ca_bundle")
    trusted = checked_ca_bundle("ca_bundle", bundle) if bundle else True
    return Network(
        verify=extras.truth("verify", default=True) and trusted,
        proxy=_proxy(proxy) if proxy else None,
        connect_timeout=extras.number("connect_timeout", 10.0, 0.1, 600.0),
        read_timeout=extras.number("read_timeout", 120.0, 0.1, 3600.0),
        total_timeout=extras.number("total_timeout", 0.0, 0.1, 86400.0) or None,
    )
