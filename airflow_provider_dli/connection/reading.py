"""Read single fields of a connection, each checked, each refused by its name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Protocol

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.connection.fields import EXTRAS
from airflow_provider_dli.escaping import beginning

_LONGEST = 4096
# The API gateway takes headers up to 32 KiB, tokens among them.
_LONGEST_SECRET = 32768
_LIKE_NAME = re.compile(r"[a-z_]{1,30}")
_TRUTHS = {"true": True, "false": False}


class AirflowConnection(Protocol):
    """What is read of an Airflow connection."""

    @property
    def login(self) -> str | None:
        """Access key, or name of an IAM user."""
        ...

    @property
    def password(self) -> str | None:
        """Secret key, password or token."""
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


def is_json(extra: object) -> bool:
    """Say whether the undecoded extras of a connection are JSON; none at all are as good.

    :param extra: as Airflow keeps them
    """
    if not isinstance(extra, str) or not extra.strip():
        return True
    try:
        json.loads(extra)
    except (ValueError, RecursionError):
        return False
    return True


def _shown_name(name: str) -> str:
    """Return the name of an extra; of what looks like none only the beginning, for it may be a secret."""
    is_name = _LIKE_NAME.fullmatch(name) or get_close_matches(name, EXTRAS, 1)
    return name if is_name else beginning(name)


def _meant(unknown: list[str]) -> str:
    close = [name for each in unknown for name in get_close_matches(each, EXTRAS, 1)]
    return f"did you mean {', '.join(close)}? " if close else ""


class Extras:
    """The extras that are set; a field left empty in the form is not.

    :param given: as Airflow decodes them
    :raises ConfigurationError: if they are no mapping, and naming those that are unknown
    """

    def __init__(self, given: object) -> None:
        if not isinstance(given, Mapping):
            raise ConfigurationError("extra", f"is a {type(given).__name__}", "give a JSON object of fields")
        if unknown := sorted(str(name) for name in set(given) - set(EXTRAS)):
            raise ConfigurationError(
                f"extra {', '.join(map(_shown_name, unknown[:5]))}",
                "is unknown to a dli connection",
                f"{_meant(unknown)}known are {', '.join(EXTRAS)}",
            )
        self._set = {name: value for name, value in given.items() if value is not None}

    def text(self, name: str) -> str | None:
        """Return a text without blanks around it (a pasted value has some), or None.

        :param name: of the extra
        :raises ConfigurationError: if it is no text, none of its choices, or has what no field may hold
        """
        value = self._set.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise ConfigurationError(name, f"is a {type(value).__name__}", "give a text")
        stripped = value.strip()
        if EXTRAS[name].choices and stripped and stripped not in EXTRAS[name].choices:
            raise ConfigurationError(
                name, f"{beginning(stripped)} is not possible", f"give one of {', '.join(EXTRAS[name].choices)}"
            )
        longest = _LONGEST_SECRET if EXTRAS[name].secret else _LONGEST
        return checked_text(name, stripped, longest, secret=EXTRAS[name].secret) if stripped else None

    def needed(self, name: str, remedy: str) -> str:
        """Return a text that must be set.

        :param name: of the extra
        :param remedy: what to do if it is not
        :raises ConfigurationError: if it is not set, or as for :meth:`text`
        """
        value = self.text(name)
        if value is None:
            raise ConfigurationError(name, "is missing from the extras of the connection", remedy)
        return value

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """Return a number, given as such or as a text.

        :param name: of the extra
        :param default: if it is not set
        :param least: the smallest that it may be, in seconds
        :param most: the largest
        :raises ConfigurationError: if it is no number, or out of these bounds
        """
        value = self._set.get(name)
        if value is None or value == "":
            return default
        try:
            number = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        if not least <= number <= most:
            raise ConfigurationError(name, f"{beginning(value)} cannot be", f"give {least:g} to {most:g} seconds")
        return number

    def truth(self, name: str, *, default: bool) -> bool:
        """Return a boolean, given as such or as a text.

        :param name: of the extra
        :param default: if it is not set
        :raises ConfigurationError: if it is none
        """
        value = self._set.get(name)
        if value is None or value == "":
            return default
        found = _TRUTHS.get(str(value).strip().lower())
        if found is None:
            raise ConfigurationError(name, f"{beginning(value)} is no boolean", "give true or false")
        return found


def checked_text(name: str, value: str, longest: int, *, secret: bool) -> str:
    """Refuse what no field may hold: control characters, and more text than makes sense.

    :param name: the field, for messages
    :param value: what was given
    :param longest: characters
    :param secret: keep the value out of the message
    :raises ConfigurationError: naming the field
    """
    if len(value) > longest:
        raise ConfigurationError(name, f"is {len(value):,} characters long", f"give at most {longest:,}")
    if not value.isprintable():
        shown = "" if secret else f"{beginning(value)} "
        raise ConfigurationError(name, f"{shown}has control characters", "give the value without them")
    return value


def credential(name: str, value: str | None, meaning: str, *, header: bool) -> str:
    """Return login or password; the message never shows it.

    :param name: the field, for messages
    :param value: what was given
    :param meaning: what should be there, for messages
    :param header: whether it goes into a header as it is, which takes ASCII without blanks
    :raises ConfigurationError: naming the field, if it is empty or cannot be one
    """
    stripped = (value or "").strip()
    if not stripped:
        raise ConfigurationError(name, "is empty", f"give {meaning}")
    checked_text(name, stripped, _LONGEST_SECRET, secret=True)
    if header and (not stripped.isascii() or " " in stripped):
        raise ConfigurationError(name, "has blanks or non-ASCII characters", f"give {meaning} as issued")
    return stripped
