"""From what a DAG author, a template or the trigger form gives to what a call takes.

A template or a form gives text where Python code gives a list: ``"100, 101"``, one id a line, or a list as
Jinja writes it, ``"[100, 101]"``.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.flink import checked_job_ids
from airflow_provider_dli.client.locations import ObsLocation, parse_archive
from airflow_provider_dli.selection import Selection

_FLAGS = {"true": True, "false": False}
_JOB_IDS = "give a list of ids, or a text of ids with commas between; leave it out for all jobs"
_SELECTION = "give a mapping, such as {'name_pattern': 'orders_*'}"
#: most characters of a text that a message shows
_SHOWN = 80


def selected_jobs(job_selected: object, is_selected: object, *, given: bool) -> list[int] | None:
    """Return the ids of the jobs to export, or None for all jobs of the project.

    :param job_selected: ids as a list, one id, or a text; None for all jobs
    :param is_selected: None to follow from ``job_selected``; else it must agree with it
    :param given: whether the author gave a selection, so that one that rendered to nothing is no "all jobs"
    :raises ConfigurationError: if the selection is empty, is no list of ids, or disagrees with ``is_selected``
    """
    if is_selected is not None and not isinstance(is_selected, bool):
        raise ConfigurationError("is_selected", f"{is_selected!r} is no boolean", "give True, False or None")
    if job_selected is None and given:
        raise ConfigurationError("job_selected", "was given and turned out to be None", _JOB_IDS)
    if job_selected is None:
        if is_selected:
            raise ConfigurationError("job_selected", "is missing although is_selected is True", _JOB_IDS)
        return None
    if is_selected is False:
        raise ConfigurationError(
            "is_selected", "is False although job_selected names jobs", "leave one of the two out"
        )
    ids = [_job_id(item) for item in _items("job_selected", job_selected)]
    return checked_job_ids("job_selected", ids, or_all=True)


def selection_of(given: object) -> Selection:
    """Return which jobs are meant.

    :param given: a mapping, or one as JSON or a template writes it
    :raises ConfigurationError: naming the field, if one is unknown or cannot be used
    """
    return Selection.read(_mapping("selection", given, _SELECTION), within="selection.")


def exported_selection(selection: object, *, given: bool) -> Selection | None:
    """Return which jobs to export, or None where no selection says so.

    :param selection: a mapping, or one as JSON or a template writes it
    :param given: whether the author gave one, so that one that rendered to nothing is no "all jobs"
    :raises ConfigurationError: if it is None though given, has nothing in any of its fields, or cannot be used
    """
    if selection is None and given:
        raise ConfigurationError(
            "selection", "was given and turned out to be None", f"{_SELECTION}; leave it out for all jobs"
        )
    if selection is None:
        return None
    fields = _mapping("selection", selection, _SELECTION)
    chosen = selection_of(fields)
    # A form that nobody filled in: whoever means all jobs says so.
    if fields and chosen == Selection():
        raise ConfigurationError(
            "selection", f"has nothing in {', '.join(fields)}", "fill one in; for all jobs give selection={}"
        )
    return chosen


def texts_of(name: str, given: object) -> Mapping[str, str]:
    """Return a mapping of texts to texts; an empty one for nothing.

    :param name: the parameter it comes from, for messages
    :param given: a mapping, or one as JSON or a template writes it
    :raises ConfigurationError: if it is none
    """
    is_nothing = not given or (isinstance(given, str) and not given.strip())
    return {} if is_nothing else _mapping(name, given, "give a mapping of texts to texts")


def job_ids(name: str, given: object) -> list[int]:
    """Return ids of jobs that must be named.

    :param name: the parameter they come from, for messages
    :param given: a list, one id, or a text of ids with commas, blanks or newlines between
    :raises ConfigurationError: if there is none, or one is none
    """
    if given is None:
        raise ConfigurationError(name, "names no job", "give a list of ids, or a text with commas between")
    return checked_job_ids(name, [_job_id(item) for item in _items(name, given)])


def is_empty(given: object) -> bool:
    """Tell whether a list of jobs names none, in whatever form.

    :param given: a list, a text, or None
    """
    return given is None or (not isinstance(given, int) and not _items("job_ids", given))


def archive_places(zip_file: object) -> list[ObsLocation]:
    """Return the place of each archive, each once, in their order.

    :param zip_file: one entry, a list of them, or a list as a template writes it
    :raises ConfigurationError: if there is none, or one does not name a bucket and an object
    """
    items: Iterable[object] = [zip_file] if _is_one_entry(zip_file) else _items("zip_file", zip_file)
    places = list(dict.fromkeys(parse_archive("zip_file", item) for item in items))
    if not places:
        raise ConfigurationError("zip_file", "names no archive", "give the list that the export returned")
    return places


def one_place(zip_file: object) -> str:
    """Return the one archive or directory to import from.

    :param zip_file: one entry, or a list with one, as an export returns it
    :raises ConfigurationError: if it is neither
    """
    items = [zip_file] if _is_one_entry(zip_file) else _items("zip_file", zip_file)
    if len(items) != 1 or not isinstance(items[0], str):
        raise ConfigurationError(
            "zip_file",
            f"names {len(items)} archives",
            "give one archive, or the directory of several; expand the operator over a list",
        )
    return items[0]


def expected_jobs(jobs: object, *, given: bool, name: str = "expected_jobs") -> tuple[int | str, ...]:
    """Return ids or names of jobs that must be in an archive; none if none were given.

    :param jobs: a list, one id or name, or a text with commas between
    :param given: whether the author gave any, so that nothing rendered is no "any jobs"
    :param name: the parameter they come from, for messages
    :raises ConfigurationError: if it is empty, or holds what is no id or name
    """
    remedy = "give a list of ids or names; leave it out to expect no jobs by name"
    if jobs is None and not given:
        return ()
    items = [] if jobs is None else [_job_id(item) for item in _items(name, jobs)]
    if not items:
        raise ConfigurationError(name, "was given and turned out to be empty", remedy)
    for item in items:
        if isinstance(item, bool) or not isinstance(item, (int, str)) or item == "":
            raise ConfigurationError(name, f"holds {str(item)[:80]!r}, no id or name", remedy)
    return tuple(item for item in items if isinstance(item, (int, str)))


def flag(field: str, value: object) -> bool:
    """Return a yes or no.

    :param field: the parameter it comes from, for the message
    :param value: a boolean, or one as a template writes it
    :raises ConfigurationError: if it is neither
    """
    if isinstance(value, bool):
        return value
    text = value.strip().lower() if isinstance(value, str) else None
    if text not in _FLAGS:
        raise ConfigurationError(field, f"{value!r} is neither yes nor no", "give True or False")
    return _FLAGS[text]


def seconds(field: str, value: object) -> float:
    """Return a length of time in seconds.

    :param field: the parameter it comes from, for the message
    :param value: seconds, or a timedelta
    :raises ConfigurationError: if it is neither, or not positive
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 < number < math.inf:
        raise ConfigurationError(field, f"{value!r} is no length of time", "give seconds above 0, or a timedelta")
    return float(number)


