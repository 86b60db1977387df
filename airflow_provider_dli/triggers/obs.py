"""Wait on the triggerer for archives in OBS."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.triggers.waiting import WaitingTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_dli.client.obs.objects import ObjectFacts


class ArchivesTrigger(WaitingTrigger):
    """Waits until archives are in OBS and no longer change.

    :param zip_file: the archives, each ``bucket/key``
    :param dli_conn_id: connection of type ``dli``
    :param poll_interval: seconds between two looks, a quarter more or less by chance
    :param deadline: epoch seconds, by the service's clock, at which to stop waiting; None where it is not known
    :param settle_time: seconds for which an archive must not have changed, by the service's clock
    :param timeout: seconds to wait, at most; None where there is a ``deadline`` alone
    :param execution_left: seconds that are left of the task's ``execution_timeout``; None if it has none
    """

    hook_class = ObsHook
    parameters = ("zip_file", *WaitingTrigger.parameters, "settle_time")

    def __init__(
        self,
        zip_file: Sequence[str],
        dli_conn_id: str,
        poll_interval: float,
        deadline: float | None = None,
        settle_time: float = 0,
        *,
        timeout: float | None = None,
        execution_left: float | None = None,
    ) -> None:
        super().__init__(dli_conn_id, poll_interval, deadline, timeout=timeout, execution_left=execution_left)
        self.zip_file = list(zip_file)
        self.settle_time = settle_time
        self._watch = _Watch(self.zip_file, settle_time)

    async def look(self, hook: ObsHook) -> None:
        """Look each one up that is not settled yet."""
        for archive in self._watch.unsettled():
            known = self._watch.knows_bucket(archive)
            facts = await self.request(hook, hook.afind(archive, bucket_known=known))
            self._watch.see(archive, facts, hook.service_time())

    def missing(self) -> list[Any]:
        """Give those that are not there, or have changed a moment ago."""
        return self._watch.unsettled()


class _Watch:
    """What has been seen of some archives."""

    def __init__(self, archives: Sequence[str], settle_time: float) -> None:
        self._settle_time = settle_time
        self._archives = archives
        self._buckets: set[str] = set()
        self._settled: set[str] = set()

    def knows_bucket(self, archive: str) -> bool:
        """Return whether the bucket of an archive has been there before."""
        return archive.partition("/")[0] in self._buckets

    def see(self, archive: str, facts: ObjectFacts | None, now: float) -> None:
        """Take down what was seen of an archive, by the service's time."""
        self._buckets.add(archive.partition("/")[0])
        if facts and self._has_settled(facts, now):
            self._settled.add(archive)

    def unsettled(self) -> list[str]:
        """Give those that were not there, or had changed a moment before, when they were looked at."""
        return [archive for archive in self._archives if archive not in self._settled]

    def _has_settled(self, facts: ObjectFacts, now: float) -> bool:
        """Judge by the time of the last write, as the sensor does on a worker."""
        age = now - datetime.fromisoformat(facts.last_modified).timestamp()
        return not self._settle_time or age >= self._settle_time
