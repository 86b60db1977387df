"""The types of parameters: one for each kind of value, with how it is read and what would be right.

A type is ``Annotated[what pydantic checks, Kind(…)]``: the kind turns whatever Airflow passes into a plain value,
pydantic checks that. What cannot be read raises :class:`~.values.Refused`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fnmatch import translate
from functools import partial
from typing import Annotated, Any, Literal, TypeVar, get_args
from zoneinfo import ZoneInfo

from pydantic import Field, GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, core_schema

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.flink.status import PHASES, TargetState
from airflow_provider_dli.client.locations import (
    ARCHIVE_NAME,
    BATCH_DIRECTORY,
    ObsLocation,
    parse_archive,
    parse_directory,
)
from airflow_provider_dli.formatting import excerpt
from airflow_provider_dli.parameters import IfEmpty, Level
from airflow_provider_dli.parameters.values import (
    ListForm,
    Nothing,
    PartIsNothing,
    Refused,
    as_row,
    bare,
    is_nothing,
    leaves,
    literal,
    mapping,
    whole_number,
)

T = TypeVar("T")
_REFUSED: Any = object()


@dataclass(frozen=True, slots=True)
class Kind:
    """How the values of a kind of parameter are read, before pydantic checks the result."""

    #: in docs and tests
    name: str
    #: what would be right
    remedy: str
    #: reads a value that is something
    read: Callable[[Any], object]
    #: what is made of a value that is nothing, for the docs
    nothing: str = "refused"
    #: what a value that is nothing becomes
    default: Any = _REFUSED

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of the annotated type, with this reader in front of it."""
        return core_schema.no_info_before_validator_function(self._read, handler(source))

    def _read(self, value: object) -> object:
        if not is_nothing(value):
            return self.read(value)
        if self.default is _REFUSED:
            raise Nothing(value)
        return self.default


@dataclass(frozen=True, slots=True)
class Restored:
    """A job, and what is known of the one that was restored from it."""

    old_job_id: int
    new_job_id: int | None
    #: whether it was imported although its new id is not known, by a request whose response was lost
    recovered: bool = False


# Jobs

_MAX_ID = (1 << 63) - 1
#: characters of a name. DLI's are shorter (57 for a job's), but of what it lists nothing is promised
_MAX_NAME_LENGTH = 256
Expectation = Literal["listed", "none"]
_EXPECTATIONS = get_args(Expectation)
#: a template that nobody rendered
_TEMPLATE = re.compile(r"\{\{.*\}\}|\{%.*%\}")


_IDS_ALONE = re.compile(r"[\d\s,;]*")


def _split_names(text: str) -> list[str]:
    """Split a string of ids as ids; a name may contain spaces, so names have commas or lines between."""
    if _IDS_ALONE.fullmatch(text):
        return re.split(r"\s*[,;]\s*|\s+", text)
    return re.split(r"\s*[,;\n]\s*", text)


def _split_item(text: str) -> list[str]:
    """Split ids; a name in a list is one name, whatever is in it."""
    return _split_names(text) if _IDS_ALONE.fullmatch(text) else [text]


_NAMES = ListForm(_split_names, _split_item)


def _job_ids(value: object) -> tuple[int, ...]:
    return tuple(dict.fromkeys(_job_id(item) for item in leaves(value, _NAMES)))


def _job_id(item: object) -> int:
    """Return the id of a job: a number, one as a string, or a row with a ``job_id``."""
    row = as_row(item)
    if row is not None:
        item = _id_in_row(row)
    number = whole_number(item)
    if number is None or not 0 < number <= _MAX_ID:
        raise Refused(f"{excerpt(item)} is not a job id")
    return number


def _id_in_row(row: Mapping[Any, Any]) -> object:
    for key in ("job_id", "new_job_id"):
        if key in row:
            if row[key] is None:
                raise Refused(f"{excerpt(row)} is a row whose {key} is None")
            return row[key]
    remedy = "give ids, or the output of a task that pushes them"
    raise Refused(f"{excerpt(row)} is a row without job_id", remedy)


def _jobs_of_backup(value: object) -> object:
    if bare(value) in _EXPECTATIONS:
        return bare(value)
    if not (found := _job_ids_or_names(value)):
        raise Refused("was given and is empty")
    # Taken for the name of a job, it would be missing in the archives only after the export.
    for item in found:
        if isinstance(item, str) and item.lower() in _EXPECTATIONS:
            remedy = f"give '{item.lower()}' in lower case and alone, or a job of this name by its id"
            raise Refused(f"{excerpt(item)} is not the name of a job", remedy)
    return found


