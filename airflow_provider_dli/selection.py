"""Which jobs of a project are meant: filters that the service takes, and those that only we know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from airflow_provider_dli.client.call import QueryValue
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.flink import FlinkJob, states

_TYPES = ("flink_sql_job", "flink_opensource_sql_job", "flink_sql_edge_job", "flink_jar_job")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which Flink jobs are meant; without any filter, all of the project.

    :param name_pattern: wildcards for the name, ``*``, ``?`` and ``[...]``, with the case as it is; one of several
        must fit
    :param job_type: one type, such as ``flink_jar_job``
    :param status: one of several statuses, such as ``job_running``
    :param queue_name: name of the queue
    :param user_name: name of the user who made the job
    :param tags: each with its value
    :param changed_since: jobs that were made or changed at this moment or later; those of which the service does
        not tell when are among them
    :param exclude: ids, or wildcards for names, of jobs that are not meant
    """

    name_pattern: tuple[str, ...] = ()
    job_type: str | None = None
    status: tuple[str, ...] = ()
    queue_name: str | None = None
    user_name: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    changed_since: datetime | None = None
    exclude: tuple[int | str, ...] = ()

    @classmethod
    def read(cls, given: Mapping[str, Any], within: str = "") -> Selection:
        """Read what an author or the trigger form gives; what is None, empty or blank filters nothing.

        :param given: by the names of the parameters above; texts where a template can only give text
        :param within: what stands before a name in messages: ``selection.`` where the mapping is a parameter
        :raises ConfigurationError: naming the field, if one is unknown or cannot be used
        """
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                raise ConfigurationError(f"{within}{name}", "is unknown", f"there are {', '.join(known)}")
        read: dict[str, Any] = {
            name: _READERS[name](f"{within}{name}", value)
            for name, value in given.items()
            if not _is_nothing(value)
        }
        return cls(**read)

    def filters(self) -> dict[str, QueryValue]:
        """Give the filters that the service applies itself (dli_02_0234)."""
        query: dict[str, QueryValue | None] = {
            "job_type": self.job_type,
            # Whether the service takes several at once is not established.
            "status": self.status[0] if len(self.status) == 1 else None,
            "queue_name": self.queue_name,
            "user_name": self.user_name,
            "tags": ",".join(f"{key}={value}" for key, value in self.tags) or None,
            "show_detail": True if self.changed_since else None,
        }
        return {name: value for name, value in query.items() if value is not None}

    def fits(self, job: FlinkJob) -> bool:
        """Tell whether a job that the service has listed is meant.

        :param job: as the list shows it
        """
        if self.name_pattern and not any(fnmatchcase(job.name, pattern) for pattern in self.name_pattern):
            return False
        if self.status and job.status not in self.status:
            return False
        return self._changed(job) and not self._excluded(job)

    def _changed(self, job: FlinkJob) -> bool:
        if self.changed_since is None:
            return True
        moments = [moment for moment in (job.create_time, job.update_time) if moment]
        # Of a job without either nobody knows: rather one too many than one too few.
        return job.update_time is None or not moments or max(moments) >= self.changed_since.timestamp() * 1000

    def _excluded(self, job: FlinkJob) -> bool:
        return any(
            job.job_id == each if isinstance(each, int) else fnmatchcase(job.name, each) for each in self.exclude
        )

    def __str__(self) -> str:
        """Say it in a line."""
        told = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) not in (None, ())
        }
        return ", ".join(f"{name}={_said(value)}" for name, value in told.items()) or "all jobs"


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return "|".join("=".join(each) if isinstance(each, tuple) else str(each) for each in value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _is_nothing(value: object) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, Sized) and not value)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(name, f"{value!r} is no text", "give one text")
    return value.strip()


def _texts(name: str, value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, Iterable) or isinstance(items, Mapping):
        raise ConfigurationError(
            name, f"{value!r} is no list of texts", "give a list, or a text with commas between"
        )
    found = tuple(_text(name, item) for item in items)
    return tuple(item for item in found if item)


def _type(name: str, value: object) -> str:
    if value not in _TYPES:
        raise ConfigurationError(name, f"{value!r} is no type of a job", f"give one of {', '.join(_TYPES)}")
    return str(value)


def _statuses(name: str, value: object) -> tuple[str, ...]:
    found = _texts(name, value)
    for status in found:
        if status not in states.PHASES:
            raise ConfigurationError(
                name, f"{status!r} is no status of a job", f"give some of {', '.join(states.PHASES)}"
            )
    return found


def _tags(name: str, value: object) -> tuple[tuple[str, str], ...]:
    if isinstance(value, str):
        pairs = [pair.partition("=")[::2] if "=" in pair else ("", "") for pair in value.split(",")]
    else:
        pairs = list(value.items()) if isinstance(value, Mapping) else []
    tags = tuple((str(key).strip(), str(text).strip()) for key, text in pairs)
    # A comma or an equals sign would make two tags of one, or another one.
    if not tags or not all(key and not set("=,") & set(key + text) for key, text in tags):
        raise ConfigurationError(name, f"{value!r} cannot be", "give a mapping, or a text key=value,key=value")
    return tags


def _moment(name: str, value: object) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ConfigurationError(
                name, f"{value!r} is no time", "give ISO 8601, such as 2026-01-15T08:00Z"
            ) from None
    if not isinstance(value, datetime):
        raise ConfigurationError(name, f"{value!r} is no time", "give a datetime, or a text in ISO 8601")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _exclusions(name: str, value: object) -> tuple[int | str, ...]:
    items = [value] if isinstance(value, int) else value
    if isinstance(items, str):
        items = items.split(",")
    if not isinstance(items, Iterable) or isinstance(items, Mapping):
        raise ConfigurationError(name, f"{value!r} is no list", "give ids, or wildcards for names")
    return tuple(found for item in items if (found := _exclusion(name, item)) != "")


def _exclusion(name: str, item: object) -> int | str:
    if isinstance(item, int) and not isinstance(item, bool):
        return item
    text = _text(name, item)
    return int(text) if text.isascii() and text.isdecimal() else text


_READERS = {
    "name_pattern": _texts,
    "job_type": _type,
    "status": _statuses,
    "queue_name": _text,
    "user_name": _text,
    "tags": _tags,
    "changed_since": _moment,
    "exclude": _exclusions,
}
