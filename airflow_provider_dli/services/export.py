"""The whole of an export, from its parameters to its result, in the order in which it happens.

:func:`export_jobs` lists the jobs that this key sees (``visibility``), splits those that are selected into batches
and exports each batch into a directory of its own, several at a time (``in_order`` in ``concurrency``).
A batch is one request. DLI has no idempotency token for it: two requests make two archives. So a request whose
response is lost, or whose task was killed, is reconciled before it is sent again:

1. :meth:`_Exporter._prepare` lists the directory, and records the request with that listing in the task state
   (``ExportRequests`` in ``export_requests``). Only then :meth:`_Exporter._send` sends the request.
2. If the response is lost, ``call_with_reconciliation`` in ``reconcile`` calls ``ExportRecovery.reconcile`` in
   ``export_recovery``. That polls OBS for an archive that is not in the listing.
3. If exactly one appears and only this request can have made it, it is the result. If none appears the request is
   sent again, three times in all, unless DLI itself has reported an error. Anything else fails the task, with a
   message that names the archives.
4. The next attempt of the task finds the record of the request, and ``ExportRecovery.resume`` polls OBS first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from logging import Logger
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.errors import (
    AuthenticationError,
    PermissionDeniedError,
    RefusedError,
    UnexpectedReplyError,
)
from airflow_provider_dli.exceptions import (
    DliException,
    DliFailException,
    group_by_reason,
    read_parameters,
    translated,
    without_numbers,
    worst,
)
from airflow_provider_dli.formatting import format_duration, format_ids, pluralize
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.lineage import Lineage, jobs_dataset, obs_dataset
from airflow_provider_dli.parameters.models import ExportParameters, JobsToExport
from airflow_provider_dli.services.concurrency import in_order
from airflow_provider_dli.services.export_recovery import ExportRecovery
from airflow_provider_dli.services.export_requests import ExportRequests
from airflow_provider_dli.services.late_archives import LOST_REQUESTS, lost_requests
from airflow_provider_dli.services.reconcile import call_with_reconciliation
from airflow_provider_dli.services.selection import select_jobs
from airflow_provider_dli.services.visibility import (
    VisibleJobs,
    checked_jobs,
    last_seen,
    list_visible_jobs,
    raise_for_missing,
    raise_for_none,
    warn_of_past_run,
)
from airflow_provider_dli.task_state import RequestLog

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_dli.client.call import Call
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.services.export_requests import ExportRequest

P = TypeVar("P", bound=JobsToExport)


def prepare(operator: object, model: type[P]) -> tuple[P, DliHook, ObsHook]:
    """Return the parameters of an operator, all of them checked, and the hooks of its connection.

    :param model: of its parameters
    :raises DliFailException: naming each parameter that cannot be used
    """
    options = read_parameters(model, operator)
    if "max_missing" in options.model_fields_set and not getattr(operator, "do_xcom_push", True):
        raise DliFailException(
            "max_missing: the jobs that a run has seen are kept in XComs, and do_xcom_push is False; omit either"
        )
    return options, DliHook(options.dli_conn_id), ObsHook(options.dli_conn_id)


def export_jobs(
    options: ExportParameters,
    dli: DliHook,
    obs: ObsHook,
    context: Mapping[str, Any],
    log: Logger,
    chosen: VisibleJobs | None = None,
) -> ExportOutcome:
    """Export jobs. A batch that fails does not stop the others; see :func:`raise_for_failures`.

    :param chosen: the jobs, where the caller has listed them and made ``obs_dir`` for this export alone
    :raises DliException: if the jobs cannot be listed
    """
    warn_of_past_run(context, log)
    requests = ExportRequests(RequestLog(context, "dli_export"))
    recovery = ExportRecovery(obs, requests, context, options.reconcile_timeout, log, is_alone=chosen is not None)
    superseded = requests.superseded
    if superseded:
        log.warning(
            "An earlier attempt exported to %s. Exporting again; those archives stay there.",
            format_ids(superseded),
        )
    visible, job_ids = (chosen, chosen.job_ids) if chosen else _select_jobs(options, dli, requests, context, log)
    size = options.batch_size
    batches = [None] if job_ids is None else [job_ids[at : at + size] for at in range(0, len(job_ids), size)]
    _log_start(dli, job_ids, len(batches), log)

    progress = _Progress(batches, log)
    exporter = _Exporter(options, dli, obs, requests, recovery, visible, progress, log)
    outcomes: list[Batch] = []
    places = [
        (options.obs_dir if len(batches) == 1 else options.obs_dir.batch(number), ids)
        for number, ids in enumerate(batches, 1)
    ]
    try:
        outcomes += in_order(
            exporter.export,
            list(enumerate(places, 1)),
            options.max_concurrency,
            # Keys that are refused fail once, and not in several requests: more than five failures lock them.
            is_ready=lambda: dli.account.limiter.succeeded > 0,
        )
    except BaseException:
        # Airflow ends the task, and may begin the next attempt: the threads of this one do nothing more.
        dli.stop()
        requests.log.close()
        raise

    archives = [archive for outcome in outcomes for archive in outcome.zip_file]
    progress.log_end(archives)
    is_complete = not any(outcome.is_failure for outcome in outcomes)
    extra = superseded + _archives_of_other_batches(set(places), archives, requests, log)
    lost = lost_requests([*requests.unresolved(), *exporter.absent])
    extra += recovery.there(archive for each in exporter.absent for archive in each.archives)
    extra += recovery.extra_archives(is_final=is_complete)
    requests.end_attempt(archives, is_complete=is_complete)
    extra = [each for each in dict.fromkeys(extra) if each not in archives]
    return ExportOutcome(outcomes, archives, extra, visible, lost)


def _archives_of_other_batches(
    places: Collection[tuple[ObsLocation, tuple[int, ...] | None]],
    archives: Collection[str],
    requests: ExportRequests,
    log: Logger,
) -> list[str]:
    """Return the archives of earlier attempts that this one does not return, and log them.

    Such an attempt had another directory, other jobs or another batch size.

    :param places: directory and jobs of each batch of this attempt: an archive of one of them is returned, or was
        deleted, or may be returned by the next attempt
    :param archives: those that this attempt returns
    """
    extra = [
        archive
        for request in requests.finished()
        if (request.directory, request.job_ids) not in places
        for archive in request.archives
        if archive not in archives
    ]
    if extra:
        log.warning(
            "An earlier attempt exported to another directory, or other jobs, or in other batches: %s. This task "
            "does not return those archives.",
            format_ids(extra),
        )
    return extra


def _select_jobs(
    options: ExportParameters, dli: DliHook, requests: ExportRequests, context: Mapping[str, Any], log: Logger
) -> tuple[VisibleJobs | None, tuple[int, ...] | None]:
    """Return the jobs that this key sees, if that is known, and the ids to request.

    :returns: the ids are sorted, so that a later attempt has the same batches; None for one request for all jobs,
        unless there are none, which DLI could only answer without an archive
    """
    if options.job_selected is not None:
        return None, tuple(sorted(options.job_selected))
    if options.chosen is None:
        listed = list_visible_jobs(options, dli, log)
        if listed is None:
            return None, None
        before = last_seen(options, dli.project_id, context, log)
        visible = checked_jobs([job.job_id for job in listed], options, dli, before, log)
        return visible, None if visible.job_ids else ()
    selection = f"{options.chosen} in project {dli.project_id}"
    if (selected := requests.selected(selection)) is not None:
        log.info("Continuing with the %s that an earlier attempt selected.", pluralize(len(selected), "job"))
        ids = selected
    else:
        ids = [job.job_id for job in select_jobs(dli, options.chosen, log)]
    before = last_seen(options, dli.project_id, context, log)
    visible = checked_jobs(ids, options, dli, before, log)
    if ids and selected is None:
        requests.select(visible.job_ids, selection)
    return visible, visible.job_ids


def _log_start(dli: DliHook, ids: Sequence[int] | None, batches: int, log: Logger) -> None:
    if ids is not None and not ids:
        return
    jobs = "all Flink jobs" if ids is None else pluralize(len(ids), "Flink job")
    split = f", in {pluralize(batches, 'batch', 'batches')}" if batches > 1 else ""
    log.info("Exporting %s of project %s in %s%s.", jobs, dli.project_id, dli.account.region, split)
    listed = f": {format_ids(ids)}" if ids else ""
    log.info("  by connection %s%s", dli.dli_conn_id, listed)


@dataclass(slots=True)
class _Exporter:
    """Exports batches. Threads share it."""

    options: ExportParameters
    dli: DliHook
    obs: ObsHook
    requests: ExportRequests
    recovery: ExportRecovery
    visible: VisibleJobs | None
    progress: _Progress
    log: Logger
    #: requests of earlier attempts whose archives DLI reported, and that are not there: they may come yet
    absent: list[ExportRequest] = field(default_factory=list)
    #: the number of the batch with which DLI has refused the identity itself
    refusal: int | None = None

    def export(self, batch: tuple[int, tuple[ObsLocation, tuple[int, ...] | None]]) -> Batch:
        """Export a batch, given by its number, directory and jobs, unless an earlier attempt has."""
        number, (directory, job_ids) = batch
        outcome = self.reuse_or_skip(directory, job_ids) or self.request(directory, job_ids)
        if not self.refusal and outcome.cause and outcome.cause.refuses_identity:
            self.refusal = number
            # Refused keys are not sent to OBS either: more than five failures lock them.
            self.recovery.is_refused = isinstance(outcome.cause.error, AuthenticationError)
        self.progress.log_batch(number, outcome)
        return outcome

    def reuse_or_skip(self, directory: ObsLocation, job_ids: tuple[int, ...] | None) -> Batch | None:
        """Return the outcome of a batch that an earlier attempt exported, or that would be refused, too."""
        skipped = None
        if self.refusal:
            reason = f"not requested: it would be refused as batch {self.refusal} was"
            skipped = Batch(job_ids, failed=job_ids or (), error=reason, is_requested=False)
            if self.recovery.is_refused:
                return skipped
        return self._reuse(directory, job_ids) or skipped

    def _reuse(self, directory: ObsLocation, job_ids: tuple[int, ...] | None) -> Batch | None:
        """Return the outcome of a batch that an earlier attempt exported; None if its archives are not there.

        DLI may write them only after its response, so they are waited for.
        """
        try:
            archives = self.requests.archives_of(directory, job_ids)
            absent = self.recovery.wait_for(archives)
        except DliException as failure:
            return _failed_batch(job_ids, failure)
        if archives and not absent:
            return Batch(job_ids, tuple(archives), is_requested=False)
        if absent:
            self.absent += [each for each in self.requests.finished() if each.is_for(directory, job_ids)][-1:]
            self.log.warning(
                "%s is not there, although DLI reported it to an earlier attempt: exporting again. Should it come "
                "yet, it is an extra archive.",
                format_ids(absent),
            )
        return None

    def request(self, directory: ObsLocation, job_ids: tuple[int, ...] | None) -> Batch:
        """Send the request for a batch until its outcome is known; without jobs that were deleted meanwhile."""
        try:
            archives = self.recovery.resume(directory, job_ids) or call_with_reconciliation(
                self._send,
                partial(self.recovery.reconcile, directory, job_ids),
                self.log,
                prepare=partial(self._prepare, directory, job_ids),
            )
        except DliException as error:
            if job_ids and (deleted := self._find_deleted(job_ids, error)):
                return self._export_without(deleted, directory, job_ids, error)
            return _failed_batch(job_ids, error)
        return Batch(job_ids, tuple(archives))

    def _prepare(
        self, directory: ObsLocation, job_ids: tuple[int, ...] | None
    ) -> tuple[Call[flink.ExportResult], ExportRequest, datetime | None]:
        """Record a request that is about to be sent, with what its directory holds before it."""
        with translated():
            call = flink.export_jobs(str(directory), job_ids)
        names, listed = self.recovery.list_before(directory) or (None, None)
        visible = self.visible.job_ids if self.visible and job_ids is None else None
        return call, self.requests.begin(directory, job_ids, names, visible, listed), listed

    def _send(self, call: Call[flink.ExportResult], request: ExportRequest, listed: datetime | None) -> list[str]:
        """Send one request, and record its outcome; return the archives that the response names."""
        jobs = "all jobs" if request.job_ids is None else pluralize(len(request.job_ids), "job")
        self.log.info("Requesting an export of %s into %s.", jobs, request.directory.url)
        try:
            archives = list(self.dli.run(call).zip_file)
        except DliException as error:
            if not error.outcome_unknown:
                self.requests.cancel(request)
            raise
        problem = None
        try:
            # A response that names older archives is that of another export.
            if old := self.recovery.older_archives(request, archives, listed):
                problem = f"the response names what was there before the request: {format_ids(old)}"
        except DliException as error:
            # No reason to send the request again: its response is there.
            listing = format_ids(archives)
            problem = f"whether {listing} was there before the request is not known: {error.problem}"
        if problem:
            raise DliFailException(
                f"{call.operation}: {problem}.", advice=f"Check {request.directory.url}, and export again."
            ) from UnexpectedReplyError(call.operation, 200, None, problem, None)
        self.requests.finish(request, archives)
        return archives

    def _find_deleted(self, job_ids: Sequence[int], refusal: DliException) -> tuple[int, ...]:
        """Return the jobs of a batch that this key does not see: DLI may have refused it for them."""
        if not isinstance(refusal.error, RefusedError):
            return ()
        try:
            there = {job.job_id for job in self.dli.list_flink_jobs()}
        except DliException as error:
            self.log.info("Whether this key sees all jobs of the batch is not known: %s", error)
            return ()
        return tuple(job_id for job_id in job_ids if job_id not in there)

    def _export_without(
        self, deleted: tuple[int, ...], directory: ObsLocation, job_ids: tuple[int, ...], refusal: DliException
    ) -> Batch:
        """Export a batch without jobs that were deleted."""
        rest = tuple(job_id for job_id in job_ids if job_id not in deleted)
        problem = f"this key sees no job {format_ids(deleted)}"
        is_selection = self.options.chosen is not None
        if is_selection:
            self.log.warning("Selected, and deleted since: %s. The others are exported.", problem)
        elif rest:
            self.log.info("Requesting the export without %s, for %s.", pluralize(len(deleted), "job"), problem)
        else:
            return _failed_batch(job_ids, refusal)
        outcome = Batch(())
        if rest:
            outcome = self._reuse(directory, rest) or self.request(directory, rest)
        if outcome.cause:
            return replace(outcome, job_ids=job_ids, failed=job_ids)
        omitted = deleted + outcome.failed
        reason = " and ".join(filter(None, (problem, outcome.error)))
        return Batch(job_ids, outcome.zip_file, omitted, reason, vanished=omitted if is_selection else ())


def _failed_batch(job_ids: tuple[int, ...] | None, error: DliException) -> Batch:
    is_refused = isinstance(error.error, RefusedError | PermissionDeniedError) and not error.refuses_identity
    if is_refused and len(job_ids or ()) > 1:
        one_by_one = (
            "No job of this batch is exported; if the reason is one of them, batch_size=1 exports the others."
        )
        cause = type(error)(f"{error.problem}.", advice=f"{error.advice or ''} {one_by_one}".lstrip())
        cause.__cause__ = error.error
        error = cause
    return Batch(job_ids, failed=job_ids or (), error=str(error), cause=error)


@dataclass(frozen=True, slots=True)
class Batch:
    """The outcome of one batch.

    :param job_ids: its jobs; None for all of the project
    :param zip_file: the archives that it was exported to, each as ``bucket/key``
    :param failed: its jobs that are in no archive
    :param error: the reason
    :param vanished: those of them that were selected and deleted before they were exported, which is not a failure
    :param cause: the error of DLI or OBS itself
    :param is_requested: whether this attempt has requested it
    """

    job_ids: tuple[int, ...] | None
    zip_file: tuple[str, ...] = ()
    failed: tuple[int, ...] = ()
    error: str | None = None
    vanished: tuple[int, ...] = ()
    cause: DliException | None = field(default=None, compare=False, repr=False)
    is_requested: bool = True

    @property
    def is_failure(self) -> bool:
        """Whether jobs are in no archive that should be in one."""
        return self.error is not None and not self.vanished

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values, for XCom."""
        ids = None if self.job_ids is None else list(self.job_ids)
        return {"job_ids": ids, "zip_file": list(self.zip_file), "failed": list(self.failed), "error": self.error}


