"""Which jobs of a project are meant: filters that the service takes, and those that only we know."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from fnmatch import fnmatchcase

from airflow_provider_dli.client.call import QueryValue
from airflow_provider_dli.client.flink import FlinkJob

#: seconds before ``changed_since`` in which a change counts still: clocks agree to a second or two at best
CLOCK_MARGIN = 5.0


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

    def fits(self, job: FlinkJob, clock_offset: float = 0.0) -> bool:
        """Tell whether a job that the service has listed is meant.

        :param job: as the list shows it
        :param clock_offset: seconds by which the service's clock, which wrote the times of the job, is ahead of
            Airflow's, which ``changed_since`` is from
        """
        if self.name_pattern and not any(fnmatchcase(job.name, pattern) for pattern in self.name_pattern):
            return False
        if self.status and job.status not in self.status:
            return False
        return self._changed(job, clock_offset) and not self._excluded(job)

    def _changed(self, job: FlinkJob, clock_offset: float) -> bool:
        if self.changed_since is None:
            return True
        moments = [moment for moment in (job.create_time, job.update_time) if moment]
        # Of a job without either nobody knows: rather one too many than one too few.
        since = self.changed_since.timestamp() + clock_offset - CLOCK_MARGIN
        return job.update_time is None or not moments or max(moments) >= since * 1000

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
