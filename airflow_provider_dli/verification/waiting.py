"""Look for archives, and wait for those that are not there yet."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.triggers.failures import raise_unless_transient
from airflow_provider_dli.wording import Logger, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.client.obs.objects import ObjectFacts
    from airflow_provider_dli.hooks.obs import ObsHook

_SHOWN = 3

Found = dict["ObsLocation", "ObjectFacts"]


def look(hook: ObsHook, places: Sequence[ObsLocation], found: Found, log: Logger) -> DliException | None:
    """Look for the archives that are not found yet.

    :param hook: reads OBS
    :param places: where they should be
    :param found: takes those that are there
    :param log: where to tell
    :returns: what went wrong, where another look may go better
    :raises DliFailException: if none can
    """
    try:
        for place in places:
            if place not in found and (facts := hook.find(place)):
                found[place] = facts
    except DliFailException:
        raise
    except DliException as failure:
        log.info("%s Looking again.", failure)
        return failure
    return None


def wait_for(
    hook: ObsHook, places: Sequence[ObsLocation], timeout: float, poll_interval: float, log: Logger
) -> Found:
    """Wait until all archives are there, or time is up.

    :param hook: reads OBS
    :param places: where they should be
    :param timeout: seconds
    :param poll_interval: seconds between two looks
    :param log: where to tell
    :returns: those that are there
    :raises DliException: if the poll fails that is the last in time, or in a way that will not pass
    """
    deadline = time.monotonic() + timeout
    found: Found = {}
    told = False
    while True:
        failure = look(hook, places, found, log)
        left = deadline - time.monotonic()
        if failure is None:
            if len(found) == len(places) or left <= 0:
                return found
            told = told or _tell(places, found, left, log)
        else:
            # What a poll that failed has not found may be there.
            raise_unless_transient(failure, left)
        time.sleep(min(poll_interval, left))


def _tell(places: Sequence[ObsLocation], found: Found, left: float, log: Logger) -> bool:
    awaited = [place.url for place in places if place not in found]
    log.info("%s not there yet; waiting at most %.0f s.", _listed(awaited), left)
    return True


def _listed(urls: Sequence[str]) -> str:
    if len(urls) == 1:
        return f"{urls[0]} is"
    more = "" if len(urls) <= _SHOWN else " …"
    return f"{counted(len(urls), 'archive')} ({', '.join(urls[:_SHOWN])}{more}) are"
