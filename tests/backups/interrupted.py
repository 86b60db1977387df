"""A hook of OBS that lets something happen at its n-th request: a kill, or what another task does meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from airflow_provider_dli.hooks.obs import ObsHook

if TYPE_CHECKING:
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.client.obs.objects import Entry


class Killed(BaseException):
    """The process is gone: nothing may catch this but a ``finally``."""


class StepwiseObsHook(ObsHook):
    """Calls a function before each request that lists, writes or deletes, with its number from 1 on.

    What is read is never written again.

    :param step: may raise, or do what another task does
    """

    def __init__(self, step: Callable[[int], None], dli_conn_id: str = "dli_default") -> None:
        super().__init__(dli_conn_id)
        self._step = step
        #: requests so far
        self.count = 0
        self._is_dead = False

    def _next(self) -> None:
        if self._is_dead:
            # What a dead process would send in a finally is never sent.
            raise Killed
        self.count += 1
        try:
            self._step(self.count)
        except Killed:
            self._is_dead = True
            raise

    def list_tree(self, directory: ObsLocation) -> Iterator[Entry]:
        self._next()
        yield from super().list_tree(directory)

    def put(self, place: ObsLocation | str, data: bytes, content_type: str) -> None:
        self._next()
        super().put(place, data, content_type)

    def delete(self, place: ObsLocation) -> None:
        self._next()
        super().delete(place)


def killed_at(number: int) -> Callable[[int], None]:
    """Return a step that kills the process before its n-th request."""

    def step(count: int) -> None:
        if count == number:
            raise Killed

    return step
