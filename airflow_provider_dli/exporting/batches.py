"""Export many jobs in batches: what succeeded is kept, what did not is named."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.errors import AuthenticationError, PermissionDeniedError, RefusedError
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.exporting.journal import name_of
from airflow_provider_dli.wording import counted, lasting

if TYPE_CHECKING:
    from airflow_provider_dli.exporting.journal import Journal
    from airflow_provider_dli.exporting.single import Export
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.wording import Logger


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of one batch.

    :param job_ids: the jobs in it; None for all of the project
    :param zip_file: the archives that they were exported to; none if that failed
    :param error: why it failed, or why jobs of it were left out
    :param left_out: jobs of it that the project no longer has
    :param transient: whether a retry may help
    :param cause: the error itself
    """

    job_ids: tuple[int, ...] | None
    zip_file: tuple[str, ...] = ()
    error: str | None = None
    left_out: tuple[int, ...] = ()
    transient: bool = False
    cause: DliException | None = field(default=None, compare=False, repr=False)

    @property
    def failed(self) -> tuple[int, ...]:
        """The jobs of it that are in no archive."""
        return self.left_out if self.zip_file else self.job_ids or ()

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        ids = None if self.job_ids is None else list(self.job_ids)
        return {"job_ids": ids, "zip_file": list(self.zip_file), "failed": list(self.failed), "error": self.error}


class BatchedExport:
    """Exports batch after batch.

    :param export: asks for one
    :param dli: tells which jobs there are, after a refusal
    :param obs: tells whether the archives of an earlier try are there still
    :param directory: where the archives go; of several batches, each has a directory of its own in it, so that it
        is plain which archive is whose
    :param journal: what earlier tries did
    :param log: where to tell
    """

    def __init__(
        self, export: Export, dli: DliHook, obs: ObsHook, directory: ObsLocation, journal: Journal, log: Logger
    ) -> None:
        self._export = export
        self._dli = dli
        self._obs = obs
        self._directory = directory
        self._journal = journal
        self._log = log
        self._hopeless = False

    def run(self, batches: Sequence[tuple[int, ...] | None]) -> Iterator[Batch]:
        """Export; what became of each batch, as soon as it is known.

        Ends early where all that follow would fail too: after a refused proof of identity, or a missing right.

        :param batches: the jobs of each; None for all of the project
        """
        began, done, asked = time.monotonic(), 0, 0
        total = sum(len(job_ids or ()) for job_ids in batches)
        for number, job_ids in enumerate(batches, 1):
            place = self._directory if len(batches) == 1 else self._directory.below(f"batch-{number:04d}")
            result, known = self._one(place, job_ids)
            done += len(job_ids or ())
            asked += 0 if known else len(job_ids or ())
            if len(batches) > 1:
                self._tell(number, len(batches), result)
                self._tell_progress(done, total, asked, time.monotonic() - began)
            yield result
            if self._hopeless:
                return

    def _one(self, place: ObsLocation, job_ids: tuple[int, ...] | None) -> tuple[Batch, bool]:
        """Export a batch, unless an earlier try did."""
        if archives := self._exported_before(job_ids):
            return Batch(job_ids, tuple(archives)), True
        try:
            return Batch(job_ids, tuple(self._export.archives(place, job_ids))), False
        except DliException as error:
            self._hopeless = isinstance(error.error, AuthenticationError | PermissionDeniedError)
            if job_ids and isinstance(error.error, RefusedError) and (gone := self._gone(job_ids)):
                return self._without(place, job_ids, gone, error), False
            return _failed(job_ids, error), False

    def _exported_before(self, job_ids: tuple[int, ...] | None) -> list[str]:
        archives = self._journal.archives_of(name_of(job_ids))
        return archives if all(self._obs.find(archive) for archive in archives) else []

    def _gone(self, job_ids: tuple[int, ...]) -> tuple[int, ...]:
        """Give the jobs that the project no longer has; a refused batch may be refused for them."""
        there = {job.job_id for job in self._dli.list_flink_jobs()}
        return tuple(job_id for job_id in job_ids if job_id not in there)

    def _without(
        self, place: ObsLocation, job_ids: tuple[int, ...], gone: tuple[int, ...], refusal: DliException
    ) -> Batch:
        """Export a batch once more, without the jobs that are gone."""
        kept = tuple(job_id for job_id in job_ids if job_id not in gone)
        why = f"the project has no job {', '.join(map(str, gone))}"
        if not kept:
            return _failed(job_ids, refusal)
        self._log.info("Asking again without %s, for %s.", counted(len(gone), "job"), why)
        try:
            archives = self._exported_before(kept) or self._export.archives(place, kept)
        except DliException as error:
            return _failed(job_ids, error)
        return Batch(job_ids, tuple(archives), why, gone)

    def _tell(self, number: int, total: int, result: Batch) -> None:
        what = f"{', '.join(result.zip_file)}" if result.zip_file else "NOT EXPORTED"
        self._log.info(
            "Batch %d of %d: %s -> %s%s",
            number,
            total,
            counted(len(result.job_ids or ()), "job"),
            what,
            f": {result.error}" if result.error else "",
        )

    def _tell_progress(self, done: int, total: int, asked: int, seconds: float) -> None:
        left = f", about {lasting(seconds / asked * (total - done))} left" if asked and done < total else ""
        self._log.info("  %s of %s done in %s%s.", f"{done:,}", counted(total, "job"), lasting(seconds), left)


def _failed(job_ids: tuple[int, ...] | None, error: DliException) -> Batch:
    return Batch(job_ids, error=str(error), transient=not isinstance(error, DliFailException), cause=error)