def _job_ids_or_names(value: object) -> tuple[int | str, ...]:
    return tuple(dict.fromkeys(_id_or(_name, item) for item in leaves(value, _NAMES)))


def _id_or(read_name: Callable[[object], str], item: object) -> int | str:
    return read_name(item) if isinstance(item, str) and whole_number(item) is None else _job_id(item)


def _name(item: object) -> str:
    """Return a name; a number, which native rendering makes of digits, is one too."""
    text = item if whole_number(item) is None else str(item)
    if not isinstance(text, str) or is_nothing(text):
        raise Refused(f"{excerpt(item)} is not a name")
    text = str(text).strip()
    if len(text) > _MAX_NAME_LENGTH or not text.isprintable() or _TEMPLATE.search(text):
        raise Refused(f"{excerpt(text)} cannot be a name")
    return text


#: of rows; what the hook returns has them under a key
_ROWS = ListForm(
    lambda text: [text], key_of=lambda row: "job_mapping" if "job_mapping" in row else None, may_be_empty=False
)


def _job_mapping(value: object) -> tuple[Restored, ...]:
    return tuple(each for row in leaves(value, _ROWS) for each in _restored(row))


def _restored(item: object) -> list[Restored]:
    row = as_row(item)
    if row is None:
        raise Refused(f"{excerpt(item)} is not a row with old_job_id and new_job_id")
    if "old_job_id" in row:
        return [Restored(_job_id(row["old_job_id"]), _new_id(row.get("new_job_id")), row.get("recovered") is True)]
    names = [old for old in row if whole_number(old) is None]
    if row.keys() & {"new_job_id", "job_id"} or not all(isinstance(new, int | str | None) for new in row.values()):
        raise Refused(f"{excerpt(row)} is a row without old_job_id")
    if names:
        raise Refused(f"{excerpt(names[0])} is not a job id")
    return [Restored(_job_id(old), _new_id(new)) for old, new in row.items()]


def _new_id(item: object) -> int | None:
    return None if item is None else _job_id(item)


_IDS = "give a list of ids, a string of ids with commas between, or rows with a job_id"
_FINDS = "DliListFlinkJobsOperator finds the ids of names"
_LISTED = f"{_IDS}; {_FINDS}"
_SELECTED = f"{_IDS}; omit it for all jobs, or give selection={{'name_pattern': …}} for jobs by name"
JobIds = Annotated[tuple[int, ...], Field(min_length=1), Kind("job ids", _LISTED, _job_ids)]
JobIdsOrNone = Annotated[
    tuple[int, ...], Kind("job ids, or none", _LISTED, _job_ids, "names no job: `if_empty` applies", ())
]
SelectedJobs = Annotated[tuple[int, ...] | None, Field(min_length=1), Kind("selected jobs", _SELECTED, _job_ids)]
ExpectedJobs = Annotated[
    tuple[int | str, ...],
    Field(min_length=1),
    Kind("expected jobs", "give a list of ids or names; omit it to expect no jobs by name", _job_ids_or_names),
]
RestoredIds = Annotated[
    tuple[int, ...], Field(min_length=1), Kind("ids of a backup", f"{_IDS}; omit it for all jobs", _job_ids)
]
JobsOfBackup = Annotated[
    tuple[int | str, ...] | Expectation,
    Kind("expected jobs of a backup", "give 'listed', 'none', or a list of ids or names", _jobs_of_backup),
]
JobMapping = Annotated[
    tuple[Restored, ...],
    Field(min_length=1),
    Kind("job mapping", f"give the output of the import, or a mapping of old to new ids; {_FINDS}", _job_mapping),
]

# Places in OBS

_REPORT_NAME = len("/verify-report-20260115T080000000000.html")
#: bytes of the directory, among copies, of one set of archives, with slashes
STAGING_SUBDIRECTORY = len("/0123456789abcdef/")
_STAGED_NAME = STAGING_SUBDIRECTORY + len("aggregate_1582677879475.zip")
#: bytes of the directory, in a catalogue, of the archives of a backup, with its slashes
_BACKUP = len("/48cc2c48765f481480c7db940d6409d1/20260115T080000Z-01234567/archives")
#: a bucket that Jinja wrote, of nothing, with something behind it
_NO_BUCKET = re.compile(r"(?i:\s*obs://)?\s*(None\s*)?/+[^/]")

