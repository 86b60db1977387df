"""One type for each kind of parameter: how it is read, and what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fnmatch import translate
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BeforeValidator, Field, PlainValidator, TypeAdapter, ValidationError, ValidationInfo

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.excerpt import excerpt
from airflow_provider_dli.client.flink import states
from airflow_provider_dli.client.locations import ARCHIVE_NAME, ObsLocation, parse_archive, parse_directory
from airflow_provider_dli.parameters import IfEmpty, Level
from airflow_provider_dli.parameters.values import (
    Refused,
    as_row,
    bare,
    is_nothing,
    leaves,
    literal,
    mapping,
    what_of_nothing,
    whole_number,
)

T = TypeVar("T")
Clash = Literal["fail", "accept"]

#: a hundred years: nobody waits longer, and clocks cannot count much further
_LONGEST = 100 * 365 * 86_400
_LARGEST_ID = (1 << 63) - 1
#: most characters of a name. DLI's are shorter (57 for a job's), but of what it lists nothing is promised
_LONGEST_NAME = 256
#: bytes of what is written below ``report_to``, and below ``copy_to``
_REPORT_NAME = len("/verify-report-20260115T080000000000.html")
_COPY_NAME = len("/0123456789abcdef/aggregate_1582677879475.zip")
#: a template that nobody rendered
_TEMPLATE = re.compile(r"\{\{.*\}\}|\{%.*%\}")
_CONN_ID = re.compile(r"[\w#!()\-.:/\\]{1,250}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_TIMEDELTA: TypeAdapter[timedelta] = TypeAdapter(timedelta)
_JOB_TYPES = ("flink_sql_job", "flink_opensource_sql_job", "flink_sql_edge_job", "flink_jar_job")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of parameter takes, for messages, the docs and the tests.

    :param name: of the kind
    :param remedy: what would be right
    :param nothing: what is made of a value that rendered to nothing
    """

    name: str
    remedy: str
    nothing: str = "refused"


@dataclass(frozen=True, slots=True)
class Restored:
    """A job, and what is known of the one that was restored from it.

    :param old_job_id: id of the source
    :param new_job_id: id of the restored one; None if it is not known
    :param adopted: whether it was imported all the same, by a request whose response was lost
    """

    old_job_id: int
    new_job_id: int | None
    adopted: bool = False


def _required(value: object) -> None:
    if is_nothing(value):
        raise Refused("rendered to nothing")


def _given(value: object) -> None:
    """Refuse a value that is nothing, of a parameter that may be left out and was not."""
    if is_nothing(value):
        raise Refused(f"was given and is {what_of_nothing(value)}")


def _place(read: Callable[[str, object], T], value: object) -> T:
    """Return a place in OBS; refuse it with the words of the client."""
    if isinstance(value, str) and _TEMPLATE.search(value):
        raise Refused(f"{excerpt(value)} is a template that was not rendered")
    try:
        return read("", value)
    except ConfigurationError as error:
        raise Refused(error.problem, error.remedy) from None


# Jobs


def _ids_in_text(text: str) -> list[str]:
    return [item for item in re.split(r"[,;\s]+", text) if item]


def _job_id(item: object) -> int:
    row = as_row(item)
    if row is not None:
        item = _id_in_row(row)
    number = whole_number(item)
    if number is None or not 0 < number <= _LARGEST_ID:
        raise Refused(f"{excerpt(item)} is not a job id")
    return number


def _id_in_row(row: Mapping[Any, Any]) -> object:
    for key in ("job_id", "new_job_id"):
        if key in row:
            if row[key] is None:
                raise Refused(f"{excerpt(row)} is a row whose {key} is None")
            return row[key]
    raise Refused(
        f"{excerpt(row)} is a row without job_id",
        "give the ids that a task pushed: XComArg(task, key='job_ids')",
    )


def _ids(value: object) -> tuple[int, ...]:
    return tuple(dict.fromkeys(_job_id(item) for item in leaves(value, _ids_in_text)))


def _job_ids(value: object) -> tuple[int, ...]:
    _required(value)
    return _filled(_ids(value), "names no job")


def _job_ids_or_none(value: object) -> tuple[int, ...]:
    return () if is_nothing(value) else _ids(value)


def _selected(value: object, info: ValidationInfo) -> tuple[int, ...] | None:
    # Both together say "all jobs" plainly, which a row of a mapping may need.
    if is_nothing(value) and info.data.get("is_selected") is False:
        return None
    _given(value)
    return _filled(_ids(value), "was given and holds no job id")