class _Progress:
    """Logs each batch when it ends, if there are several, and how long the others will take. Threads share it."""

    def __init__(self, batches: Sequence[tuple[int, ...] | None], log: Logger) -> None:
        self._batches = len(batches)
        self._jobs = sum(len(job_ids or ()) for job_ids in batches)
        self._log = log
        self._began = time.monotonic()
        self._done = self._requested = 0
        self._reasons: dict[str, int] = {}
        self._lock = threading.Lock()

    def log_batch(self, number: int, batch: Batch) -> None:
        """Log the outcome of a batch."""
        with self._lock:
            self._log_batch(number, batch)

    def _log_batch(self, number: int, batch: Batch) -> None:
        jobs = len(batch.job_ids or ())
        self._done += jobs
        self._requested += jobs if batch.is_requested else 0
        if self._batches == 1:
            return
        result = format_ids(batch.zip_file) or "NOT EXPORTED"
        if batch.error:
            # Each reason is logged once, with the number of the first batch that failed for it.
            first = self._reasons.setdefault(without_numbers(batch.error), number)
            result += f": {batch.error}" if first == number else f", for the reason of batch {first}"
        self._log.info("Batch %d of %d: %s -> %s", number, self._batches, pluralize(jobs, "job"), result)
        seconds, left = time.monotonic() - self._began, self._jobs - self._done
        rest = ""
        if self._requested and left:
            rest = f", about {format_duration(seconds / self._requested * left)} left"
        done, total = f"{self._done:,}", pluralize(self._jobs, "job")
        self._log.info("  %s of %s done in %s%s.", done, total, format_duration(seconds), rest)

    def log_end(self, archives: Sequence[str]) -> None:
        """Log how long all of it took, and the archives that were not logged before."""
        if archives:
            seconds = format_duration(time.monotonic() - self._began)
            self._log.info("Exported to %s, in %s.", pluralize(len(archives), "archive"), seconds)
        for archive in archives if self._batches == 1 else ():
            self._log.info("  %s", archive)


