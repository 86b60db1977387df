"""What an export is to do: checked before anything is sent, then done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_dli.exporting.batch import Batch
from airflow_provider_dli.exporting.batches import BatchedExport
from airflow_provider_dli.exporting.journal import Journal
from airflow_provider_dli.exporting.single import Export
from airflow_provider_dli.selecting import select
from airflow_provider_dli.wording import counted, lasting

if TYPE_CHECKING:
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.memory import TaskMemory
    from airflow_provider_dli.selection import Selection
    from airflow_provider_dli.wording import Logger


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
        self, dli: DliHook, obs: ObsHook, memory: TaskMemory, settling_time: float, log: Logger
    ) -> list[Batch]:
        """Export.

        :param dli: asks for the exports
        :param obs: looks for what became of them
        :param memory: of the task
        :param settling_time: seconds in which an archive may still appear after its answer was lost
        :param log: where to tell
        :returns: what became of each batch; nothing if no job is selected
        :raises DliException: if the jobs cannot be listed
        """
        journal = Journal(memory, self.directory)
        if journal.superseded:
            log.info(
                "An earlier try exported everything, to %s. Exporting anew; those archives stay where they are.",
                ", ".join(journal.superseded),
            )
        ids = self._ids(dli, journal, log)
        batches = (
            [None]
            if ids is None
            else [ids[at : at + self.batch_size] for at in range(0, len(ids), self.batch_size)]
        )
        self._tell(dli, ids, len(batches), log)
        export = Export(dli, obs, journal, settling_time, log)
        began = time.monotonic()
        outcome = list(BatchedExport(export, dli, obs, self.directory, journal, log).run(batches))
        self._tell_end(outcome, time.monotonic() - began, log)
        if all(batch.error is None for batch in outcome):
            journal.close()
        return outcome

    def _ids(self, dli: DliHook, journal: Journal, log: Logger) -> tuple[int, ...] | None:
        if self.selection is None:
            return self.job_ids
        if journal.selected is not None:
            log.info("Going on with the %s that an earlier try selected.", counted(len(journal.selected), "job"))
            return tuple(journal.selected)
        chosen = [job.job_id for job in select(dli, self.selection, log)]
        journal.select(chosen)
        return tuple(chosen)

    def _tell(self, dli: DliHook, ids: Sequence[int] | None, batches: int, log: Logger) -> None:
        if ids is not None and not ids:
            return
        what = "all Flink jobs" if ids is None else counted(len(ids), "Flink job")
        how = f", in {counted(batches, 'batch', 'batches')}" if batches > 1 else ""
        log.info("Exporting %s of project %s in %s%s.", what, dli.project_id, dli.account.region, how)
        listed = f": {', '.join(map(str, ids[:_SHOWN]))}{' …' if len(ids) > _SHOWN else ''}" if ids else ""
        log.info("  by connection %s%s", dli.dli_conn_id, listed)

    def _tell_end(self, outcome: Sequence[Batch], seconds: float, log: Logger) -> None:
        archives = [archive for batch in outcome for archive in batch.zip_file]
        if not archives:
            return
        log.info("Exported to %s, in %s.", counted(len(archives), "archive"), lasting(seconds))
        # Of several batches each has told of its own.
        for archive in archives if len(outcome) == 1 else ():
            log.info("  %s", archive)


#: how many ids a line has
_SHOWN = 12