def _filled(found: tuple[T, ...], problem: str) -> tuple[T, ...]:
    if not found:
        raise Refused(problem)
    return found


def _expected(value: object) -> tuple[int | str, ...]:
    _given(value)
    found = dict.fromkeys(_id_or_name(item) for item in leaves(value, _ids_in_text))
    return _filled(tuple(found), "was given and is empty")


def _id_or_name(item: object) -> int | str:
    return _name(item) if isinstance(item, str) and whole_number(item) is None else _job_id(item)


def _name(item: object) -> str:
    text = item if whole_number(item) is None else str(item)
    if not isinstance(text, str) or is_nothing(text):
        raise Refused(f"{excerpt(item)} is not a name")
    text = str(text).strip()
    if len(text) > _LONGEST_NAME or not text.isprintable() or _TEMPLATE.search(text):
        raise Refused(f"{excerpt(text)} cannot be a name")
    return text


def _whole(text: str) -> list[str]:
    return [text]


def _restored(value: object) -> tuple[Restored, ...]:
    _required(value)
    rows = leaves(value, _whole)
    return _filled(tuple(each for row in rows for each in _restored_of(row)), "names no restored job")


def _restored_of(item: object) -> list[Restored]:
    row = as_row(item)
    if row is None:
        raise Refused(f"{excerpt(item)} is not a row with old_job_id and new_job_id")
    if "job_mapping" in row:  # what the hook returns
        return [each for inner in leaves(row["job_mapping"], _whole) for each in _restored_of(inner)]
    if "old_job_id" in row:
        return [Restored(_job_id(row["old_job_id"]), _new_id(row.get("new_job_id")), row.get("adopted") is True)]
    if any(whole_number(old) is None for old in row):
        raise Refused(f"{excerpt(row)} is a row without old_job_id")
    return [Restored(_job_id(old), _new_id(new)) for old, new in row.items()]


def _new_id(item: object) -> int | None:
    return None if item is None else _job_id(item)


_IDS = "give a list of ids, a text of ids with commas between, or rows with a job_id"
JobIds = Annotated[tuple[int, ...], PlainValidator(_job_ids), Kind("job ids", _IDS)]
JobIdsOrNone = Annotated[
    tuple[int, ...],
    PlainValidator(_job_ids_or_none),
    Kind("job ids, or none", _IDS, "names no job: `if_empty` applies"),
]
SelectedJobs = Annotated[
    tuple[int, ...] | None, PlainValidator(_selected), Kind("selected jobs", f"{_IDS}; leave it out for all jobs")
]
ExpectedJobs = Annotated[
    tuple[int | str, ...],
    PlainValidator(_expected),
    Kind("expected jobs", "give a list of ids or names; leave it out to expect no jobs by name"),
]
JobMapping = Annotated[
    tuple[Restored, ...],
    PlainValidator(_restored),
    Kind("job mapping", "give the output of the import, or a mapping of old to new ids"),
]

# Places


def _archives_in_text(text: str) -> list[str]:
    # A key may hold commas and blanks, but never the end of a line.
    return [line.strip() for line in text.splitlines() if line.strip()]


def _entries(value: object) -> list[object]:
    _required(value)
    found: list[object] = []
    for item in leaves(value, _archives_in_text):
        row = as_row(item)
        if row is None:
            found.append(item)
        elif "zip_file" in row:
            found += leaves(row["zip_file"], _archives_in_text)
        else:
            raise Refused(
                f"{excerpt(row)} is a row without zip_file",
                "give the archives that the export pushed: export.output, or XComArg(export, key='zip_file')",
            )
    if any(is_nothing(item) for item in found):
        raise Refused("holds an archive that rendered to nothing")
    return found


def _archives(value: object) -> tuple[ObsLocation, ...]:
    places = dict.fromkeys(_place(parse_archive, entry) for entry in _entries(value))
    return _filled(tuple(places), "names no archive")


def _import_source(value: object) -> ObsLocation:
    entries = _entries(value)
    if len(entries) != 1:
        raise Refused(
            f"names {len(entries)} archives",
            "give one archive, or the directory of several; expand the operator over a list",
        )
    place = _place(parse_directory, entries[0])
    if not place.key:
        raise Refused(f"{excerpt(entries[0])} is a whole bucket", "give bucket/key of an archive, or a directory")
    return place


def _directory(reserve: int) -> Callable[[object], ObsLocation]:
    def read(value: object) -> ObsLocation:
        _required(value)
        return _place(lambda field, given: parse_directory(field, given, reserve=reserve), bare(value))

    return read


