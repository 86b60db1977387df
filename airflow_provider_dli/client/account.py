"""An account in one project and region, and the hosts that serve it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_dli.client.call import Clock, Flow
from airflow_provider_dli.client.clocks import ServiceClock
from airflow_provider_dli.client.credentials import Cached, Credentials, Expiring, iam
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.transport import Network


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a call is retried.

    :param budget: seconds that one call may take in all, its waits included; 0 for no retry
    :param first_pause: seconds that the first wait lasts at most; each further one up to twice as long
    :param longest_pause: seconds that no wait exceeds
    :param chance: returns 0 to 1, for full jitter: each wait is that part of its longest
    """

    budget: float = 120.0
    first_pause: float = 1.0
    longest_pause: float = 30.0
    chance: Callable[[], float] = random.random


class Project:
    """The project, given by its id or looked up by its name.

    :param project_id: its id; None to look it up
    :param name: its name: the region
    :param iam_endpoint: base URL of IAM
    :param credentials: authenticate the look-up
    """

    def __init__(self, project_id: str | None, name: str, iam_endpoint: str, credentials: Credentials) -> None:
        self.given = project_id
        self._name = name
        self._iam = iam_endpoint
        self._credentials = credentials
        self._found = Cached(self._look_up)

    def id(self, clock: Clock) -> Flow[str]:
        """Return the project's id, looked up in IAM once if it was not given.

        :raises ConfigurationError: if not exactly one project bears the name
        """
        return self.given or (yield from self._found.get(clock))

    def _look_up(self, clock: Clock) -> Flow[Expiring[str]]:
        found = yield from iam.find_projects(self._iam, self._credentials, self._name, clock)
        if len(found) != 1:
            listed = ", ".join(f"{name} ({project_id})" for project_id, name in found) or "none"
            raise ConfigurationError(
                "project_id",
                f"is not given, and IAM lists not one but {len(found)} projects named {self._name!r}: {listed}",
                "copy the correct one from My Credentials in the console",
            )
        return Expiring(found[0][0], None)


@dataclass(frozen=True, slots=True)
class Account:
    """A project in a region, its credentials and its hosts.

    :param region: region id, such as ``cn-north-4``
    :param project: the project in that region
    :param credentials: authenticate its requests
    :param endpoint: base URL of DLI
    :param obs_endpoint: base URL of OBS, without a bucket
    :param iam_endpoint: base URL of IAM
    :param console: base URL of the console; None if it is not known
    :param bucket: a bucket to try when the connection is tested
    :param network: how hosts are reached
    :param retry: when calls are retried
    :param dli_clock: what is known of DLI's clock
    :param obs_clock: what is known of OBS's clock
    """

    region: str
    project: Project = field(repr=False)
    credentials: Credentials = field(repr=False)
    endpoint: str
    obs_endpoint: str
    iam_endpoint: str
    console: str | None = None
    bucket: str | None = None
    network: Network = field(default_factory=Network)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    dli_clock: ServiceClock = field(default_factory=ServiceClock, repr=False, compare=False)
    obs_clock: ServiceClock = field(default_factory=ServiceClock, repr=False, compare=False)
