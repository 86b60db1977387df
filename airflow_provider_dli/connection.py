"""From the Airflow connection of type ``dli`` to the account that it describes.

No Airflow, and no I/O but for the file of ``credentials_file``: anything with the attributes of an Airflow
connection will do.
"""

from __future__ import annotations

import configparser
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from airflow_provider_dli.client import iam
from airflow_provider_dli.client.credentials import AccessKey, Credentials
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.exchange import Account, Project, RetryPolicy
from airflow_provider_dli.client.locations import parse_directory
from airflow_provider_dli.client.transport import Network, checked_ca_bundle, parse_proxy, proxy_secrets
from airflow_provider_dli.connection_form import (
    CLOUDS,
    DEFAULT_FILE,
    EXTRAS,
    FILE_VARIABLE,
    KEY_VARIABLES,
    OTHER_HOSTS,
    AuthType,
)
from airflow_provider_dli.formatting import excerpt

T = TypeVar("T")

_PROXY_VARIABLES = [
    variable for name in ("https_proxy", "http_proxy", "all_proxy") for variable in (name, name.upper())
]
_WEEK = 604800.0
_MAX_LENGTH = 4096
# The API gateway takes headers up to 32 KiB, tokens among them.
_MAX_SECRET_LENGTH = 32768
_LIKE_NAME = re.compile(r"[a-z_]{1,30}")
# No region id known is longer than 16; a secret is.
_REGION = re.compile(r"(?=.{1,30}\Z)[a-z0-9]+(-[a-z0-9]+)+")
# Project ids have 32 hexadecimal digits, and no other form is known; a longer one may be a secret key, of 40.
_PROJECT = re.compile(r"[0-9A-Za-z_-]{1,32}|[0-9a-f-]{33,64}")
_KNOWN_PROJECT = re.compile(r"[0-9a-f]{32}|[0-9A-F]{32}|[0-9a-z_-]*")
# Hosts are written in small letters; a secret key is not.
_LIKE_SECRET = re.compile(r"(?=[a-z0-9_+-]*[A-Z])[A-Za-z0-9_+-]{21,}")
_LIKE_URL = re.compile(r"https?://(?=[^/]{1,100}\Z)[A-Za-z0-9-]+(\.[A-Za-z0-9-]*)+(:[0-9]{0,6})?")
# The one region of the European sovereign cloud that Huawei Cloud's own clients know.
_EUROPEAN_REGION = "eu-west-101"
#: cloud -> its console; no page was found that documents the addresses of the others
_CONSOLES: Mapping[str, str] = {"huaweicloud": "https://console.huaweicloud.com"}


class AirflowConnection(Protocol):
    """What is read of an Airflow connection."""

    login: str | None
    password: str | None
    host: Any
    schema: Any
    port: Any

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """The extras, decoded."""
        ...


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
    project_id, auth_type = extras.string("project_id"), extras.string("auth_type")
    if not project_id and auth_type == AuthType.ENVIRONMENT:
        project_id = environ.get("HUAWEICLOUD_SDK_PROJECT_ID") or None
    file = profile(environ) if auth_type == AuthType.CREDENTIALS_FILE else None
    if not project_id and file:
        project_id = file.get("project_id") or None
    if project_id:
        checked_project(project_id)
    cloud = extras.string("cloud")
    iam_endpoint = _host(extras, "iam_endpoint", "iam", region, cloud)
    if file is None:
        credentials = _credentials(connection, extras, iam_endpoint, iam.Scope(project_id, region), environ)
    else:
        credentials = _key_of_file(file, _file_name(environ))
    credentials = _of_agency(extras, iam_endpoint, credentials)
    return Account(
        region=region,
        project=Project(project_id, region, iam_endpoint, credentials),
        credentials=credentials,
        endpoint=_host(extras, "endpoint", "dli", region, cloud),
        obs_endpoint=_host(extras, "obs_endpoint", "obs", region, cloud),
        iam_endpoint=iam_endpoint,
        console=_endpoint(extras, "console_endpoint", default_console(region, cloud)),
        bucket=_bucket(extras),
        network=_network(extras),
        retry=RetryPolicy(budget=extras.number("retry_budget", 120.0, 0.0, _WEEK)),
    )


