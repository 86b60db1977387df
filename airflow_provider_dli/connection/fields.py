"""The fields of a connection, each checked, and the hosts that serve a region where no field names one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.iam import METADATA_ENDPOINT
from airflow_provider_dli.client.regions import nearest_region
from airflow_provider_dli.connection_form import CLOUDS, EXTRAS, OTHER_HOSTS, STS_REGIONS
from airflow_provider_dli.formatting import escaped, excerpt

T = TypeVar("T")

_MAX_LENGTH = 4096
# The API gateway takes headers up to 32 KiB, tokens among them.
_MAX_SECRET_LENGTH = 32768
# In digits: not 1e4, nor the digits of other scripts, which Python's own float takes.
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?|-?\.[0-9]+")
_LIKE_NAME = re.compile(r"[a-z_]{1,30}")
# No region id known is longer than 16; a secret is.
_REGION = re.compile(r"(?=.{1,30}\Z)[a-z0-9]+(-[a-z0-9]+)+")
# Hosts are written in small letters; a secret key is not.
_LIKE_SECRET = re.compile(r"(?=[a-z0-9_+-]*[A-Z])[A-Za-z0-9_+-]{21,}")
_LIKE_URL = re.compile(r"https?://(?=[^/]{1,100}\Z)[A-Za-z0-9-]+(\.[A-Za-z0-9-]*)+(:[0-9]{0,6})?")
# The one region of the European sovereign cloud that Huawei Cloud's own clients know.
_EUROPEAN_REGION = "eu-west-101"
#: cloud -> its console; no page was found that documents the addresses of the others
_CONSOLES: Mapping[str, str] = {"huaweicloud": "https://console.huaweicloud.com"}

_EXAMPLE = "https://dli.cn-north-4.myhuaweicloud.com"
#: part of the name of a field or variable in small letters -> a URL for it
_EXAMPLES: Mapping[str, str] = {
    **{f"{service}_endpoint": _EXAMPLE.replace("dli", service, 1) for service in ("iam", "obs", "sts")},
    "console_endpoint": _CONSOLES["huaweicloud"],
    "metadata_endpoint": METADATA_ENDPOINT,
    "hc_container": METADATA_ENDPOINT,
}


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
            close = get_close_matches(stripped.lower(), field.choices, 1)
            shown = f"'{escaped(stripped)}'" if close else excerpt(stripped, secret=True)
            hint = f"did you mean {close[0]}? " if close else ""
            raise ConfigurationError(
                name, f"{shown} is not a valid choice", f"{hint}give one of {', '.join(field.choices)}"
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

    def is_set(self, name: str) -> bool:
        """Return whether it is given, and not empty."""
        return bool(self.text(name))

    def text(self, name: str) -> str:
        """Return it as a string, whatever it is; empty if it is not set."""
        value = self._set.get(name)
        return "" if value is None else str(value).strip()

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """Return a number, given as such or as a string.

        :raises ConfigurationError: if it is not a number, or out of these bounds
        """
        value = self._set.get(name)
        return default if value is None or value == "" else checked_number(name, value, least, most)

    def boolean(self, name: str) -> bool:
        """Return a boolean, given as such or as a string; False if it is not set.

        :raises ConfigurationError: if it is not one
        """
        value = self._set.get(name)
        text = "false" if value is None or value == "" else str(value).strip().lower()
        if text not in ("true", "false"):
            raise ConfigurationError(name, f"{excerpt(value, secret=True)} is not a boolean", "give true or false")
        return text == "true"


def checked_number(name: str, value: Any, least: float, most: float) -> float:  # noqa: ANN401 -- whatever is given
    """Return a number of seconds.

    :raises ConfigurationError: if it is not a number, or out of these bounds
    """
    try:
        is_written = not isinstance(value, str) or _NUMBER.fullmatch(value.strip())
        number = float("nan") if isinstance(value, bool) or not is_written else float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not least <= number <= most:
        raise ConfigurationError(
            name, f"{excerpt(value, secret=True)} is not valid", f"give {least:g} to {most:g} seconds"
        )
    return number


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


def endpoint(extras: Extras, name: str, default: T) -> str | T:
    """Return the base URL that is given, or the default."""
    given = extras.string(name)
    return checked_endpoint(name, given) if given else default


def host(
    extras: Extras, name: str, service: str, region: str, cloud: str | None, remedy: str = "give its URL"
) -> str:
    """Return the base URL of a service that is given, or else the one that follows from the region.

    :raises ConfigurationError: if it is not valid, or none is known
    """
    if given := extras.string(name):
        return checked_endpoint(name, given)
    found = default_endpoint(service, region, cloud)
    if found is None:
        raise ConfigurationError(
            name, f"is missing, and no source names the host of {service.upper()} in {region}", remedy
        )
    return found


def default_endpoint(service: str, region: str, cloud: str | None = None) -> str | None:
    """Return the base URL of a service in a region; of one of :data:`CLOUDS`, by default the region's.

    None if it does not follow the pattern and is not known.
    """
    cloud = cloud or _cloud_of(region)
    if service == "sts" and (cloud != "huaweicloud" or region not in STS_REGIONS):
        return None
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
        # What is like a region is one; of anything else only the beginning is shown, for it may be a secret.
        nearest = nearest_region(region)
        shown = f"'{escaped(region)}'" if nearest else excerpt(region, secret=True)
        hint = f"did you mean {nearest}? " if nearest else ""
        raise ConfigurationError("region", f"{shown} is not a region id", f"{hint}give one such as cn-north-4")
    return region


def checked_endpoint(field: str, url: str) -> str:
    """Return the base URL without a slash at its end.

    :raises ConfigurationError: if it has no scheme or host, has a path, query or user of its own, or a host that
        looks like a secret
    """
    example = next((each for name, each in _EXAMPLES.items() if name in field.lower()), _EXAMPLE)
    remedy = f"give scheme and host, such as {example}"
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