@dataclass(frozen=True, slots=True)
class ExportOutcome:
    """The outcome of an export.

    :param batches: the outcome of each batch; none if no job is selected
    :param archives: the archives that the task returns, each as ``bucket/key``
    :param extra: archives that this task or an earlier attempt of it made, or may have made, and does not return
    :param visible: the jobs that this key sees; None if they were not listed
    :param lost: the requests whose response was lost and whose archive may come yet
    """

    batches: list[Batch]
    archives: list[str]
    extra: list[str]
    visible: VisibleJobs | None
    lost: list[dict[str, Any]]

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to export."""
        return not any(batch.zip_file or batch.is_failure for batch in self.batches)

    @property
    def exported(self) -> int:
        """How many jobs are in the archives; 0 if not known, of all jobs where they were not listed."""
        if any(batch.job_ids is None and batch.zip_file for batch in self.batches):
            return len(self.visible.job_ids) if self.visible else 0
        return sum(len(set(batch.job_ids or ()) - set(batch.failed)) for batch in self.batches if batch.zip_file)

    @property
    def failed(self) -> list[int]:
        """The jobs that are in no archive."""
        return [job_id for batch in self.batches for job_id in batch.failed]

    @property
    def xcoms(self) -> dict[str, Any]:
        """What the task pushes, by the XCom keys."""
        vanished = [job_id for batch in self.batches for job_id in batch.vanished]
        batches = [batch.as_dict() for batch in self.batches]
        optional = {"vanished": vanished, "extra_archives": self.extra, LOST_REQUESTS: self.lost}
        pushed = {"zip_file": self.archives, "batches": batches, "failed": self.failed}
        pushed |= {key: values for key, values in optional.items() if values}
        return pushed | (self.visible.xcoms if self.visible else {})


def raise_for_failures(result: ExportOutcome, options: ExportParameters, log: Logger) -> None:
    """Raise unless every job is in an archive or, with ``allow_partial``, at least one is; or if many are gone.

    :raises DliException: naming what failed and why; the error of the batch itself if there is only one
    """
    failures = [batch for batch in result.batches if batch.is_failure]
    reasons = [
        f"{_jobs_of(batches)}: {reason}"
        for reason, batches in group_by_reason((batch, batch.error or "") for batch in failures)
    ]
    if not failures or (options.allow_partial and result.archives):
        for reason in reasons:
            log.warning("Not exported: %s", reason)
        raise_for_missing(result.visible, options)
        raise_for_none(result.visible, options)
        return
    if len(result.batches) == 1 and failures[0].cause is not None:
        raise failures[0].cause
    causes = [batch.cause for batch in failures if batch.cause]
    # A retry sends only what is missing.
    kind = DliFailException if all(isinstance(each, DliFailException) for each in causes) else DliException
    failed = pluralize(sum(len(batch.failed) for batch in failures), "job")
    listed = format_ids(reasons, " | ").rstrip(".")
    raise kind(
        f"{failed} not exported to {options.obs_dir.url}: {listed}. "
        "What succeeded is kept: the XCom zip_file lists its archives, failed the jobs."
    ) from worst(causes)


def _jobs_of(batches: Sequence[Batch]) -> str:
    ids = [job_id for batch in batches for job_id in batch.failed]
    several = f" ({len(batches):,} batches)" if len(batches) > 1 else ""
    return f"jobs {format_ids(ids)}{several}"


def lineage_of(result: ExportOutcome, dli: DliHook) -> Lineage:
    """Return which jobs went into which archives."""
    ids = [job for batch in result.batches for job in batch.job_ids or () if job not in batch.failed]
    return Lineage(
        inputs=[jobs_dataset(dli)],
        outputs=[obs_dataset(archive) for archive in result.archives],
        facts={
            "region": dli.account.region,
            "projectId": dli.project_id,
            "jobIds": ids or None,
            "failedJobIds": result.failed,
            "visibleJobs": len(result.visible.job_ids) if result.visible and result.visible.is_all else None,
        },
    )