def _credentials(
    connection: AirflowConnection, extras: Extras, iam_endpoint: str, scope: iam.Scope, environ: Mapping[str, str]
) -> Credentials:
    auth_type = extras.string("auth_type") or AuthType.ACCESS_KEY
    if auth_type == AuthType.PASSWORD:
        user = iam.User(
            credential("login", connection.login, "the name of the IAM user", header=False),
            credential("password", connection.password, "the password of the IAM user", header=False),
            extras.required("domain_name", "give the name of the account that the IAM user belongs to"),
        )
        return iam.password_token(iam_endpoint, user, scope)
    if auth_type == AuthType.TOKEN:
        return iam.ready_token(iam_endpoint, credential("password", connection.password, "the token", header=True))
    if auth_type != AuthType.ACCESS_KEY:
        return _of_machine(auth_type, extras, environ)
    token = extras.string("security_token")
    return AccessKey(
        credential("login", connection.login, "the access key (AK)", header=True),
        credential("password", connection.password, "the secret key (SK)", header=True),
        credential("security_token", token, "the token", header=True) if token else None,
    )


def _of_machine(auth_type: str, extras: Extras, environ: Mapping[str, str]) -> Credentials:
    """Return the credentials that the machine has on which the task runs."""
    if auth_type == AuthType.METADATA:
        return iam.metadata_keys(_endpoint(extras, "metadata_endpoint", iam.METADATA_ENDPOINT))
    if auth_type == AuthType.POD_IDENTITY:
        return iam.pod_keys(*_pod(environ))
    return _key_of_environment(environ)


def _key_of_environment(environ: Mapping[str, str]) -> AccessKey:
    def variable(name: str) -> str:
        return credential(f"environment variable {name}", environ.get(name), "the key", header=True)

    key_name, secret_name, token_name = KEY_VARIABLES
    token = variable(token_name) if environ.get(token_name) else None
    return AccessKey(variable(key_name), variable(secret_name), token)


def _key_of_file(given: Mapping[str, str], where: str) -> AccessKey:
    def value(name: str) -> str:
        return credential(f"{name} in {where}", given.get(name), "the key", header=True)

    return AccessKey(value("ak"), value("sk"), value("security_token") if given.get("security_token") else None)


