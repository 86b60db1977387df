"""Wait on the triggerer for archives in OBS."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.triggers.base import PollingTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_dli.client.obs.objects import ObjectFacts

#: OBS cuts the time of the last write to whole seconds
RESOLUTION = 1.0


class ArchivesTrigger(PollingTrigger):
    """Waits until archives are in OBS and no longer change.

    :param zip_file: the archives, each ``bucket/key``; with ``directories`` also ``bucket/directory/``
    :param dli_conn_id: connection of type ``dli``
    :param poll_interval: seconds between two polls, a quarter more or less by chance
    :param deadline: epoch seconds, by the service's clock, at which to stop waiting; None where it is not known
    :param inactivity_period: seconds for which an archive must not have changed, by the service's clock
    :param directories: whether what is not called ``.zip`` may be a directory: it is listed, and waited for until
        there is an archive in it, at any depth
    :param timeout: seconds to wait, at most; None where there is a ``deadline`` alone
    :param execution_left: seconds that are left of the task's ``execution_timeout``; None if it has none
    """

    hook_class = ObsHook
    parameters = ("zip_file", *PollingTrigger.parameters, "inactivity_period", "directories")

    def __init__(
        self,
        zip_file: Sequence[str],
        dli_conn_id: str,
        poll_interval: float,
        deadline: float | None = None,
        inactivity_period: float = 0,
        *,
        directories: bool = False,
        timeout: float | None = None,
        execution_left: float | None = None,
    ) -> None:
        super().__init__(dli_conn_id, poll_interval, deadline, timeout=timeout, execution_left=execution_left)
        self.zip_file = list(zip_file)
        self.inactivity_period = inactivity_period
        self.directories = directories
        self._pending = list(zip_file)
        self._known_buckets: set[str] = set()

    async def poll(self, hook: ObsHook) -> None:
        """Check each archive that was not there, or had changed a moment before."""
        for archive in self.pending():
            bucket, _, key = archive.partition("/")
            place = ObsLocation(bucket, key)
            if self.directories and place.is_directory:
                is_there = False
            else:
                facts = await self.request(hook, hook.afind(archive, bucket_known=bucket in self._known_buckets))
                self._known_buckets.add(bucket)
                is_there = bool(facts and not is_changing(hook, facts, self.inactivity_period))
            if not is_there and self.directories and not place.is_archive:
                # boto3 lists, and would block the event loop.
                keys = await self.request(hook, asyncio.to_thread(hook.list_keys, place.directory))
                is_there = any(ObsLocation(bucket, each).is_archive for each in keys)
            if is_there:
                self._pending.remove(archive)

    def pending(self) -> list[Any]:
        """Return the archives that are not there, or have changed a moment ago."""
        return list(self._pending)


def is_changing(hook: ObsHook, facts: ObjectFacts, inactivity_period: float) -> bool:
    """Return whether an object has been written within the last seconds; without a period none is changing.

    A time of the last write that is in the future, by a clock that is ahead, delays nothing then.
    """
    return inactivity_period > 0 and age_of(hook, facts) < inactivity_period


def age_of(hook: ObsHook, facts: ObjectFacts) -> float:
    """Return the seconds that have passed for certain since an object was written, by the store's clock."""
    return hook.service_time() - datetime.fromisoformat(facts.last_modified).timestamp() - RESOLUTION
