"""Read the Flink jobs of a project, by filters, all at one moment, or by their ids; and push them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.flink import FlinkJob, is_missing, job_pages
from airflow_provider_dli.client.flink.pages import MAX_PAGE
from airflow_provider_dli.client.flink.search import JobSearch, has_settings, is_unlisted
from airflow_provider_dli.compat import conf
from airflow_provider_dli.exceptions import DliException, DliFailException, read_parameters
from airflow_provider_dli.formatting import format_ids, log_table, pluralize
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.parameters.models import ListParameters

if TYPE_CHECKING:
    from collections.abc import Sequence
    from logging import Logger

    from airflow_provider_dli.client.call import QueryValue
    from airflow_provider_dli.compat import BaseOperator
    from airflow_provider_dli.parameters.models import Selection

#: seconds before ``changed_since`` in which a change counts still: clocks agree to a second or two at best
_CLOCK_MARGIN = 5.0
#: jobs that are requested one by one at a time: a key is locked after more than five refusals
_REQUESTS = 4
#: bytes as JSON, at most, of an XCom in Airflow's database
_LARGEST_XCOM = 64_000


def prepare(operator: object) -> tuple[ListParameters, DliHook]:
    """Return the parameters of an operator, all of them checked, and the hook of its connection.

    :raises DliFailException: naming each parameter that cannot be used
    """
    options = read_parameters(ListParameters, operator)
    return options, DliHook(options.dli_conn_id)


def select_jobs(hook: DliHook, selection: Selection, log: Logger) -> list[FlinkJob]:
    """Return the selected jobs, oldest first, and log them as a table.

    :raises DliException: if DLI does not respond, or refuses
    """
    jobs = matching_jobs(hook, selection)
    log.info("Selected %s of project %s by: %s", pluralize(len(jobs), "Flink job"), hook.project_id, selection)
    if jobs:
        rows = [(job.job_id, job.name, job.job_type, job.status, job.queue_name) for job in jobs]
        log_table(log, ("id", "name", "type", "status", "queue"), rows)
    return jobs


def matching_jobs(hook: DliHook, selection: Selection) -> list[FlinkJob]:
    """Return the selected jobs, oldest first.

    :param selection: filters, none of which needs a catalogue of backups
    :raises DliException: if DLI does not respond, or refuses
    """
    listed = list(hook.walk(job_pages(_query(selection))))
    # The clock offset is known as soon as a page has come.
    matching = [job for job in listed if _matches(selection, job, hook.clock_offset or 0.0)]
    names = {job.job_id: job.name for job in listed}
    named = named_ids(names, selection.name_pattern) if selection.name_pattern else names.keys()
    wanted = named - named_ids(names, selection.exclude)
    return [job for job in matching if job.job_id in wanted]


def _query(selection: Selection) -> dict[str, QueryValue]:
    """Return the filters that DLI applies itself (dli_02_0234)."""
    query: dict[str, QueryValue | None] = {
        "job_type": selection.job_type,
        # Whether DLI takes several at once is not documented.
        "status": selection.status[0] if len(selection.status) == 1 else None,
        "queue_name": selection.queue_name,
        "user_name": selection.user_name,
        "tags": ",".join(f"{key}={value}" for key, value in selection.tags) or None,
        "show_detail": True if selection.changed_since else None,
    }
    return {name: value for name, value in query.items() if value is not None}


def _matches(selection: Selection, job: FlinkJob, clock_offset: float) -> bool:
    """Return whether a listed job passes the filters that DLI does not have, but those of names.

    :param clock_offset: seconds by which DLI's clock, which wrote the times of the job, is ahead of Airflow's,
        which ``changed_since`` is from
    """
    if selection.status and job.status not in selection.status:
        return False
    # When a job without these times was changed is not known: rather one too many than one too few.
    changed = max(job.create_time or 0, job.update_time) if job.update_time is not None else 0
    if isinstance(selection.changed_since, datetime) and changed:
        since = selection.changed_since.timestamp() + clock_offset - _CLOCK_MARGIN
        return changed >= since * 1000
    return True


def named_ids(names: Mapping[int, str], given: Iterable[int | str]) -> set[int]:
    """Return the ids of jobs that are named by their ids, or by wildcards for their names.

    Names may have brackets, as wildcards have: what is the name of a job and has neither ``*`` nor ``?`` is that
    name alone.

    :param names: of all jobs that there are, by id
    """
    known = {*names.values()}
    found: set[int] = set()
    for each in given:
        if isinstance(each, int):
            found |= {each} & names.keys()
        elif each in known and not {*"*?"} & {*each}:
            found |= {job_id for job_id, name in names.items() if name == each}
        else:
            found |= {job_id for job_id, name in names.items() if name == each or fnmatchcase(name, each)}
    return found


def each_with_settings(hook: DliHook) -> Iterator[FlinkJob]:
    """Yield all jobs that this key sees, each with all its settings, while they are listed.

    By the list with details, a request for a hundred jobs. Some editions of the manual exchange which fields it
    has (dli_02_0234): a job that it shows without its settings is requested by itself.
    """
    listed = hook.list_flink_jobs(show_detail=True)
    while page := list(islice(listed, MAX_PAGE)):
        yield from filter(has_settings, page)
        yield from _each_by_itself(hook, [job.job_id for job in page if not has_settings(job)])


def each_of_ids(hook: DliHook, job_ids: Collection[int]) -> Iterator[FlinkJob]:
    """Yield the jobs of these ids that this key sees, in any order, each with all its settings.

    They are listed where that takes fewer requests; the others are requested by themselves, several at a time.
    """
    search = JobSearch(job_ids)
    yield from _listed(hook, search)
    yield from _each_by_itself(hook, sorted(search.rest))


def read_jobs(hook: DliHook, job_ids: Collection[int]) -> Iterator[tuple[int, FlinkJob | None]]:
    """Yield each of these ids with its job, as :func:`each_of_ids` does, but with one request at a time.

    :returns: None in place of a job that this key does not see
    """
    search = JobSearch(job_ids)
    yield from ((job.job_id, job) for job in _listed(hook, search))
    yield from ((job_id, get_job_or_none(hook, job_id)) for job_id in search.rest)


def _listed(hook: DliHook, search: JobSearch) -> Iterator[FlinkJob]:
    """Yield the jobs of a search that the list shows, as far as it may be read."""
    while call := search.next_call():
        try:
            page = hook.run(call)
        except DliException as error:
            if is_unlisted(error.error):
                return
            raise
        yield from search.accept(page)


def _each_by_itself(hook: DliHook, job_ids: Sequence[int]) -> Iterator[FlinkJob]:
    """Yield jobs that are requested one by one, several at a time."""
    get = partial(get_job_or_none, hook)
    with ThreadPoolExecutor(_REQUESTS) as pool:
        for start in range(0, len(job_ids), _REQUESTS):
            # The next are requested when these have come: a key that is refused meanwhile is not sent on and on.
            yield from filter(None, pool.map(get, job_ids[start : start + _REQUESTS]))


def list_with_settings(hook: DliHook) -> list[FlinkJob]:
    """Return all jobs that this key sees, each with all its settings, in the order of their ids."""
    return sorted(each_with_settings(hook), key=lambda job: job.job_id)


def get_jobs(hook: DliHook, job_ids: Sequence[int]) -> dict[int, FlinkJob]:
    """Return jobs that must all exist.

    :raises DliFailException: naming those that this key does not see
    """
    found = dict(read_jobs(hook, job_ids))
    jobs = {job_id: found[job_id] for job_id in job_ids}
    if missing := [job_id for job_id, job in jobs.items() if job is None]:
        raise DliFailException(
            f"job_ids: this key sees no job {format_ids(missing)} in project {hook.project_id}; name jobs that it "
            "sees. No request was sent for the others."
        )
    return {job_id: job for job_id, job in jobs.items() if job is not None}


def get_job_or_none(hook: DliHook, job_id: int) -> FlinkJob | None:
    """Return a job; None if this key sees no job with this id."""
    try:
        return hook.get_flink_job(job_id)
    except DliException as error:
        if is_missing(error.error):
            return None
        raise


def push_jobs(task: BaseOperator, context: Mapping[str, Any], jobs: list[dict[str, Any]]) -> list[int]:
    """Push jobs as the XCom ``jobs``, unless they are too large for Airflow's database; return their ids.

    All or none: of a part nobody would notice that it is one.

    :param jobs: a row for each
    """
    instead = "The XCom return_value has their ids; DliHook.list_flink_jobs reads them from DLI."
    if fits_xcom("jobs", jobs, task.log, instead) and task.do_xcom_push and (task_instance := context.get("ti")):
        task_instance.xcom_push(key="jobs", value=jobs)
    return [job["job_id"] for job in jobs]


def fits_xcom(key: str, jobs: Sequence[object], log: Any, instead: str) -> bool:  # noqa: ANN401 -- of either Airflow
    """Return whether jobs may be pushed as an XCom, and log it if they are too large for Airflow's database.

    Another XCom backend than Airflow's own may keep them elsewhere, whatever their size.

    :param key: of the XCom
    :param jobs: a row for each, plain JSON values
    :param instead: a sentence on where they are
    """
    backend = conf.get("core", "xcom_backend", fallback="")
    if (size := len(json.dumps(jobs))) <= _LARGEST_XCOM or not backend.endswith(".BaseXCom"):
        return True
    log.info(
        "There is no XCom %s: %s take %s bytes, and at most %s are pushed. %s",
        *(key, pluralize(len(jobs), "job"), f"{size:,}", f"{_LARGEST_XCOM:,}", instead),
    )
    return False
