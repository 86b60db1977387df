"""Import jobs so that it is known what became of each, whatever becomes of answers and of the task."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_dli.client.errors import UnexpectedReplyError
from airflow_provider_dli.exceptions import DliException, translated
from airflow_provider_dli.restoring.journal import Journal
from airflow_provider_dli.restoring.outcome import ImportOutcome, outcome_of
from airflow_provider_dli.services.reconcile import call_with_reconciliation
from airflow_provider_dli.wording import TaskLogger, counted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_dli.client.flink import ImportResult
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.task_state import TaskState


class Importing:
    """Imports, asked for until its outcome is known.

    Before it asks, it takes down which jobs the project has. So a later try knows which came since: when a request
    whose answer was lost, or whose task was killed, has imported jobs, asking again clashes with them. An answer
    that came is taken down too, and not asked for again.

    :param hook: asks the service
    :param memory: of the task
    :param settling_time: seconds in which jobs may still appear after an answer was lost
    :param log: where to tell
    """

    def __init__(self, hook: DliHook, memory: TaskState, settling_time: float, log: TaskLogger) -> None:
        self._hook = hook
        self._memory = memory
        self._settling_time = settling_time
        self._log = log

    def run(self, place: ObsLocation, version: str, *, is_cover: bool) -> ImportOutcome:
        """Import.

        :param place: an archive, or a directory of archives
        :param version: tells what is there now from what was there at another time
        :param is_cover: whether to replace jobs of the same names
        :raises DliException: if the service refuses, or the outcome stays unknown
        """
        journal = Journal(self._memory, str(place), version)
        names = self._names()
        if journal.abandoned:
            self._report(*journal.abandoned, names)
        if journal.resumed:
            self._log.info("An earlier try was importing %s.", place.url)
        else:
            journal.before = frozenset(names)
        if journal.settles(names, is_cover=is_cover):
            self._log.info("It had its answer, and the jobs are there: nothing is asked again.")
        else:
            self._ask(place, journal, is_cover=is_cover)
            names = self._names()
        return outcome_of(journal.answer, names, journal.before, unknown=journal.unknown)

    def _report(self, zip_file: str, before: Collection[int], names: Mapping[int, str]) -> None:
        """Report an import of an earlier attempt that this one does not go on with."""
        appeared = ", ".join(f"{job_id} {name}" for job_id, name in names.items() if job_id not in before)
        self._log.warning(
            "An earlier attempt requested an import of %s, and its response was lost or could not be used. Jobs "
            "that appeared since, and may be its own: %s.",
            zip_file,
            appeared or "none",
        )

    def _ask(self, place: ObsLocation, journal: Journal, *, is_cover: bool) -> None:
        """Ask until an answer has come, and take it down."""
        if journal.unknown:
            self._settle(journal.accounted)
        journal.asking()
        result = call_with_reconciliation(
            lambda: self._asked(place, journal, is_cover=is_cover),
            lambda _: None,
            self._log,
            should_retry=lambda error: self._may_ask_again(error, journal.accounted),
        )
        journal.answered(result.job_mapping, is_cover=is_cover)

    def _asked(self, place: ObsLocation, journal: Journal, *, is_cover: bool) -> ImportResult:
        self._log.info(
            "Requesting an import of %s into project %s, %s, is_cover=%s.",
            place.url,
            self._hook.project_id,
            self._hook.account.region,
            is_cover,
        )
        try:
            result = self._hook.import_flink_jobs(str(place), is_cover=is_cover)
            if not is_cover:
                _check_new(result, journal.before)
        except DliException as error:
            if error.outcome_unknown:
                journal.unknown = True
            else:
                journal.refused()
            raise
        return result

    def _may_ask_again(self, error: DliException, accounted: Collection[int]) -> bool:
        """Look for what became of a request: where it imported something, only asking again tells what."""
        self._log.info("%s Looking at the project for what became of it.", error)
        return self._settle(accounted) or error.worth_repeating

    def _settle(self, accounted: Collection[int]) -> bool:
        """Wait until jobs have appeared and no more do, or the time for that is up; whether any have."""
        deadline = time.monotonic() + self._settling_time
        seen: set[int] = set()
        while time.monotonic() < deadline:
            now = {job_id for job_id in self._names() if job_id not in accounted}
            if now and now == seen:
                self._log.info("%s appeared since it was asked.", counted(len(now), "job"))
                return True
            seen = now
            time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
        return bool(seen)

    def _names(self) -> dict[int, str]:
        return {job.job_id: job.name for job in self._hook.list_flink_jobs()}


def _check_new(result: ImportResult, before: Collection[int]) -> None:
    """Raise if a response names jobs as imported that the project had before: it is none to this request."""
    old = [str(each.new_job_id) for each in result.job_mapping if each.new_job_id in before]
    if old:
        with translated():
            raise UnexpectedReplyError(
                "ImportFlinkJobs",
                200,
                None,
                f"the response names as imported what the project had before: job {', '.join(old)}",
                None,
            )
