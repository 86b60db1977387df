"""One type for each kind of parameter: how it is read, and what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BeforeValidator, Field, PlainValidator, TypeAdapter, ValidationError, ValidationInfo

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.excerpt import excerpt
from airflow_provider_dli.client.flink.status import TargetState
from airflow_provider_dli.client.locations import ARCHIVE_NAME, ObsLocation, parse_archive, parse_directory
from airflow_provider_dli.parameters import IfEmpty, Level
from airflow_provider_dli.parameters.values import (
    Refused,
    as_row,
    bare,
    is_nothing,
    leaves,
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
#: bytes of the directory of a batch
_BATCH = len("/batch-0001")
#: bytes of what is written below ``report_to``, and below ``copy_to``
_REPORT_NAME = len("/verify-report-20260115T080000000000.html")
#: bytes of the directory, in ``copy_to``, of one set of archives, with slashes
COPY_DIRECTORY = len("/0123456789abcdef/")
_COPY_NAME = COPY_DIRECTORY + len("aggregate_1582677879475.zip")
#: a template that nobody rendered
_TEMPLATE = re.compile(r"\{\{.*\}\}|\{%.*%\}")
#: a bucket that Jinja wrote, with something behind it
_NO_BUCKET = re.compile(r"\s*(obs://)?None/")
_CONN_ID = re.compile(r"[\w#!()\-.:/\\]{1,250}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_CALENDAR = re.compile(r"[+-]?P[^T]*[YM]")
_TIMEDELTA: TypeAdapter[timedelta] = TypeAdapter(timedelta)


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
    if isinstance(value, str) and _NO_BUCKET.match(value):
        raise Refused(f"the bucket of {excerpt(value)} rendered to nothing")
    if isinstance(value, str) and "None" in (part.strip() for part in value.split("/")):
        raise Refused(f"a part of {excerpt(value)} rendered to None")
    try:
        return read("", value)
    except ConfigurationError as error:
        raise Refused(error.problem, error.remedy) from None


# Jobs


def _ids_in_text(text: str) -> list[str]:
    return [item for item in re.split(r"[,;\s]+", text) if item]


def job_id_of(item: object) -> int:
    """Return the id of a job.

    :param item: a number, one as text, or a row with a ``job_id``
    :raises Refused: if it is none
    """
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
    return tuple(dict.fromkeys(job_id_of(item) for item in leaves(value, _ids_in_text)))


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
    return name_of(item) if isinstance(item, str) and whole_number(item) is None else job_id_of(item)


def name_of(item: object) -> str:
    """Return a name; a number, which native rendering makes of digits, is one too.

    :param item: a single value
    :raises Refused: if it is none
    """
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
        return [Restored(job_id_of(row["old_job_id"]), _new_id(row.get("new_job_id")), row.get("adopted") is True)]
    if any(whole_number(old) is None for old in row):
        raise Refused(f"{excerpt(row)} is a row without old_job_id")
    return [Restored(job_id_of(old), _new_id(new)) for old, new in row.items()]


def _new_id(item: object) -> int | None:
    return None if item is None else job_id_of(item)


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


def unless_nothing(read: Callable[[object], T]) -> Callable[[object], T | None]:
    """Return a reader that makes None of what rendered to nothing.

    :param read: what reads anything else
    """

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
ExportDirectory = Annotated[
    ObsLocation, PlainValidator(_directory(_BATCH + ARCHIVE_NAME)), Kind("directory", _PLACE)
]
ReportDirectory = Annotated[
    ObsLocation | None, PlainValidator(unless_nothing(_directory(_REPORT_NAME))), _OPTIONAL_DIRECTORY
]
CopyDirectory = Annotated[
    ObsLocation | None, PlainValidator(unless_nothing(_directory(_COPY_NAME))), _OPTIONAL_DIRECTORY
]
SavepointDirectory = Annotated[
    ObsLocation | None,
    PlainValidator(unless_nothing(_directory(0))),
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
    # Of months and years nobody knows how long they are.
    if not (":" in text or text.upper().startswith("P")) or _CALENDAR.match(text.upper()):
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
    BeforeValidator(unless_nothing(_flag)),
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
GoalChoice = Annotated[TargetState, BeforeValidator(_choice), _one_of(TargetState)]
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
    str | None, PlainValidator(unless_nothing(_conn_id)), Kind("optional connection", _CONNECTION, _LEFT_OUT)
]
Texts = Annotated[
    Mapping[str, str],
    PlainValidator(_texts),
    Kind("mapping of strings", "give a mapping of strings to strings, none empty; leave it out for none"),
]
