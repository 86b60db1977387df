"""Read jobs by their ids in few requests: by pages of the list, where these are fewer than the jobs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import ceil

from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.errors import (
    DliClientError,
    PermissionDeniedError,
    RefusedError,
    UnavailableError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.flink.jobs import FlinkJob, job_pages
from airflow_provider_dli.client.flink.pages import MAX_PAGE, Page
from airflow_provider_dli.client.flink.settings import JAR_JOB

#: so many jobs are requested one by one, without a page that shows whether listing them takes fewer requests
_FEW = 5
_OK = 200


class JobSearch:
    """Find jobs on the pages of the list with details, as long as that takes fewer requests than one for each.

    Independent of who sends the requests, as :class:`~airflow_provider_dli.client.flink.pages.Pages`: send the
    call of ``next_call`` and pass its page to ``accept``; what is in ``rest`` at the end is requested job by job.

    These are jobs that the list does not show, such as edge jobs, those of others, or those that slipped past
    between two pages; and those that it shows without their settings: some editions of the manual exchange which
    fields it has (dli_02_0234). So the result is that of a request for each job.

    :param job_ids: the jobs
    """

    def __init__(self, job_ids: Collection[int]) -> None:
        #: the jobs that were not found
        self.rest = dict.fromkeys(job_ids)
        self._pages = job_pages({"show_detail": True})
        self._listed = 0
        # Before the first page shows how many there are, it may be the only one.
        self._left = 1 if len(self.rest) > _FEW else len(self.rest)

    def next_call(self) -> Call[Page[FlinkJob]] | None:
        """Return the call for the next page; None once requests for the rest are no more than the pages left."""
        return self._pages.next_call() if len(self.rest) > self._left else None

    def accept(self, page: Page[FlinkJob]) -> list[FlinkJob]:
        """Return the jobs of a page that are searched for, each with all its settings."""
        jobs = list(self._pages.accept(page))
        self._listed += len(jobs)
        # Each page begins with the last job of the one before.
        self._left = max(1, ceil((page.total_count - self._listed) / (MAX_PAGE - 1)))
        if jobs and not any(map(has_settings, jobs)):
            self._left = len(self.rest)
        found = [job for job in jobs if job.job_id in self.rest and has_settings(job)]
        for job in found:
            del self.rest[job.job_id]
        return found


def has_settings(job: FlinkJob) -> bool:
    """Return whether a job that was listed is shown with all its settings."""
    return isinstance(job.raw.get("job_config"), Mapping) and ("sql_body" in job.raw or job.job_type == JAR_JOB)


def is_unlisted(error: DliClientError | None) -> bool:
    """Return whether jobs can be read by themselves, though the list cannot.

    This key may not list, the list contradicts itself, or it shows another job that this version cannot read.

    :param error: of a page of the list
    """
    if isinstance(error, UnavailableError):
        return error.status == _OK
    return isinstance(error, PermissionDeniedError | RefusedError | UnexpectedReplyError)