def _is_one_entry(value: object) -> bool:
    # A key may hold commas and blanks, so only what looks like a list is taken apart.
    return isinstance(value, str) and not value.strip().startswith("[")


def _items(field: str, value: object) -> list[object]:
    if isinstance(value, str):
        return _items_of_text(field, value.strip())
    if isinstance(value, Iterable) and not isinstance(value, (Mapping, bytes)):
        return list(value)
    return [value]


def _items_of_text(field: str, text: str) -> list[object]:
    if not text.startswith("["):
        return [item for item in re.split(r"[,;\s]+", text) if item]
    items = literal(field, text, "close the bracket, quote texts")
    return list(items) if isinstance(items, list) else [items]


def _mapping(field: str, given: object, remedy: str) -> Mapping[str, Any]:
    value = literal(field, given, remedy) if isinstance(given, str) else given
    if not isinstance(value, Mapping):
        raise ConfigurationError(field, f"{given!r} is no mapping", remedy)
    return value


def literal(field: str, text: str, remedy: str) -> object:
    """Read what a template writes: JSON, or Python's own way.

    :param field: the parameter it comes from, for the message
    :param text: what was written
    :param remedy: what would be right
    :raises ConfigurationError: if it is neither
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        shown = f"{text[:_SHOWN]!r}{' …' if len(text) > _SHOWN else ''}"
        raise ConfigurationError(field, f"{shown} cannot be read", remedy) from None


def _job_id(item: object) -> object:
    is_number = isinstance(item, str) and re.fullmatch(r"[0-9]{1,19}", item.strip())
    return int(item) if isinstance(item, str) and is_number else item
