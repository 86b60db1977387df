"""Which job was restored from which: as the import pushed it, as an author writes it, or as a template does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.parameters import literal

_REMEDY = "give the output of the import, or a mapping of old to new ids"


@dataclass(frozen=True, slots=True)
class Restored:
    """A job, and what is told of the one that was restored from it.

    :param old_job_id: id of the source
    :param new_job_id: id of the restored one; None if it is not told
    :param adopted: whether it was imported all the same, by a request whose answer was lost
    """

    old_job_id: int
    new_job_id: int | None
    adopted: bool = False


def read_mapping(given: object) -> list[Restored]:
    """Read which job was restored from which.

    :param given: what the import pushed, or a mapping of old to new ids; either as JSON or a template writes it
    :raises ConfigurationError: if it is neither, or empty
    """
    items = _items(literal("job_mapping", given, _REMEDY) if isinstance(given, str) else given)
    if not items or not all(isinstance(item, Mapping) and "old_job_id" in item for item in items):
        raise ConfigurationError("job_mapping", f"{str(given)[:80]!r} names no restored job", _REMEDY)
    try:
        return [_restored(item) for item in items]
    except ValueError:
        raise ConfigurationError("job_mapping", f"{str(given)[:80]!r} has what is no id", _REMEDY) from None


def _items(given: object) -> list[Any]:
    if isinstance(given, Mapping):
        return [{"old_job_id": old, "new_job_id": new} for old, new in given.items()]
    return list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []


def _restored(item: Mapping[str, Any]) -> Restored:
    new = item.get("new_job_id")
    # By way of text: no part of a number is dropped.
    return Restored(
        int(str(item["old_job_id"])), None if new is None else int(str(new)), item.get("adopted") is True
    )
