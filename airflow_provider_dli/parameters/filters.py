"""The filters of a selection, one type for each; one that is nothing does not filter."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from fnmatch import translate
from typing import Annotated, Any, TypeVar

from pydantic import PlainValidator

from airflow_provider_dli.client.excerpt import excerpt
from airflow_provider_dli.client.flink.status import PHASES
from airflow_provider_dli.parameters.kinds import Kind, job_id_of, name_of, unless_nothing
from airflow_provider_dli.parameters.values import (
    Refused,
    bare,
    is_nothing,
    leaves,
    literal,
    mapping,
    whole_number,
)

T = TypeVar("T")

#: how a list begins that Python or JSON has written; what such a list has that no name or wildcard does
_LIST = re.compile(r"\s*([\[({]|[A-Za-z_][\w.]*\()")
_NO_WILDCARD = re.compile(r"""['"()<]""")

_JOB_TYPES = ("flink_sql_job", "flink_opensource_sql_job", "flink_sql_edge_job", "flink_jar_job")


def _filter(read: Callable[[object], T], nothing: T) -> Callable[[object], T]:
    def read_filter(value: object) -> T:
        return nothing if is_nothing(value) else read(value)

    return read_filter


def _items(value: object) -> list[object]:
    items = leaves(_as_list(value), lambda text: text.split(","), written=False)
    return [item for item in items if not is_nothing(item)]


def _as_list(value: object) -> object:
    if not isinstance(value, str) or not _LIST.match(value):
        return value
    try:
        found = literal(value)
    except Refused:
        # "[ab]*" is a wildcard. A list that cannot be read is none: of an exclusion it would exclude nothing.
        if _NO_WILDCARD.search(value):
            raise
        return value
    # "[ab]*" and "[12]" are wildcards, and not lists that somebody has written.
    return value if isinstance(found, list) and len(found) == 1 and isinstance(found[0], int) else found


def _names(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name_of(item) for item in _items(value)))


def _patterns(value: object) -> tuple[str, ...]:
    return tuple(_wildcard(name) for name in _names(value))


def _wildcard(text: str) -> str:
    try:
        re.compile(translate(text))
    except re.error:
        raise Refused(f"{excerpt(text)} is not a valid wildcard") from None
    return text


def _statuses(value: object) -> tuple[str, ...]:
    found = _names(value)
    for status in found:
        if status not in PHASES:
            raise Refused(f"{excerpt(status)} is not a status of a job", f"give some of {', '.join(PHASES)}")
    return found


def _type(value: object) -> str:
    value = bare(value)
    if value not in _JOB_TYPES:
        raise Refused(f"{excerpt(value)} is not a type of a job")
    return str(value)


def _text(value: object) -> str:
    return name_of(bare(value))


def _tags(value: object) -> tuple[tuple[str, str], ...]:
    if isinstance(value, str) and not value.strip().startswith(("{", "[", "(")):
        pairs: list[Any] = [pair.partition("=")[::2] if "=" in pair else ("", "") for pair in value.split(",")]
    else:
        pairs = list(mapping(value).items())
    tags = tuple((_tag(key), _tag(text)) for key, text in pairs)
    # A comma or an equals sign would make two tags of one, or another one.
    if not all(key and not set("=,") & set(key + text) for key, text in tags):
        raise Refused(f"{excerpt(value)} cannot be")
    return tags


def _tag(item: object) -> str:
    return "" if item == "" else name_of(item)


def _moment(value: object) -> datetime:
    value = bare(value)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise Refused(f"{excerpt(value)} is not a time") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise Refused(f"{excerpt(value)} is not a time")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _exclusions(value: object) -> tuple[int | str, ...]:
    return tuple(dict.fromkeys(_exclusion(item) for item in _items(value)))


def _exclusion(item: object) -> int | str:
    return _wildcard(name_of(item)) if isinstance(item, str) and whole_number(item) is None else job_id_of(item)


_NO_FILTER = "no filter"
Patterns = Annotated[
    tuple[str, ...],
    PlainValidator(_filter(_patterns, ())),
    Kind("names", "give wildcards for names, a list, or a text with commas between", _NO_FILTER),
]
JobType = Annotated[
    str | None,
    PlainValidator(unless_nothing(_type)),
    Kind("job type", f"give one of {', '.join(_JOB_TYPES)}", _NO_FILTER),
]
Statuses = Annotated[
    tuple[str, ...],
    PlainValidator(_filter(_statuses, ())),
    Kind("statuses", "give a list, or a text with commas between", _NO_FILTER),
]
Text = Annotated[str | None, PlainValidator(unless_nothing(_text)), Kind("string", "give one string", _NO_FILTER)]
Tags = Annotated[
    tuple[tuple[str, str], ...],
    PlainValidator(_filter(_tags, ())),
    Kind("tags", "give a mapping, or a text key=value,key=value", _NO_FILTER),
]
Moment = Annotated[
    datetime | None,
    PlainValidator(unless_nothing(_moment)),
    Kind("time", "give a datetime, or a text in ISO 8601 such as 2026-01-15T08:00Z", _NO_FILTER),
]
Exclusions = Annotated[
    tuple[int | str, ...],
    PlainValidator(_filter(_exclusions, ())),
    Kind("ids or names", "give ids, or wildcards for names", _NO_FILTER),
]
