"""Wait on the triggerer for archives in OBS."""

from __future__ import annotations

import time
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
    :param deadline: epoch seconds at which to stop waiting
    :param settle_time: seconds for which an archive must not have changed
    """

    hook_class = ObsHook

    def __init__(
        self,
        zip_file: Sequence[str],
        dli_conn_id: str,
        poll_interval: float,
        deadline: float,
        settle_time: float = 0,
    ) -> None:
        super().__init__(dli_conn_id, poll_interval, deadline)
        self.zip_file = list(zip_file)
        self.settle_time = settle_time
        self._watch = _Watch(self.zip_file, settle_time)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what it takes to make it again on another triggerer."""
        names = ("zip_file", "dli_conn_id", "poll_interval", "deadline", "settle_time")
        return "airflow_provider_dli.triggers.obs.ArchivesTrigger", {name: getattr(self, name) for name in names}

    async def look(self, hook: ObsHook) -> None:
        """Look each one up that is not settled yet."""
        await self._watch.look(hook)

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

    async def look(self, hook: ObsHook) -> None:
        """Look each one up that is not settled yet."""
        for archive in self.unsettled():
            await self._look_at(hook, archive)

    async def _look_at(self, hook: ObsHook, archive: str) -> None:
        bucket = archive.partition("/")[0]
        facts = await hook.afind(archive, bucket_known=bucket in self._buckets)
        self._buckets.add(bucket)
        if facts and self._has_settled(facts):
            self._settled.add(archive)

    def unsettled(self) -> list[str]:
        """Give those that were not there, or had changed a moment before, when they were looked at."""
        return [archive for archive in self._archives if archive not in self._settled]

    def _has_settled(self, facts: ObjectFacts) -> bool:
        """Judge by the time of the last write, as the sensor does on a worker."""
        age = time.time() - datetime.fromisoformat(facts.last_modified).timestamp()
        return not self._settle_time or age >= self._settle_time
