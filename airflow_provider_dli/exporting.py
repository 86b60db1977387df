"""Ask for an export so that nothing is lost and nothing is done twice in silence.

The service has no idempotency token. When an answer is lost, or a task is killed while it asks, what became of
the request is told by OBS: an archive that appeared in ``obs_dir`` since. A directory that only one run writes
to makes that exact.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_dli.client.errors import AnswerLostError, UnavailableError
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, DliFailException

if TYPE_CHECKING:
    from airflow_provider_dli.client.call import Call
    from airflow_provider_dli.client.flink import ExportResult
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.verification.progress import Logger

_KEY = "dli_export_began"
_MOST_ASKS = 3
_GLANCE = 2.0
# OBS tells times in whole seconds, and clocks of workers differ a little.
_TOLERANCE = timedelta(seconds=2)
_SERVER_ERROR = 500


class StateStore(Protocol):
    """What is used of Airflow's task state store (3.3 and later)."""

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 -- any JSON value
        """Give a value."""
        ...

    def set(self, key: str, value: Any) -> None:  # noqa: ANN401 -- any JSON value
        """Keep a value over the tries of a task instance."""
        ...

    def delete(self, key: str) -> None:
        """Drop a value."""
        ...


class Memory:
    """Remembers over the tries of a task that it is asking; forgets at once where Airflow has no such store.

    :param store: the task state store; None before Airflow 3.3
    """

    def __init__(self, store: StateStore | None) -> None:
        self._store = store

    def began(self, directory: ObsLocation) -> datetime | None:
        """Tell when an earlier try began to ask for an export to this directory and never learned the outcome.

        :param directory: where its archives go
        """
        kept = self._store.get(_KEY) if self._store else None
        if not isinstance(kept, dict) or kept.get("obs_dir") != str(directory):
            return None
        return datetime.fromisoformat(kept["began"])

    def remember(self, directory: ObsLocation, began: datetime) -> None:
        """Keep that an export is being asked for."""
        if self._store:
            self._store.set(_KEY, {"obs_dir": str(directory), "began": began.isoformat()})

    def forget(self) -> None:
        """Drop it: the outcome is known."""
        if self._store:
            self._store.delete(_KEY)


class Export:
    """One export, asked for as often as it takes to know its outcome.

    :param dli: asks for it
    :param obs: looks for what became of it
    :param directory: where the archives go
    :param memory: what earlier tries left
    :param settling_time: seconds in which an archive may still appear after its answer was lost
    :param log: where to tell
    """

    def __init__(
        self, dli: DliHook, obs: ObsHook, directory: ObsLocation, memory: Memory, settling_time: float, log: Logger
    ) -> None:
        self._dli = dli
        self._obs = obs
        self._directory = directory
        self._memory = memory
        self._settling_time = settling_time
        self._log = log

    def archives(self, call: Call[ExportResult]) -> list[str]:
        """Export, or adopt what a lost request exported; each archive as ``bucket/key``.

        :param call: the export
        :raises DliFailException: if several archives could be the one, or the service says no for good
        :raises DliException: if the outcome stays unknown, or the service is in trouble
        """
        if began := self._memory.began(self._directory):
            self._log.info("An earlier try ended while it was asking, since %s.", began.isoformat(" ", "seconds"))
            if adopted := self._adopt(began):
                return adopted
        asks_left = _MOST_ASKS
        while True:
            asks_left -= 1
            if found := self._asked(call, asks_left):
                return found

    def _asked(self, call: Call[ExportResult], asks_left: int) -> list[str]:
        began = datetime.now(UTC)
        self._memory.remember(self._directory, began)
        try:
            archives = list(self._dli.run(call).zip_file)
        except DliException as error:
            if not _outcome_unknown(error):
                self._memory.forget()
                raise
            self._log.info("%s Looking in OBS for what became of it.", error)
            adopted = self._adopt(began)
            if not adopted and not asks_left:
                raise
            return adopted
        self._memory.forget()
        return archives

    def _adopt(self, began: datetime) -> list[str]:
        """Give the archive that appeared since; none after the settling time."""
        found = self._wait(lambda: self._appeared_since(began))
        place = self._directory.url
        if not found:
            self._log.info("No archive appeared in %s within %.0f s; asking again.", place, self._settling_time)
            return []
        if len(found) > 1:
            raise DliFailException(
                f"The outcome of an export to {place} is unknown, and several archives appeared there since: "
                f"{', '.join(found)}. Verify them, keep the right one, and give every run a directory of its own."
            )
        self._log.info("Adopted %s: it appeared in %s after the export was asked for.", found[0], place)
        self._memory.forget()
        return found

    def _appeared_since(self, began: datetime) -> list[str]:
        listing = self._obs.list_directory(self._directory)
        # Told by the store's clock, with which its objects' times agree.
        since = began + (listing.moment - datetime.now(UTC)) - _TOLERANCE
        keys = [key for key, written in listing.objects if written >= since and key.lower().endswith(".zip")]
        return [str(ObsLocation(self._directory.bucket, key)) for key in keys]

    def _wait(self, look: Callable[[], list[str]]) -> list[str]:
        deadline = time.monotonic() + self._settling_time
        while not (found := look()) and time.monotonic() < deadline:
            time.sleep(min(_GLANCE, max(0.0, deadline - time.monotonic())))
        return found


def _outcome_unknown(error: DliException) -> bool:
    cause = error.error
    if isinstance(cause, UnavailableError):
        return cause.status >= _SERVER_ERROR
    return isinstance(cause, AnswerLostError)
