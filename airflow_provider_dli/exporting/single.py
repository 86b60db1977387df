"""One export, asked for until its outcome is known.

The service has no idempotency token. When an answer is lost, or a task is killed while it asks, what became of
the request is told by OBS: an archive that appeared in ``obs_dir`` since. A directory that only one run writes
to makes that exact.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_dli.asking import ask_until_known
from airflow_provider_dli.client import flink
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.exporting.journal import name_of

if TYPE_CHECKING:
    from airflow_provider_dli.client.call import Call
    from airflow_provider_dli.client.flink import ExportResult
    from airflow_provider_dli.exporting.journal import Journal
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.wording import Logger

_GLANCE = 2.0
# OBS tells times in whole seconds, and clocks of workers differ a little.
_TOLERANCE = timedelta(seconds=2)


class Export:
    """One export, asked for as often as it takes to know its outcome.

    :param dli: asks for it
    :param obs: looks for what became of it
    :param journal: what earlier tries left
    :param settling_time: seconds in which an archive may still appear after its answer was lost
    :param log: where to tell
    """

    def __init__(self, dli: DliHook, obs: ObsHook, journal: Journal, settling_time: float, log: Logger) -> None:
        self._dli = dli
        self._obs = obs
        self._journal = journal
        self._settling_time = settling_time
        self._log = log

    def archives(self, directory: ObsLocation, job_ids: Sequence[int] | None) -> list[str]:
        """Export, or adopt what a lost request exported; each archive as ``bucket/key``.

        :param directory: where the archives go, and no others at the same time
        :param job_ids: ids of the jobs; None for all of the project
        :raises DliFailException: if several archives could be the one, or the service says no for good
        :raises DliException: if the outcome stays unknown, or the service is in trouble
        """
        call, batch = flink.export_jobs(str(directory), job_ids), name_of(job_ids)
        found = self._resumed(directory, batch) or ask_until_known(
            lambda: self._ask(call, batch), lambda error: self._look(error, directory, batch), self._log
        )
        self._journal.finish(batch, found)
        return found

    def _resumed(self, directory: ObsLocation, batch: str) -> list[str]:
        began = self._journal.asked(batch)
        if began is None:
            return []
        self._log.info("An earlier try ended while it was asking, since %s.", began.isoformat(" ", "seconds"))
        found = self._adopt(directory, began)
        if not found:
            self._log.info("Asking again.")
        return found

    def _ask(self, call: Call[ExportResult], batch: str) -> list[str]:
        self._journal.begin(batch, datetime.now(UTC))
        try:
            return list(self._dli.run(call).zip_file)
        except DliException as error:
            if not error.outcome_unknown:
                self._journal.nothing_came(batch)
            raise

    def _look(self, error: DliException, directory: ObsLocation, batch: str) -> list[str] | None:
        self._log.info("%s Looking in OBS for what became of it.", error)
        began = self._journal.asked(batch)
        found = self._adopt(directory, began) if began else []
        return found or None

    def _adopt(self, directory: ObsLocation, began: datetime) -> list[str]:
        """Give the archive that appeared since; none after the settling time."""
        found = self._wait(lambda: self._appeared_since(directory, began))
        place = directory.url
        if not found:
            self._log.info("No archive appeared in %s within %.0f s.", place, self._settling_time)
            return []
        if len(found) > 1:
            raise DliFailException(
                f"The outcome of an export to {place} is unknown, and several archives appeared there since: "
                f"{', '.join(found)}. Verify them, keep the right one, and give every run a directory of its own."
            )
        self._log.info("Adopted %s: it appeared in %s after the export was asked for.", found[0], place)
        return found

    def _appeared_since(self, directory: ObsLocation, began: datetime) -> list[str]:
        listing = self._obs.list_directory(directory)
        # Told by the store's clock, with which its objects' times agree.
        since = began + (listing.moment - datetime.now(UTC)) - _TOLERANCE
        keys = [key for key, written in listing.objects if written >= since and key.lower().endswith(".zip")]
        found = [str(ObsLocation(directory.bucket, key)) for key in keys]
        return [archive for archive in found if archive not in self._journal.archives]

    def _wait(self, look: Callable[[], list[str]]) -> list[str]:
        deadline = time.monotonic() + self._settling_time
        while not (found := look()) and time.monotonic() < deadline:
            time.sleep(min(_GLANCE, max(0.0, deadline - time.monotonic())))
        return found
