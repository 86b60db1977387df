"""Export many jobs in batches: what succeeded is kept, what did not is named."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from airflow_provider_dli.client.errors import AuthenticationError, RefusedError
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, without_numbers
from airflow_provider_dli.exporting.batch import Batch
from airflow_provider_dli.wording import counted, lasting

if TYPE_CHECKING:
    from airflow_provider_dli.exporting.journal import ExportRequests
    from airflow_provider_dli.exporting.single import Export
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.wording import TaskLogger


class BatchedExport:
    """Exports batch after batch.

    :param export: asks for one
    :param dli: tells which jobs there are, after a refusal
    :param obs: tells whether the archives of an earlier try are there still
    :param directory: where the archives go; of several batches, each has a directory of its own in it, so that it
        is plain which archive is whose
    :param requests: the records of this and of earlier attempts
    :param is_selection: whether the jobs were selected and not named
    :param log: of the task
    """

    def __init__(
        self,
        export: Export,
        dli: DliHook,
        obs: ObsHook,
        directory: ObsLocation,
        requests: ExportRequests,
        *,
        is_selection: bool,
        log: TaskLogger,
    ) -> None:
        self._export = export
        self._dli = dli
        self._obs = obs
        self._directory = directory
        self._requests = requests
        self._is_selection = is_selection
        self._log = log
        # Each reason is logged once, with the number of the first batch that it failed.
        self._reasons: dict[str, int] = {}
        # The refusal after which nothing more is asked for, and the number of its batch.
        self._ended: tuple[DliException, int] | None = None

    def run(self, batches: Sequence[tuple[int, ...] | None]) -> Iterator[Batch]:
        """Export; what became of each batch, as soon as it is known.

        Once one was refused as all would be, the others are not asked for: each has failed, and says so.

        :param batches: the jobs of each; None for all of the project
        """
        began, done, asked = time.monotonic(), 0, 0
        total = sum(len(job_ids or ()) for job_ids in batches)
        for number, job_ids in enumerate(batches, 1):
            place = self._directory if len(batches) == 1 else self._directory.below(f"batch-{number:04d}")
            result = self._known(place, job_ids)
            if result is None:
                result = self._asked(place, job_ids)
                asked += len(job_ids or ())
            if result.cause and not self._ended and result.cause.refuses_identity:
                self._ended = (result.cause, number)
            done += len(job_ids or ())
            if len(batches) > 1:
                self._tell(number, len(batches), result)
                self._tell_progress(done, total, asked, time.monotonic() - began)
            yield result

    def _known(self, place: ObsLocation, job_ids: tuple[int, ...] | None) -> Batch | None:
        """Give a batch that is not to be asked for: an earlier try exported it, or it would be refused."""
        refusal, number = self._ended or (None, 0)
        why = f"not asked: it would be refused as batch {number} was"
        left_out = Batch(job_ids, error=why) if refusal else None
        # Refused keys are not shown to OBS either: more than five failures lock them.
        if refusal and isinstance(refusal.error, AuthenticationError):
            return left_out
        try:
            archives = self._exported_before(place, job_ids)
        except DliException as error:
            return Batch.that_failed(job_ids, error)
        return Batch(job_ids, tuple(archives)) if archives else left_out

    def _asked(self, place: ObsLocation, job_ids: tuple[int, ...] | None) -> Batch:
        try:
            return Batch(job_ids, tuple(self._export.archives(place, job_ids)))
        except DliException as error:
            if job_ids and (gone := self._gone(job_ids, error)):
                return self._without(place, job_ids, gone, error)
            return Batch.that_failed(job_ids, error)

    def _exported_before(self, place: ObsLocation, job_ids: tuple[int, ...] | None) -> list[str]:
        archives = self._requests.archives_of(place, job_ids)
        return archives if all(self._obs.find(archive) for archive in archives) else []

    def _gone(self, job_ids: tuple[int, ...], refusal: DliException) -> tuple[int, ...]:
        """Give the jobs that the project no longer has; a refused batch may be refused for them."""
        if not isinstance(refusal.error, RefusedError):
            return ()
        try:
            there = {job.job_id for job in self._dli.list_flink_jobs()}
        except DliException as error:
            self._log.info("Whether the project has all jobs of the batch cannot be told: %s", error)
            return ()
        return tuple(job_id for job_id in job_ids if job_id not in there)

    def _without(
        self, place: ObsLocation, job_ids: tuple[int, ...], gone: tuple[int, ...], refusal: DliException
    ) -> Batch:
        """Export a batch once more, without the jobs that are gone."""
        kept = tuple(job_id for job_id in job_ids if job_id not in gone)
        why = f"the project has no job {', '.join(map(str, gone))}"
        if not kept and not self._is_selection:
            return Batch.that_failed(job_ids, refusal)
        if self._is_selection:
            self._log.warning("Selected, and deleted since: %s. The others are exported.", why)
        else:
            self._log.info("Requesting the export without %s, for %s.", counted(len(gone), "job"), why)
        try:
            archives = self._exported_before(place, kept) or self._export.archives(place, kept) if kept else []
        except DliException as error:
            return Batch.that_failed(job_ids, error)
        return Batch(job_ids, tuple(archives), why, gone, is_selection=self._is_selection)

    def _tell(self, number: int, total: int, result: Batch) -> None:
        what = f"{', '.join(result.zip_file)}" if result.zip_file else "NOT EXPORTED"
        why = ""
        if result.error:
            first = self._reasons.setdefault(without_numbers(result.error), number)
            why = f": {result.error}" if first == number else f", for the reason of batch {first}"
        self._log.info(
            "Batch %d of %d: %s -> %s%s", number, total, counted(len(result.job_ids or ()), "job"), what, why
        )

    def _tell_progress(self, done: int, total: int, asked: int, seconds: float) -> None:
        left = f", about {lasting(seconds / asked * (total - done))} left" if asked and done < total else ""
        self._log.info("  %s of %s done in %s%s.", f"{done:,}", counted(total, "job"), lasting(seconds), left)
