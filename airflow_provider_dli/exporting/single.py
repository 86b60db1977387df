"""One export, requested until its outcome is known.

The service has no idempotency token. So what lies in ``obs_dir`` is listed before each request, and the listing is
kept with the request's record: after a lost response, or a killed attempt, an archive is new if it is not in that
listing. No clock decides.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.errors import AuthenticationError, ServiceError, UnexpectedReplyError
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.exporting.content import Fit, fit_of
from airflow_provider_dli.exporting.journal import Before
from airflow_provider_dli.services.reconcile import call_with_reconciliation
from airflow_provider_dli.wording import counted

if TYPE_CHECKING:
    from airflow_provider_dli.exporting.journal import ExportRequest, ExportRequests
    from airflow_provider_dli.exporting.writer import Writer
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.wording import TaskLogger

_POLL_INTERVAL = 2.0
_SHOWN = 5
_LOST = "its response was lost or could not be used"
_ADVICE = (
    "Verify them, keep the one that holds your jobs, and clear the task to export again. Give every task a "
    "directory of its own, with run, task and map index in its path: then it is certain whose an archive is."
)


class Export:
    """Exports, each requested as often as it takes to know its outcome.

    :param dli: sends the requests
    :param obs: lists directories and reads archives
    :param requests: the records of this and of earlier attempts
    :param writer: the task instance that exports
    :param settling_time: seconds in which an archive may still appear after a response was lost
    :param log: of the task
    """

    def __init__(
        self,
        dli: DliHook,
        obs: ObsHook,
        requests: ExportRequests,
        writer: Writer,
        settling_time: float,
        log: TaskLogger,
    ) -> None:
        self._dli = dli
        self._obs = obs
        self._requests = requests
        self._writer = writer
        self._settling_time = settling_time
        self._log = log
        # What earlier attempts left gets its time from here on, by this machine's clock, and all of it the same.
        self._patient_until = time.monotonic() + settling_time
        self._fits: dict[str, Fit] = {}

    def archives(self, directory: ObsLocation, job_ids: Sequence[int] | None) -> list[str]:
        """Export, or reuse what a request exported whose response was lost; each archive as ``bucket/key``.

        :param directory: where the archives go
        :param job_ids: ids of the jobs; None for all of the project
        :raises DliFailException: if it is not certain which archive is the one, or the service refuses for good
        :raises DliException: if the outcome stays unknown, or the service is in trouble
        """
        return self._resumed(directory, job_ids) or call_with_reconciliation(
            lambda: self._send(directory, job_ids),
            lambda error: self._reconcile(error, directory, job_ids),
            self._log,
        )

    def extra_archives(self, *, final: bool) -> list[str]:
        """Return new archives in the directories of requests whose outcome is not known, and log each.

        :param final: whether no later attempt will go on with these requests: then what earlier attempts requested
            is given what is left of its time, and what is found has been reported
        """
        while any(not self._unaccounted(each) for each in self._requests.open()) and final:
            if not self._sleep(self._patient_until):
                break
        extra: dict[str, None] = {}
        for request in self._requests.open():
            archives = self._unaccounted(request)
            if archives:
                self._log.warning(
                    "Extra archives in %s: %s. They appeared after an export was requested whose response "
                    "was lost or could not be used, and may be its own.%s",
                    request.directory.url,
                    ", ".join(archives),
                    " This task does not return them." if final else "",
                )
            elif final:
                self._log.warning(
                    "The response of an export into %s was lost or could not be used, and no archive of it has "
                    "appeared. Should one come yet, it is an extra one.",
                    request.directory.url,
                )
            if archives and final:
                self._requests.report(request, archives)
            extra |= dict.fromkeys(archives)
        return list(extra)

    def _resumed(self, directory: ObsLocation, job_ids: Sequence[int] | None) -> list[str]:
        if not self._requests.open_for(directory, job_ids):
            return []
        self._log.info("An earlier request for an export into %s has no known outcome.", directory.url)
        found = self._recovered(directory, job_ids, self._patient_until)
        if not found:
            self._log.info("Sending the request again.")
        return found

    def _send(self, directory: ObsLocation, job_ids: Sequence[int] | None) -> list[str]:
        call = flink.export_jobs(str(directory), job_ids)
        request = self._requests.begin(directory, job_ids, self._listed(directory))
        what = "all jobs" if job_ids is None else counted(len(job_ids), "job")
        self._log.info("Requesting an export of %s into %s.", what, directory.url)
        try:
            archives = list(self._dli.run(call).zip_file)
        except DliException as error:
            if not error.outcome_unknown:
                self._requests.cancel(request)
            raise
        # A response about another export is none to this one.
        old = [archive for archive in archives if request.before and _name(directory, archive) in request.before]
        if old:
            problem = f"the response names what was there before the request: {', '.join(old)}"
            raise DliFailException(f"{call.operation}: {problem}.") from UnexpectedReplyError(
                call.operation, 200, None, problem, None
            )
        self._requests.finish(request, archives)
        return archives

    def _reconcile(
        self, error: DliException, directory: ObsLocation, job_ids: Sequence[int] | None
    ) -> list[str] | None:
        self._log.info("%s Checking OBS for its archive.", error)
        return self._recovered(directory, job_ids, time.monotonic() + self._settling_time) or None

    def _recovered(self, directory: ObsLocation, job_ids: Sequence[int] | None, until: float) -> list[str]:
        """Return the archive that a request made whose response was lost; none if none appears.

        :raises DliFailException: if something appears, and it is not certain that it is the one
        """
        requests = self._requests.open_for(directory, job_ids)
        try:
            while not (found := self._candidates(requests)) and self._sleep(until):
                pass
        except DliException as error:
            if error.error is None:
                raise
            # The request stays open: the next attempt, or the task once cleared, begins by looking.
            raise _unchecked(directory, error) from error.error
        if not found:
            self._log.info("No archive appeared in %s within %.0f s.", directory.url, self._settling_time)
            return []
        if len(found) > 1 or not self._is_certain(directory, found[0], job_ids):
            # Reported here: whoever clears the task wants a new export.
            for request in requests:
                self._requests.report(request, found)
            several = "several archives appeared" if len(found) > 1 else "an archive appeared"
            raise DliFailException(
                f"The outcome of an export into {directory.url} is unknown: {_LOST}, and {several} there "
                f"since, of which it is not certain that this task's request made it: {', '.join(found)}.",
                advice=_ADVICE,
            )
        self._requests.finish(requests[-1], found)
        self._log.info("Recovered %s: it is new in %s since the export was requested.", found[0], directory.url)
        return found

    def _candidates(self, requests: Sequence[ExportRequest]) -> list[str]:
        """Return new archives that may be of one of these requests; those that hold other jobs are logged."""
        found: dict[str, None] = {}
        for request in requests:
            for archive in self._new(request):
                if self._fit(archive, request.job_ids) is not Fit.OTHER:
                    found[archive] = None
        return list(found)

    def _new(self, request: ExportRequest) -> list[str]:
        """Return the archives that were not there before a request, and are of no other."""
        if request.before is None:
            raise DliFailException(
                f"The outcome of an export into {request.directory.url} is unknown: {_LOST}, and the "
                "directory could not be listed before the request.",
                advice="Look at the directory, and give the connection the right to list the bucket.",
            )
        known = self._requests.archives()
        names = [name for name in self._names(request.directory) if name not in request.before]
        archives = [str(request.directory.below(name)) for name in names]
        return [archive for archive in archives if archive not in known]

    def _unaccounted(self, request: ExportRequest) -> list[str]:
        """Return the archives that may be of a request and that this task does not return."""
        try:
            alone = self._writer.is_alone_in(request.directory)
            return [
                archive
                for archive in self._new(request)
                if alone or self._fit(archive, request.job_ids) is not Fit.OTHER
            ]
        except DliException as error:
            self._log.warning("Whether %s holds extra archives is not known: %s", request.directory.url, error)
            return []

    def _is_certain(self, directory: ObsLocation, archive: str, job_ids: Sequence[int] | None) -> bool:
        """Whether the one archive that is new can only be this task's own."""
        if self._writer.is_alone_in(directory):
            return True
        return self._fit(archive, job_ids) is Fit.FITS and not self._writer.may_have_rivals_in(directory)

    def _fit(self, archive: str, job_ids: Sequence[int] | None) -> Fit:
        if archive not in self._fits:
            wanted = [job.job_id for job in self._dli.list_flink_jobs()] if job_ids is None else job_ids
            self._fits[archive] = fit_of(self._obs, archive, wanted)
            if self._fits[archive] is Fit.OTHER:
                self._log.warning("Ignoring %s: it is new, and holds other jobs than were requested.", archive)
        return self._fits[archive]

    def _listed(self, directory: ObsLocation) -> Before | None:
        try:
            names = self._names(directory)
        except DliFailException as error:
            # Refused keys are not shown to DLI either: more than five failures lock them.
            if not isinstance(error.error, ServiceError) or isinstance(error.error, AuthenticationError):
                raise
            self._log.warning(
                "%s cannot be listed: should the response of the export be lost, its outcome stays unknown. %s",
                directory.url,
                error,
            )
            return None
        if names and self._writer.attempt > 1 and not self._requests.survives:
            self._log.warning(
                "%s holds %s already: %s. Whether an earlier attempt of this task made them is not known before "
                "Airflow 3.3.",
                directory.url,
                counted(len(names), "archive"),
                ", ".join(names[-_SHOWN:]),
            )
        return Before.of(names)

    def _names(self, directory: ObsLocation) -> list[str]:
        """Return the names of the archives in a directory, relative to it."""
        keys = [key for key, _ in self._obs.list_directory(directory).objects if key.lower().endswith(".zip")]
        return [_name(directory, str(ObsLocation(directory.bucket, key))) for key in keys]

    def _sleep(self, until: float) -> bool:
        """Wait for the next poll; False if time is up."""
        left = until - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(_POLL_INTERVAL, left))
        return True


def _unchecked(directory: ObsLocation, error: DliException) -> DliException:
    """Say of a failed look that it leaves the outcome of a request unknown; its kind stays."""
    why = str(error).removesuffix(error.advice or "").rstrip(" ;")
    return type(error)(
        f"The outcome of an export into {directory.url} is unknown: {_LOST}, and OBS could not be checked: {why}",
        advice=error.advice,
    )


def _name(directory: ObsLocation, archive: str) -> str:
    return archive.removeprefix(f"{directory}/")