_BUCKET_ALONE = re.compile(r"(?i:obs://)?[^/]+/?")
#: two places of one bucket with a comma between, which would be one strange key
_SEVERAL = re.compile(r"\s*(?:obs://)?([^/]+)/.*\.zip\s*[,;]\s*(?:obs://)?\1/.*", re.IGNORECASE)


def _archives(value: object) -> tuple[ObsLocation, ...]:
    return tuple(dict.fromkeys(_place(_parse_object, entry) for entry in leaves(value, _ARCHIVES)))


def _archives_or_directories(value: object) -> tuple[ObsLocation, ...]:
    return tuple(dict.fromkeys(_place(_parse_any, entry) for entry in leaves(value, _ARCHIVES)))


def _parse_object(field: str, text: object) -> ObsLocation:
    if _is_directory(text):
        raise ConfigurationError(field, f"{excerpt(text)} is a directory", "give bucket/key of each archive in it")
    return parse_archive(field, text)


def _parse_any(field: str, text: object) -> ObsLocation:
    is_directory = _is_directory(text)
    if isinstance(text, str) and re.fullmatch(_BUCKET_ALONE, text.strip()):
        remedy = "give bucket/key of an archive, or bucket/directory/ of all that are in it"
        raise ConfigurationError(field, f"{excerpt(text)} names neither an object nor a directory", remedy)
    place = (parse_directory if is_directory else parse_archive)(field, text)
    return replace(place, key=f"{place.key}/") if is_directory else place


def _is_directory(text: object) -> bool:
    return isinstance(text, str) and text.rstrip().endswith("/")


def _import_source(value: object) -> ObsLocation:
    entries = leaves(value, _ARCHIVES)
    if len(entries) != 1:
        remedy = "give one archive, or the directory of several; expand the operator over a list"
        raise Refused(f"names {len(entries)} archives", remedy)
    place = _place(parse_directory, entries[0])
    if not place.key:
        raise Refused(f"{excerpt(entries[0])} is a whole bucket", "give bucket/key of an archive, or a directory")
    return replace(place, key=f"{place.key}/") if _is_directory(entries[0]) else place


def _split_archives(text: str) -> list[str]:
    # A key may hold commas and spaces, but never the end of a line.
    if any(map(_SEVERAL.fullmatch, text.splitlines())):
        raise Refused(f"{excerpt(text)} names several archives in one line", "give one a line, or a list")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _key_of_archives(row: Mapping[Any, Any]) -> str:
    if "zip_file" in row:
        return "zip_file"
    remedy = "give the archives that the export pushed: export.output, or XComArg(export, key='zip_file')"
    raise Refused(f"{excerpt(row)} is a row without zip_file", remedy)


#: an export that failed may have pushed an empty list
_ARCHIVES = ListForm(_split_archives, key_of=_key_of_archives, may_be_empty=False)


def _directory(value: object, reserve: int = 0) -> ObsLocation:
    return _place(partial(parse_directory, reserve=reserve), bare(value))


def _place(parse: Callable[[str, object], T], value: object) -> T:
    if isinstance(value, str):
        if _TEMPLATE.search(value):
            raise Refused(f"{excerpt(value)} is a template that was not rendered")
        if _NO_BUCKET.match(value):
            if value.lstrip().startswith("/"):  # a path of this machine, or a template
                problem = (
                    f"{excerpt(value)} begins with a slash: it names no bucket, or one that rendered to nothing"
                )
                raise Refused(problem, "give bucket/directory")
            raise Refused(f"the bucket of {excerpt(value)} rendered to nothing")
        if "None" in (part.strip() for part in value.split("/")):
            raise Refused(f"a part of {excerpt(value)} rendered to None")
        if is_nothing(value):
            raise Nothing(value)
    try:
        return parse("", value)
    except ConfigurationError as error:
        raise Refused(error.problem, error.remedy) from None


