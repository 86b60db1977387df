"""The clock of a service, as the ``Date`` headers of its responses show it.

What a service wrote down (the time of an object, the end of a token) is compared with the clock of the service,
never with this machine's: the two may differ by minutes.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

from airflow_provider_dli.client.call import Reply
from airflow_provider_dli.client.replies import moment

#: seconds below which clocks count as equal: ``Date`` has whole seconds, and responses take their time
EQUAL = 2.0
# A date that is further away comes from a page that was kept, or from no clock at all. TLS and signatures would
# have failed long before.
_FURTHEST = 24 * 3600.0
# The status of a proxy or a gateway, which has a clock of its own.
_NOT_THE_SERVICE = (*range(300, 400), 407, 502, 503, 504)

Interval = tuple[float, float]


def offset_in(reply: Reply) -> Interval | None:
    """Return the least and the greatest difference that a response allows, in seconds, service minus this machine.

    :returns: None where the response has no date of the service: none that can be read, one of a cache or a
        gateway, one more than a day away, or if it is not known when it came
    """
    sent, received = reply.sent, reply.received
    date = moment(reply.headers.get("date", ""))
    # A cache adds Age, and leaves the date as it was.
    if sent is None or received is None or date is None or "age" in reply.headers:
        return None
    if reply.status in _NOT_THE_SERVICE or "html" in reply.headers.get("content-type", ""):
        return None
    # The date was written between the sending and the receiving, and then cut to whole seconds.
    least, greatest = date.timestamp() - received, date.timestamp() + 1 - sent
    is_usable = least <= greatest and max(abs(least), abs(greatest)) < _FURTHEST
    return (least, greatest) if is_usable else None


def middle(interval: Interval | None) -> float:
    """Return the difference in the middle of an interval; 0 where clocks may be equal, or nothing is known."""
    if interval is None or interval[0] <= 0 <= interval[1]:
        return 0.0
    between = (interval[0] + interval[1]) / 2
    return 0.0 if abs(between) < EQUAL else between


def local(moment_there: datetime, reply: Reply) -> datetime:
    """Return, by this machine's clock, a time that a response names by the service's clock."""
    return moment_there - timedelta(seconds=middle(offset_in(reply)))


class ServiceClock:
    """How far a service's clock is from this machine's. Threads and event loops may share it.

    Each response narrows it down, until one contradicts: then one of the clocks was set, and the newest counts.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interval: Interval | None = None

    def observe(self, reply: Reply) -> None:
        """Learn from a response of the service."""
        new = offset_in(reply)
        if new is None:
            return
        with self._lock:
            known = self._interval or new
            common = max(known[0], new[0]), min(known[1], new[1])
            self._interval = common if common[0] <= common[1] else new

    @property
    def offset(self) -> float | None:
        """Seconds by which the service's clock is ahead; 0 if they are equal, None if nothing is known."""
        return None if self._interval is None else middle(self._interval)

    def time(self) -> float:
        """Return epoch seconds by the service's clock; by this machine's while nothing is known."""
        return time.time() + (self.offset or 0.0)