def _unless_nothing(read: Callable[[object], T]) -> Callable[[object], T | None]:
    def read_something(value: object) -> T | None:
        return None if is_nothing(value) else read(value)

    return read_something


_PLACE = "give bucket, bucket/directory or obs://bucket/directory"
_LEFT_OUT = "as if left out"
_OPTIONAL_DIRECTORY = Kind("optional directory", _PLACE, _LEFT_OUT)
Archives = Annotated[
    tuple[ObsLocation, ...], PlainValidator(_archives), Kind("archives", "give the list that the export returned")
]
ImportSource = Annotated[
    ObsLocation, PlainValidator(_import_source), Kind("archive or directory", "give bucket/key of an archive")
]
ExportDirectory = Annotated[ObsLocation, PlainValidator(_directory(ARCHIVE_NAME)), Kind("directory", _PLACE)]
ReportDirectory = Annotated[
    ObsLocation | None, PlainValidator(_unless_nothing(_directory(_REPORT_NAME))), _OPTIONAL_DIRECTORY
]
CopyDirectory = Annotated[
    ObsLocation | None, PlainValidator(_unless_nothing(_directory(_COPY_NAME))), _OPTIONAL_DIRECTORY
]
SavepointDirectory = Annotated[
    ObsLocation | None,
    PlainValidator(_unless_nothing(_directory(0))),
    Kind("optional directory of savepoints", _PLACE, _LEFT_OUT),
]

# Single values


def _flag(value: object) -> object:
    value = bare(value)
    _required(value)
    # Neither "yes" nor 1, which pydantic takes as well: those come from a field that is something else.
    if not (isinstance(value, bool) or (isinstance(value, str) and value.lower() in {"true", "false"})):
        raise Refused(f"{excerpt(value)} is neither True nor False")
    return value


def _count(value: object) -> int:
    value = bare(value)
    _required(value)
    number = whole_number(value)
    if number is None:
        raise Refused(f"{excerpt(value)} is not a whole number")
    return number


def _seconds(value: object) -> float:
    value = bare(value)
    _required(value)
    if isinstance(value, str):
        value = _seconds_in_text(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused(f"{excerpt(value)} is not a length of time")
    try:
        return float(value)
    except OverflowError:
        raise Refused(f"{excerpt(value)} is too long") from None


def _seconds_if_given(value: object) -> float:
    _given(value)
    return _seconds(value)


def _seconds_in_text(text: str) -> object:
    if _NUMBER.fullmatch(text):
        return float(text)
    # As Python writes a timedelta, "1 day, 0:00:10", or ISO 8601.
    if not (":" in text or text.upper().startswith("P")):
        return text
    try:
        return _TIMEDELTA.validate_python(text)
    except ValidationError:
        return text


def _choice(value: object) -> object:
    value = bare(value)
    _required(value)
    return value


def _choice_or_none(value: object) -> object:
    # None is one of the choices, and only as None: an empty field of a form chooses nothing.
    return None if value is None else _choice(value)


def _conn_id(value: object) -> str:
    value = bare(value)
    _required(value)
    if not isinstance(value, str) or not _CONN_ID.fullmatch(value) or "://" in value:
        raise Refused(f"{excerpt(value)} cannot be the id of a connection")
    return str(value)


def _texts(value: object) -> Mapping[str, str]:
    _given(value)
    return {_text_in("a key", key): _text_in(excerpt(key), text) for key, text in mapping(value).items()}


def _text_in(where: str, item: object) -> str:
    text = item if whole_number(item) is None else str(item)
    if not isinstance(text, str) or is_nothing(text):
        raise Refused(f"{where} is {excerpt(item)}, not a string with something in it")
    return text


def _one_of(choices: object) -> Kind:
    return Kind("choice", f"give one of {', '.join(get_args(choices))}")


Flag = Annotated[bool, BeforeValidator(_flag), Kind("flag", "give True or False")]
OptionalFlag = Annotated[
    bool | None,
    BeforeValidator(_unless_nothing(_flag)),
    Kind("optional flag", "give True or False", _LEFT_OUT),
]
PositiveInt = Annotated[
    int, BeforeValidator(_count), Field(ge=1, lt=1 << 31), Kind("whole number", "give a whole number, 1 or more")
]
Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(ge=0, le=_LONGEST, allow_inf_nan=False),
    Kind("seconds", "give seconds, 0 or more and at most a hundred years, or a timedelta"),
]
PositiveSeconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(gt=0, le=_LONGEST, allow_inf_nan=False),
    Kind("positive seconds", "give seconds above 0 and at most a hundred years, or a timedelta"),
]
EmptyChoice = Annotated[IfEmpty, BeforeValidator(_choice), _one_of(IfEmpty)]
LevelChoice = Annotated[Level, BeforeValidator(_choice), _one_of(Level)]
SensorLevelChoice = Annotated[
    Literal["exists", "directory"],
    BeforeValidator(_choice),
    Kind("choice", "give 'exists' or 'directory'; DliVerifyFlinkExportOperator reads every byte"),
]
ClashChoice = Annotated[Clash, BeforeValidator(_choice), _one_of(Clash)]
GoalChoice = Annotated[states.SeenGoal, BeforeValidator(_choice), _one_of(states.SeenGoal)]
WaitChoice = Annotated[
    Literal["running", "finished"] | None,
    BeforeValidator(_choice_or_none),
    Kind("choice or None", "give 'running', 'finished' or None", "None is a choice; a text is refused"),
]
MaxAge = Annotated[
    float,
    BeforeValidator(_seconds_if_given),
    Field(gt=0, le=_LONGEST, allow_inf_nan=False),
    Kind("age", "give seconds above 0 and at most a hundred years, or a timedelta; leave it out for any age"),
]
_CONNECTION = "give the id of a connection of type dli"
ConnId = Annotated[str, PlainValidator(_conn_id), Kind("connection", _CONNECTION)]
OptionalConnId = Annotated[
    str | None, PlainValidator(_unless_nothing(_conn_id)), Kind("optional connection", _CONNECTION, _LEFT_OUT)
]
Texts = Annotated[
    Mapping[str, str],
    PlainValidator(_texts),
    Kind("mapping of strings", "give a mapping of strings to strings, none empty; leave it out for none"),
]