_PLACE = "give bucket, bucket/directory or obs://bucket/directory"
_AS_OMITTED = ("as if omitted", None)
Archives = Annotated[
    tuple[ObsLocation, ...],
    Field(min_length=1),
    Kind("archives", "give the list that the export returned", _archives),
]
ArchivesOrDirectories = Annotated[
    tuple[ObsLocation, ...],
    Field(min_length=1),
    Kind(
        "archives or directories",
        "give the list that the export returned, or a directory",
        _archives_or_directories,
    ),
]
ImportSource = Annotated[
    ObsLocation, Kind("archive or directory", "give bucket/key of an archive", _import_source)
]
ExportDirectory = Annotated[
    ObsLocation, Kind("directory", _PLACE, partial(_directory, reserve=BATCH_DIRECTORY + ARCHIVE_NAME))
]
#: of a catalogue of backups
CatalogueDirectory = Annotated[
    ObsLocation, Kind("directory", _PLACE, partial(_directory, reserve=_BACKUP + BATCH_DIRECTORY + ARCHIVE_NAME))
]
ReportDirectory = Annotated[
    ObsLocation | None, Kind("optional directory", _PLACE, partial(_directory, reserve=_REPORT_NAME), *_AS_OMITTED)
]
StagingDirectory = Annotated[
    ObsLocation | None, Kind("optional directory", _PLACE, partial(_directory, reserve=_STAGED_NAME), *_AS_OMITTED)
]
SavepointDirectory = Annotated[
    ObsLocation | None, Kind("optional directory of savepoints", _PLACE, _directory, *_AS_OMITTED)
]

# Flags, numbers, durations, choices, connections

#: a hundred years: nobody waits longer, and clocks cannot count much further
_MAX_SECONDS = 100 * 365 * 86_400
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_CALENDAR = re.compile(r"[+-]?P[^T]*[YM]")
_TIMEDELTA: TypeAdapter[timedelta] = TypeAdapter(timedelta)
_CONN_ID = re.compile(r"[\w#!()\-.:/\\]{1,250}")
_IDS_OF_CONNECTIONS = ListForm(lambda text: re.split(r"[,\n]", text), may_be_empty=False)


def _flag(value: object) -> object:
    value = bare(value)
    # Neither "yes" nor 1, which pydantic takes as well: those come from a field that is something else.
    if not (isinstance(value, bool) or (isinstance(value, str) and value.lower() in {"true", "false"})):
        raise Refused(f"{excerpt(value)} is neither True nor False")
    return value


def _count(value: object) -> int:
    number = whole_number(bare(value))
    if number is None:
        raise Refused(f"{excerpt(value)} is not a whole number")
    return number


def _count_or_all(value: object) -> object:
    return "all" if bare(value) == "all" else _count(value)


def _seconds(value: object) -> float:
    value = bare(value)
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


def _seconds_in_text(text: str) -> object:
    if _NUMBER.fullmatch(text):
        return float(text)
    # As Python writes a timedelta, "1 day, 0:00:10", or ISO 8601; of months and years the length is not known.
    if not (":" in text or text.upper().startswith("P")) or _CALENDAR.match(text.upper()):
        return text
    try:
        return _TIMEDELTA.validate_python(text)
    except ValidationError:
        return text


def _conn_id(value: object) -> str:
    value = bare(value)
    if not isinstance(value, str) or not _CONN_ID.fullmatch(value) or "://" in value:
        raise Refused(f"{excerpt(value)} cannot be the id of a connection")
    return str(value)


def _conn_ids(value: object) -> tuple[str, ...]:
    # An id may have parentheses, as a list has that Python has written.
    if isinstance(value, str) and _CONN_ID.fullmatch(value.strip()) and value.lstrip()[0] != "(":
        return (_conn_id(value),)
    return tuple(dict.fromkeys(_conn_id(item) for item in leaves(value, _IDS_OF_CONNECTIONS)))


def _strings(value: object) -> Mapping[str, str]:
    return {_string("a key", key): _string(excerpt(key), text) for key, text in mapping(value).items()}


def _string(where: str, item: object) -> str:
    text = item if whole_number(item) is None else str(item)
    if not isinstance(text, str) or is_nothing(text):
        raise Refused(f"{where} is {excerpt(item)}, not a string with something in it")
    return text


def _time_zone(value: object) -> ZoneInfo:
    name = bare(value)
    if not isinstance(name, str):
        raise Refused(f"{excerpt(value)} is not a time zone")
    try:
        return ZoneInfo(str(name))
    except (LookupError, OSError, ValueError):
        raise Refused(f"{excerpt(name)} is not a time zone") from None


def _one_of(choices: object) -> Kind:
    return Kind("choice", f"give one of {', '.join(get_args(choices))}", bare)