def profile(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the section ``[basic]`` of the credentials file of Huawei Cloud's own SDKs.

    :raises ConfigurationError: if the file cannot be read, or has no such section; nothing of it is shown
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(Path(environ.get(FILE_VARIABLE) or DEFAULT_FILE).expanduser().read_text("utf-8"))
        return dict(parser["basic"])
    except (OSError, ValueError, RuntimeError, configparser.Error, KeyError) as error:
        problem = f"cannot be read ({type(error).__name__})"
    raise ConfigurationError(_file_name(environ), problem, "give an INI file with ak and sk below [basic]")


def _file_name(environ: Mapping[str, str]) -> str:
    return f"the file that {FILE_VARIABLE} names" if environ.get(FILE_VARIABLE) else DEFAULT_FILE


def _pod(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return where keys of this pod are had, and the path of its token."""
    url, path = (environ.get(name, "").strip() for name in iam.POD_VARIABLES)
    remedy = "run the task in a pod of CCE that has an agency, or use another auth_type"
    for name, value in zip(iam.POD_VARIABLES, (url, path), strict=True):
        if not value:
            raise ConfigurationError(f"environment variable {name}", "is not set", remedy)
    field = f"environment variable {iam.POD_VARIABLES[0]}"
    scheme, _, rest = url.partition("://")
    host, _, way = rest.partition("/")
    checked_endpoint(field, f"{scheme}://{host}")
    if not way.isascii() or not way.isprintable() or " " in way:
        raise ConfigurationError(field, "has characters that no URL has", remedy)
    return url, path


def _of_agency(extras: Extras, iam_endpoint: str, credentials: Credentials) -> Credentials:
    name, domain = extras.string("agency_name"), extras.string("agency_domain_name")
    if name and domain:
        return iam.agency_keys(iam_endpoint, credentials, iam.Agency(name, domain))
    if name or domain:
        missing = "agency_domain_name" if name else "agency_name"
        raise ConfigurationError(missing, "is missing", "an agency needs its name and the account that gave it")
    return credentials


def _endpoint(extras: Extras, name: str, default: T) -> str | T:
    given = extras.string(name)
    return checked_endpoint(name, given) if given else default


def _host(extras: Extras, name: str, service: str, region: str, cloud: str | None) -> str:
    if given := extras.string(name):
        return checked_endpoint(name, given)
    found = default_endpoint(service, region, cloud)
    if found is None:
        raise ConfigurationError(
            name, f"is missing, and no source names the host of {service.upper()} in {region}", "give its URL"
        )
    return found


def default_endpoint(service: str, region: str, cloud: str | None = None) -> str | None:
    """Return the base URL of a service in a region; of one of :data:`CLOUDS`, by default the region's.

    None if it does not follow the pattern and is not known.
    """
    cloud = cloud or _cloud_of(region)
    hosts = OTHER_HOSTS.get((cloud, region), {})
    return hosts[service] if service in hosts else CLOUDS[cloud].format(service=service, region=region)


def default_console(region: str, cloud: str | None = None) -> str | None:
    """Return the base URL of the console of a cloud; None if it is not known."""
    return _CONSOLES.get(cloud or _cloud_of(region))


def _cloud_of(region: str) -> str:
    return "huaweicloud-eu" if region == _EUROPEAN_REGION else "huaweicloud"


def checked_region(region: str) -> str:
    """Return ``region`` if it can be one.

    :raises ConfigurationError: if it is a URL, empty, or has characters that no region id has
    """
    if not _REGION.fullmatch(region):
        raise ConfigurationError(
            "region", f"{excerpt(region, secret=True)} is not a region id", "give one such as cn-north-4"
        )
    return region


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


def checked_endpoint(field: str, url: str) -> str:
    """Return the base URL without a slash at its end.

    :raises ConfigurationError: if it has no scheme or host, has a path, query or user of its own, or a host that
        looks like a secret
    """
    remedy = "give scheme and host, such as https://dli.cn-north-4.myhuaweicloud.com"
    shown = "" if "@" in url else f"{_shown_url(url)} "
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigurationError(field, f"{shown}has characters that no URL has", remedy)
    if _LIKE_SECRET.search(url):
        raise ConfigurationError(field, f"{shown}has a long word with capitals, like a secret", remedy)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError(field, f"{shown}is not a URL with a port from 1 to 65535", remedy) from None
    if port == 0:
        raise ConfigurationError(field, f"{shown}has port 0, which nothing listens on", remedy)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(field, f"{shown}has no scheme http:// or https:// and host", remedy)
    try:
        parts.hostname.encode("idna")
    except UnicodeError:
        problem = f"{shown}has a host with a part that is empty or too long"
        raise ConfigurationError(field, problem, remedy) from None
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(field, "has more than scheme, host and port", remedy)
    return f"{parts.scheme}://{parts.netloc}"


def _shown_url(url: str) -> str:
    """Quote what looks like scheme and host; of anything else only the beginning, for it may be a secret."""
    if _LIKE_URL.fullmatch(url) and not _LIKE_SECRET.search(url):
        return f"'{url}'"
    scheme, slashes, rest = url.partition("://")
    if slashes and scheme in ("http", "https"):
        return f"{scheme}:// and then {excerpt(rest, secret=True)}"
    return excerpt(url, secret=True)


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


class Extras:
    """The extras that are set; a field left empty in the form is not.

    :param given: as Airflow decodes them
    :raises ConfigurationError: if they are not a mapping, and naming those that are unknown
    """

    def __init__(self, given: object) -> None:
        if not isinstance(given, Mapping):
            raise ConfigurationError("extra", f"is a {type(given).__name__}", "give a JSON object of fields")
        if unknown := sorted(str(name) for name in set(given) - set(EXTRAS)):
            close = [name for each in unknown for name in get_close_matches(each, EXTRAS, 1)]
            hint = f"did you mean {', '.join(close)}? " if close else ""
            raise ConfigurationError(
                f"extra {', '.join(map(_shown_name, unknown[:5]))}",
                "is not a valid extra of a dli connection",
                f"{hint}valid are {', '.join(EXTRAS)}",
            )
        self._set = {name: value for name, value in given.items() if value is not None}

    def string(self, name: str) -> str | None:
        """Return a string without white space around it (a pasted value has some), or None.

        :raises ConfigurationError: if it is not a string, none of its choices, or has what no field may hold
        """
        value = self._set.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise ConfigurationError(name, f"is a {type(value).__name__}", "give a string")
        stripped, field = value.strip(), EXTRAS[name]
        if field.choices and stripped and stripped not in field.choices:
            raise ConfigurationError(
                name,
                f"{excerpt(stripped, secret=True)} is not a valid choice",
                f"give one of {', '.join(field.choices)}",
            )
        longest = _MAX_SECRET_LENGTH if field.secret else _MAX_LENGTH
        return _checked_string(name, stripped, longest, secret=field.secret) if stripped else None

    def required(self, name: str, remedy: str) -> str:
        """Return a string that must be set.

        :raises ConfigurationError: if it is not set, or as for :meth:`string`
        """
        value = self.string(name)
        if value is None:
            raise ConfigurationError(name, "is missing from the extras of the connection", remedy)
        return value

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """Return a number, given as such or as a string.

        :raises ConfigurationError: if it is not a number, or out of these bounds
        """
        value = self._set.get(name)
        if value is None or value == "":
            return default
        try:
            number = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        if not least <= number <= most:
            raise ConfigurationError(
                name, f"{excerpt(value, secret=True)} is not valid", f"give {least:g} to {most:g} seconds"
            )
        return number

    def boolean(self, name: str) -> bool:
        """Return a boolean, given as such or as a string; False if it is not set.

        :raises ConfigurationError: if it is not one
        """
        value = self._set.get(name)
        text = "false" if value is None or value == "" else str(value).strip().lower()
        if text not in ("true", "false"):
            raise ConfigurationError(name, f"{excerpt(value, secret=True)} is not a boolean", "give true or false")
        return text == "true"


def _shown_name(name: str) -> str:
    """Return the name of an extra; of anything else only the beginning, for it may be a secret."""
    is_name = _LIKE_NAME.fullmatch(name) or get_close_matches(name, EXTRAS, 1)
    return name if is_name else excerpt(name, secret=True)


def credential(name: str, value: str | None, meaning: str, *, header: bool) -> str:
    """Return login or password; the message never shows it.

    :raises ConfigurationError: naming the field, if it is empty or not valid
    """
    stripped = (value or "").strip()
    if not stripped:
        raise ConfigurationError(name, "is empty", f"give {meaning}")
    _checked_string(name, stripped, _MAX_SECRET_LENGTH, secret=True)
    if header and (not stripped.isascii() or " " in stripped):
        raise ConfigurationError(name, "has spaces or non-ASCII characters", f"give {meaning} as issued")
    return stripped


def _checked_string(name: str, value: str, longest: int, *, secret: bool) -> str:
    """Refuse control characters, and more text than makes sense."""
    if len(value) > longest:
        raise ConfigurationError(name, f"is {len(value):,} characters long", f"give at most {longest:,}")
    if not value.isprintable():
        shown = "" if secret else f"{excerpt(value, secret=True)} "
        raise ConfigurationError(name, f"{shown}has control characters", "give the value without them")
    return value


def secrets_of(connection: AirflowConnection, environ: Mapping[str, str]) -> list[str]:
    """Return every string of a connection that no log may show."""
    # Whatever JSON it is: a connection that cannot be used may hold secrets all the same.
    decoded: object = connection.extra_dejson
    extras = decoded if isinstance(decoded, Mapping) else {}
    given = [connection.password, extras.get("security_token"), extras.get("proxy")]
    for text in (extras.get("proxy"), *(environ.get(name) for name in _PROXY_VARIABLES)):
        given += proxy_secrets(text) if isinstance(text, str) else []
    if extras.get("auth_type") == AuthType.ENVIRONMENT:
        given += [environ.get(name) for name in KEY_VARIABLES[1:]]
    if extras.get("auth_type") == AuthType.CREDENTIALS_FILE:
        with suppress(ConfigurationError):  # reported where the key is read
            given += [profile(environ).get(name) for name in ("sk", "security_token")]
    # A project id of no known form may be a secret in the wrong field, which a service quotes.
    project_id = extras.get("project_id") or environ.get("HUAWEICLOUD_SDK_PROJECT_ID")
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