# Filters of a selection: one that is nothing does not filter


def _filter(read: Callable[[object], T], nothing: T) -> Callable[[object], T]:
    def read_filter(value: object) -> T:
        return nothing if is_nothing(value) else read(value)

    return read_filter


def _items(value: object) -> list[object]:
    items = leaves(_as_list(value), lambda text: text.split(","), written=False)
    return [item for item in items if not is_nothing(item)]


def _as_list(value: object) -> object:
    if not isinstance(value, str) or not value.strip().startswith(("[", "(", "{")):
        return value
    try:
        found = literal(value)
    except Refused:
        return value
    # "[ab]*" and "[12]" are wildcards, and not lists that somebody has written.
    return value if isinstance(found, list) and len(found) == 1 and isinstance(found[0], int) else found


def _names(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_name(item) for item in _items(value)))


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
        if status not in states.PHASES:
            raise Refused(
                f"{excerpt(status)} is not a status of a job", f"give some of {', '.join(states.PHASES)}"
            )
    return found


def _type(value: object) -> str:
    value = bare(value)
    if value not in _JOB_TYPES:
        raise Refused(f"{excerpt(value)} is not a type of a job")
    return str(value)


def _text(value: object) -> str:
    return _name(bare(value))


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
    return "" if item == "" else _name(item)


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
    return _wildcard(_name(item)) if isinstance(item, str) and whole_number(item) is None else _job_id(item)


_NO_FILTER = "no filter"
Patterns = Annotated[
    tuple[str, ...],
    PlainValidator(_filter(_patterns, ())),
    Kind("names", "give wildcards for names, a list, or a text with commas between", _NO_FILTER),
]
JobType = Annotated[
    str | None,
    PlainValidator(_unless_nothing(_type)),
    Kind("job type", f"give one of {', '.join(_JOB_TYPES)}", _NO_FILTER),
]
Statuses = Annotated[
    tuple[str, ...],
    PlainValidator(_filter(_statuses, ())),
    Kind("statuses", "give a list, or a text with commas between", _NO_FILTER),
]
Text = Annotated[str | None, PlainValidator(_unless_nothing(_text)), Kind("string", "give one string", _NO_FILTER)]
Tags = Annotated[
    tuple[tuple[str, str], ...],
    PlainValidator(_filter(_tags, ())),
    Kind("tags", "give a mapping, or a text key=value,key=value", _NO_FILTER),
]
Moment = Annotated[
    datetime | None,
    PlainValidator(_unless_nothing(_moment)),
    Kind("time", "give a datetime, or a text in ISO 8601 such as 2026-01-15T08:00Z", _NO_FILTER),
]
Exclusions = Annotated[
    tuple[int | str, ...],
    PlainValidator(_filter(_exclusions, ())),
    Kind("ids or names", "give ids, or wildcards for names", _NO_FILTER),
]