Flag = Annotated[bool, Kind("flag", "give True or False", _flag)]
OptionalFlag = Annotated[bool | None, Kind("optional flag", "give True or False", _flag, *_AS_OMITTED)]
PositiveInt = Annotated[
    int, Field(ge=1, lt=1 << 31), Kind("whole number", "give a whole number, 1 or more", _count)
]
Concurrency = Annotated[
    int, Field(ge=1, le=32), Kind("number of threads", "give a whole number from 1 to 32", _count)
]
Count = Annotated[
    int,
    Field(ge=0, lt=1 << 31),
    Kind("whole number or 0", "give a whole number, 0 or more; omit it for any number", _count),
]
Keep = Annotated[
    int,
    Field(ge=0, lt=1 << 31),
    Kind("whole number or 0", "give a whole number; 0 does not apply the rule", _count),
]
TimeZone = Annotated[
    ZoneInfo, Kind("time zone", "give the name of a time zone, such as Europe/Berlin or UTC", _time_zone)
]
Seconds = Annotated[
    float,
    Field(ge=0, le=_MAX_SECONDS, allow_inf_nan=False),
    Kind("seconds", "give seconds, 0 or more and at most a hundred years, or a timedelta", _seconds),
]
_ABOVE_0 = "give seconds above 0 and at most a hundred years, or a timedelta"
_Positive = Annotated[float, Field(gt=0, le=_MAX_SECONDS, allow_inf_nan=False)]
PositiveSeconds = Annotated[_Positive, Kind("positive seconds", _ABOVE_0, _seconds)]
MaxAge = Annotated[_Positive, Kind("age", f"{_ABOVE_0}; omit it for any age", _seconds)]
ProofAge = Annotated[_Positive, Kind("age of a verification", f"{_ABOVE_0}; omit it for any age", _seconds)]
DrillAge = Annotated[_Positive, Kind("age of a drill", f"{_ABOVE_0}; omit it to require none", _seconds)]
AllOrPositiveInt = Annotated[
    Literal["all"] | Annotated[int, Field(ge=1, lt=1 << 31)],
    Kind("whole number or all", "give a whole number, 1 or more, or 'all'", _count_or_all),
]
TimeLimit = Annotated[_Positive, Kind("time limit", f"{_ABOVE_0}; omit it for none", _seconds)]
EmptyChoice = Annotated[IfEmpty, _one_of(IfEmpty)]
LevelChoice = Annotated[Level, _one_of(Level)]
SensorLevelChoice = Annotated[
    Literal["exists", "directory"],
    Kind("choice", "give 'exists' or 'directory'; DliVerifyFlinkExportOperator reads every byte", bare),
]
Conflict = Literal["fail", "keep"]
ConflictChoice = Annotated[Conflict, _one_of(Conflict)]
RestoreConflict = Literal["fail", "keep", "replace"]
RestoreConflictChoice = Annotated[RestoreConflict, _one_of(RestoreConflict)]
TargetStateChoice = Annotated[TargetState, _one_of(TargetState)]
RunTarget = Literal["running", "finished"]
RunTargetChoice = Annotated[RunTarget, _one_of(RunTarget)]
_CONNECTION = "give the id of a connection of type dli"
ConnId = Annotated[str, Kind("connection", _CONNECTION, _conn_id)]
OptionalConnId = Annotated[str | None, Kind("optional connection", _CONNECTION, _conn_id, *_AS_OMITTED)]
ConnIds = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    Kind("connections", f"{_CONNECTION}, a list of them, or a string with commas between", _conn_ids),
]
Strings = Annotated[
    Mapping[str, str],
    Kind("mapping of strings", "give a mapping of strings to strings, none empty; omit it to have none", _strings),
]

# Projects, and sizes

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(i?)B", re.IGNORECASE)


def _project_ids(value: object) -> tuple[str, ...]:
    found = (_matching("the id of a project", _PROJECT, item) for item in leaves(value, _WITH_COMMAS))
    return tuple(dict.fromkeys(found))


def _bytes(value: object) -> int:
    value = bare(value)
    if isinstance(value, str) and (found := _SIZE.fullmatch(value.strip())):
        return int(float(found[1]) * (1024 if found[3] else 1000) ** " KMGT".index(found[2].upper() or " "))
    return _count(value)


ProjectIds = Annotated[
    tuple[str, ...],
    Kind("project ids", "give a list of ids, or a string with commas between", _project_ids, "as if omitted", ()),
]
Size = Annotated[
    int | None,
    Field(ge=1, lt=1 << 63),
    Kind("size", "give bytes, or a string such as '50 GiB'; None for no limit", _bytes, "no limit", None),
]

# Filters of a selection

#: how a list begins that Python or JSON has written; what such a list has that no name or wildcard does
_LIST = re.compile(r"\s*([\[({]|[A-Za-z_][\w.]*\()")
_NO_WILDCARD = re.compile(r"""['"()<]""")
_JOB_TYPES = ("flink_sql_job", "flink_opensource_sql_job", "flink_sql_edge_job", "flink_jar_job")


