"""What a connection holds: its extras by name, and each string checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Protocol

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.connection_form import EXTRAS
from airflow_provider_dli.formatting import excerpt

_MAX_LENGTH = 4096
# The API gateway takes headers up to 32 KiB, tokens among them.
_MAX_SECRET_LENGTH = 32768
_LIKE_NAME = re.compile(r"[a-z_]{1,30}")


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
        number = float("nan") if isinstance(value, bool) else float(value)
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
