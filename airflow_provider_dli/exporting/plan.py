"""What an export is to do: checked before anything is sent, then done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_dli.exporting.batch import Batch
from airflow_provider_dli.exporting.batches import BatchedExport
from airflow_provider_dli.exporting.journal import ExportRequests
from airflow_provider_dli.exporting.single import Export
from airflow_provider_dli.selecting import select
from airflow_provider_dli.wording import counted, lasting

if TYPE_CHECKING:
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.exporting.writer import Writer
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.selection import Selection
    from airflow_provider_dli.task_state import RequestLog
    from airflow_provider_dli.wording import TaskLogger


@dataclass(frozen=True, slots=True)
class Exported:
    """The outcome of an export.

    :param batches: the outcome of each batch
    :param extra: archives that this task or an earlier attempt of it made, or may have made, and does not return
    """

    batches: tuple[Batch, ...]
    extra: tuple[str, ...]

    @property
    def archives(self) -> list[str]:
        """The archives that the task returns."""
        return [archive for batch in self.batches for archive in batch.zip_file]

    @property
    def failed(self) -> list[int]:
        """The jobs that are in no archive."""
        return [job_id for batch in self.batches for job_id in batch.failed]

    @property
    def vanished(self) -> list[int]:
        """The jobs that were selected and deleted before they were exported."""
        return [job_id for batch in self.batches for job_id in batch.vanished]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which jobs go where, in batches of which size.

    :param directory: where the archives go
    :param job_ids: the jobs, if they are named; None for all of the project, or those of the selection
    :param selection: which jobs, if that is told when it runs
    :param batch_size: most jobs of a batch
    """

    directory: ObsLocation
    job_ids: tuple[int, ...] | None
    selection: Selection | None
    batch_size: int

    def run(
        self,
        dli: DliHook,
        obs: ObsHook,
        log_of_requests: RequestLog,
        writer: Writer,
        settling_time: float,
        log: TaskLogger,
    ) -> Exported:
        """Export.

        :param dli: sends the requests
        :param obs: lists what lies in the directories
        :param log_of_requests: of the task
        :param writer: the task instance
        :param settling_time: seconds in which an archive may still appear after a response was lost
        :param log: of the task
        :returns: the outcome of each batch, none if no job is selected; and the extra archives
        :raises DliException: if the jobs cannot be listed
        """
        requests = ExportRequests(log_of_requests)
        extra = self._left_behind(requests, log)
        ids = self._ids(dli, requests, log)
        batches = (
            [None]
            if ids is None
            else [ids[at : at + self.batch_size] for at in range(0, len(ids), self.batch_size)]
        )
        self._tell(dli, ids, len(batches), log)
        export = Export(dli, obs, requests, writer, settling_time, log)
        began = time.monotonic()
        exporting = BatchedExport(
            export, dli, obs, self.directory, requests, is_selection=self.selection is not None, log=log
        )
        outcome = list(exporting.run(batches))
        self._tell_end(outcome, time.monotonic() - began, log)
        is_success = not any(batch.is_failure for batch in outcome)
        extra += export.extra_archives(final=is_success)
        archives = [archive for batch in outcome for archive in batch.zip_file]
        if is_success:
            requests.close(archives)
        else:
            requests.clear_if_over()
        return Exported(tuple(outcome), tuple(each for each in dict.fromkeys(extra) if each not in archives))

    def _left_behind(self, requests: ExportRequests, log: TaskLogger) -> list[str]:
        """Return archives of earlier attempts that this one does not return, and log them."""
        if requests.superseded:
            log.warning(
                "An earlier attempt exported everything, to %s. Exporting again; those archives stay there.",
                ", ".join(requests.superseded),
            )
        elsewhere = [
            archive
            for directory, archives in requests.completed()
            if not self._holds(directory)
            for archive in archives
        ]
        if elsewhere:
            log.warning("An earlier attempt exported to another directory: %s.", ", ".join(elsewhere))
        return requests.superseded + elsewhere

    def _holds(self, directory: ObsLocation) -> bool:
        return directory == self.directory or str(directory).startswith(f"{self.directory}/batch-")

    def _ids(self, dli: DliHook, requests: ExportRequests, log: TaskLogger) -> tuple[int, ...] | None:
        """Return the ids in one order, whatever order they came in: by it a later attempt finds its batches."""
        if self.selection is None:
            return None if self.job_ids is None else tuple(sorted(self.job_ids))
        if (selected := requests.selected) is not None:
            log.info("Going on with the %s that an earlier attempt selected.", counted(len(selected), "job"))
            return tuple(selected)
        chosen = sorted(job.job_id for job in select(dli, self.selection, log))
        if chosen:
            requests.select(chosen)
        return tuple(chosen)

    def _tell(self, dli: DliHook, ids: Sequence[int] | None, batches: int, log: TaskLogger) -> None:
        if ids is not None and not ids:
            return
        what = "all Flink jobs" if ids is None else counted(len(ids), "Flink job")
        how = f", in {counted(batches, 'batch', 'batches')}" if batches > 1 else ""
        log.info("Exporting %s of project %s in %s%s.", what, dli.project_id, dli.account.region, how)
        listed = f": {', '.join(map(str, ids[:_SHOWN]))}{' …' if len(ids) > _SHOWN else ''}" if ids else ""
        log.info("  by connection %s%s", dli.dli_conn_id, listed)

    def _tell_end(self, outcome: Sequence[Batch], seconds: float, log: TaskLogger) -> None:
        archives = [archive for batch in outcome for archive in batch.zip_file]
        if not archives:
            return
        log.info("Exported to %s, in %s.", counted(len(archives), "archive"), lasting(seconds))
        # Of several batches each has told of its own.
        for archive in archives if len(outcome) == 1 else ():
            log.info("  %s", archive)


#: how many ids a line has
_SHOWN = 12