def _wildcards(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_wildcard(item) for item in _items(value)))


def _wildcard(item: object) -> str:
    name = _name(item)
    try:
        re.compile(translate(name))
    except re.error:
        raise Refused(f"{excerpt(name)} is not a valid wildcard") from None
    return name


def _exclusions(value: object) -> tuple[int | str, ...]:
    return tuple(dict.fromkeys(_id_or(_wildcard, item) for item in _items(value)))


def _statuses(value: object) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(_name(item) for item in _items(value)))
    for status in found:
        if status not in PHASES:
            raise Refused(f"{excerpt(status)} is not a status of a job", f"give some of {', '.join(PHASES)}")
    return found


#: of filters
_WITH_COMMAS = ListForm(lambda text: text.split(","), _split_item, written=False)


def _items(value: object) -> list[object]:
    return leaves(_as_list(value), _WITH_COMMAS)


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


def _job_type(value: object) -> object:
    value = bare(value)
    if value not in _JOB_TYPES:
        raise Refused(f"{excerpt(value)} is not a type of a job")
    return value


def _tags(value: object) -> tuple[tuple[str, str], ...]:
    if isinstance(value, str) and not value.strip().startswith(("{", "[", "(")):
        pairs: list[Any] = [pair.partition("=")[::2] if "=" in pair else ("", "=") for pair in value.split(",")]
    else:
        pairs = list(mapping(value).items())
    for key, text in pairs:
        if is_nothing(text):
            raise PartIsNothing(f"the value of {excerpt(key)}", text)
    tags = tuple(("" if key == "" else _name(key), _name(text)) for key, text in pairs)
    # A comma or an equals sign would make two tags of one, or another one.
    if not all(key and not set("=,") & set(key + text) for key, text in tags):
        raise Refused(f"{excerpt(value)} has a tag that is not key=value, or a comma or equals sign in one")
    return tags


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


def _changed_since(value: object) -> datetime | Literal["last_backup"]:
    return "last_backup" if bare(value) == "last_backup" else _moment(value)


def _matching(what: str, pattern: re.Pattern[str], value: object) -> str:
    text = bare(value)
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise Refused(f"{excerpt(value)} is not {what}")
    return text


_PROJECT = re.compile(r"[0-9A-Za-z_-]{1,64}")
_BACKUP_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_NO_FILTER = "no filter"
_MOMENT = "give a datetime, or a string in ISO 8601 such as 2026-01-15T08:00Z"
PointInTime = Annotated[datetime | None, Kind("point in time", _MOMENT, _moment, *_AS_OMITTED)]
ProjectId = Annotated[
    str | None,
    Kind(
        "project id",
        "give the name of a directory of the catalogue, which is the id of a project",
        partial(_matching, "the id of a project", _PROJECT),
        *_AS_OMITTED,
    ),
]
BackupId = Annotated[
    str | None,
    Kind(
        "backup id",
        "give the name of a directory of a project, such as 20260115T080000Z-01234567",
        partial(_matching, "the id of a backup", _BACKUP_ID),
        *_AS_OMITTED,
    ),
]
RestoredNames = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    Kind(
        "names of a backup",
        "give wildcards for names, a list, or a string with commas between; '*' or omit it for all jobs",
        _wildcards,
    ),
]
Patterns = Annotated[
    tuple[str, ...],
    Kind("names", "give wildcards for names, a list, or a string with commas between", _wildcards, _NO_FILTER, ()),
]
JobType = Annotated[
    str | None, Kind("job type", f"give one of {', '.join(_JOB_TYPES)}", _job_type, _NO_FILTER, None)
]
Statuses = Annotated[
    tuple[str, ...], Kind("statuses", "give a list, or a string with commas between", _statuses, _NO_FILTER, ())
]
String = Annotated[
    str | None, Kind("string", "give one string", lambda value: _name(bare(value)), _NO_FILTER, None)
]
Tags = Annotated[
    tuple[tuple[str, str], ...],
    Kind("tags", "give a mapping, or a string key=value,key=value", _tags, _NO_FILTER, ()),
]
ChangedSince = Annotated[
    datetime | Literal["last_backup"] | None,
    Kind("time", f"{_MOMENT}, or 'last_backup'", _changed_since, _NO_FILTER, None),
]
Exclusions = Annotated[
    tuple[int | str, ...], Kind("ids or names", "give ids, or wildcards for names", _exclusions, _NO_FILTER, ())
]
