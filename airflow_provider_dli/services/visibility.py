"""Which jobs this key sees, and whether they are as many as expected.

A user without ``dli:jobs:listAll`` sees only its own jobs, and no error reports it: the list, and perhaps the
archive of "all jobs", is only shorter. So an export lists the jobs before its request. Their number is logged,
pushed and compared: with ``expected_min_jobs`` before anything is exported, and with what was seen before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.errors import AuthenticationError
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.formatting import format_ids, pluralize

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.parameters.models import JobsToExport

#: prefix of the XCom key of what the next run compares with; the project's id follows, so that runs in other
#: projects do not come between
_LAST_SEEN = "last_seen_"
#: how long after its time a run begins at most, unless it is a late one
_PAST = timedelta(days=1)
_LIST_ALL = "Without dli:jobs:listAll a user sees only its own jobs"


@dataclass(frozen=True, slots=True)
class SeenBefore:
    """The jobs of an earlier time.

    :param by: what has seen them, in words
    """

    job_ids: Collection[int]
    by: str


@dataclass(frozen=True, slots=True)
class VisibleJobs:
    """The jobs to export, of those that this key sees.

    :param project_id: theirs
    :param job_ids: sorted
    :param is_all: whether they are all, and not selected by filters: no later run compares its own with the latter
    :param missing: those that were seen before and this key sees no more
    :param seen_by: what has seen them, in words
    :param is_accepted: whether no more are missing than ``max_missing`` allows: if not, the next run compares its
        jobs also with those that are missing
    """

    project_id: str
    job_ids: tuple[int, ...]
    is_all: bool
    missing: tuple[int, ...] = ()
    seen_by: str = ""
    is_accepted: bool = True

    @property
    def xcoms(self) -> dict[str, Any]:
        """What the task pushes, by the XCom keys."""
        if not self.is_all:
            return {"selected_job_ids": list(self.job_ids)}
        ids = list(self.job_ids)
        last_seen = ids if self.is_accepted else sorted({*ids, *self.missing})
        pushed: dict[str, Any] = {
            "visible_jobs": len(ids),
            "visible_job_ids": ids,
            "visible_project_id": self.project_id,
            f"{_LAST_SEEN}{self.project_id}": last_seen,
        }
        return pushed | ({"missing_since_last": list(self.missing)} if self.missing else {})


def warn_of_past_run(context: Mapping[str, Any], log: Logger) -> None:
    """Log if a run is for a time in the past, as by a backfill or a catchup: DLI shows the jobs of now alone."""
    # A weekly run begins at the end of its interval, and a manual one has the interval before it.
    times = (context.get("logical_date"), context.get("data_interval_end"))
    latest = max((each for each in times if isinstance(each, datetime)), default=None)
    is_backfill = getattr(context.get("dag_run"), "run_type", None) == "backfill"
    if latest and (is_backfill or datetime.now(UTC) - latest > _PAST):
        log.warning(
            "This run is for %s, and exports the jobs as they are now: DLI does not show how they were then. A "
            "backfill or catchup makes the same backup again and again: give catchup=False.",
            f"{latest.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        )


def list_visible_jobs(options: JobsToExport, dli: DliHook, log: Logger) -> list[FlinkJob] | None:
    """Return all jobs that this key sees, and log how many; None if that is not known and no check needs it.

    :raises DliException: if they cannot be listed, and ``expected_min_jobs`` or ``max_missing`` is given; or if
        the key itself is refused
    """
    try:
        jobs = list(dli.list_flink_jobs())
    except DliException as error:
        # Refused keys are not sent once more: more than five failures lock them.
        if error.error is None or isinstance(error.error, AuthenticationError):
            raise
        if needed := [name for name in ("expected_min_jobs", "max_missing") if name in options.model_fields_set]:
            raise type(error)(
                f"{' and '.join(needed)}: which jobs this key sees is not known, and nothing was exported: "
                f"{error.problem}.",
                advice=error.advice,
            ) from error.error
        log.warning("Which Flink jobs this key sees is not known, and so not whether any is missing. %s", error)
        return None
    owners = sorted({job.user_name for job in jobs if job.user_name})
    made_by = f", made by {pluralize(len(owners), 'user')}: {format_ids(owners)}" if owners else ""
    hint = f". {_LIST_ALL}" if len(owners) <= 1 else ""
    identity, count = dli.account.credentials.identity, pluralize(len(jobs), "Flink job")
    log.info("This key (%s) sees %s of project %s%s%s.", identity, count, dli.project_id, made_by, hint)
    return jobs


def checked_jobs(
    job_ids: Iterable[int],
    options: JobsToExport,
    dli: DliHook,
    before: SeenBefore | None,
    log: Logger,
    *,
    damaged: Sequence[str] = (),
) -> VisibleJobs:
    """Check the jobs that are to be exported, before they are.

    :param before: to compare with, if all jobs are to be exported
    :param damaged: why there is nothing to compare with although there was
    :raises DliFailException: if there are fewer than ``expected_min_jobs``
    """
    ids = tuple(sorted(job_ids))
    if len(ids) < options.expected_min_jobs:
        filters = "" if options.compares_all_jobs else f" by {options.selection.of_project}"
        raise DliFailException(
            f"expected_min_jobs: this key sees {pluralize(len(ids), 'Flink job')} of project {dli.project_id}"
            f"{filters}, and {options.expected_min_jobs:,} or more are expected. Nothing was exported.",
            advice=f"{_LIST_ALL}: grant it by policy. Or correct expected_min_jobs.",
        )
    missing: tuple[int, ...] = ()
    if before:
        missing = tuple(sorted(set(before.job_ids) - set(ids)))
        log.info("Seen before, by %s: %s.", before.by, pluralize(len(before.job_ids), "job"))
    elif damaged:
        log.warning(
            "max_missing: no job counts as missing, since the lists of jobs to compare with are damaged: %s. "
            "Restore these objects from another copy or version of them.",
            format_ids(damaged),
        )
    elif options.compares_all_jobs and "max_missing" in options.model_fields_set:
        log.warning(
            "max_missing: nothing to compare with, so no job counts as missing. No earlier run of this task "
            "(if mapped, with this map index) has recorded which jobs of project %s it saw.",
            dli.project_id,
        )
    if missing:
        log.warning(
            "This key does not see %s of them any more: %s", pluralize(len(missing), "job"), format_ids(missing)
        )
    is_accepted = len(missing) <= options.max_missing
    seen_by = before.by if before else ""
    return VisibleJobs(dli.project_id, ids, options.compares_all_jobs, missing, seen_by, is_accepted)


def last_seen(
    options: JobsToExport, project_id: str, context: Mapping[str, Any], log: Logger
) -> SeenBefore | None:
    """Return the jobs that the last run of the task has seen; None if that is not known, or jobs are selected.

    :raises DliException: if ``max_missing`` is given, and they cannot be read
    """
    if not options.compares_all_jobs:
        return None
    instance: Any = context.get("ti")
    seen = None
    try:
        if hasattr(instance, "xcom_pull"):
            # Of the last run that has pushed it, of the same mapped instance.
            of: Any = {
                "task_ids": instance.task_id,
                "map_indexes": instance.map_index,
                "include_prior_dates": True,
            }
            seen = instance.xcom_pull(key=f"{_LAST_SEEN}{project_id}", **of)
    except Exception as error:
        problem = f"which jobs the last run of this task has seen cannot be read from its XComs: {error}"
        if "max_missing" in options.model_fields_set:
            advice = "Check that the XComs of the last run can be read, or omit max_missing."
            raise DliException(f"max_missing: {problem}. Nothing was exported.", advice=advice) from error
        log.warning("Whether any job is missing is not known: %s", problem)
        return None
    if not isinstance(seen, list) or not all(isinstance(each, int) for each in seen):
        return None
    return SeenBefore(seen, "the last run of this task")


def raise_for_missing(visible: VisibleJobs | None, options: JobsToExport) -> None:
    """Raise if more jobs are missing than ``max_missing`` allows; the others have been exported.

    :raises DliFailException: naming them
    """
    if visible is None or visible.is_accepted:
        return
    others = (
        "The others are exported: the XCom zip_file lists the archives" if visible.job_ids else "It sees no other"
    )
    raise DliFailException(
        f"max_missing: {len(visible.missing):,} of the jobs that {visible.seen_by} has seen are missing, "
        f"{options.max_missing:,} may be: this key does not see {format_ids(visible.missing)} any more. "
        f"{others}.",
        advice=f"{_LIST_ALL}: check its permissions. If the jobs were deleted, run the task once with a higher "
        'max_missing; max_missing="{{ params.max_missing }}" takes it from the form of the run.',
    )


def raise_for_none(visible: VisibleJobs | None, options: JobsToExport) -> None:
    """Raise if this key sees no job at all, and ``if_empty`` is ``fail``: nothing has been requested.

    :raises DliFailException: naming the project
    """
    if visible is None or visible.job_ids or not visible.is_all or options.if_empty != "fail":
        return
    raise DliFailException(
        f"This key sees no Flink job of project {visible.project_id}, and nothing was exported.",
        advice=f"{_LIST_ALL}: check its permissions, and project_id. If there may be no job, give if_empty='skip' "
        "or 'succeed'.",
    )
