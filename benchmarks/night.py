"""A night of backups as discrete events, on a virtual clock: nothing sleeps, and nothing is sent.

What decides is the provider's own code: the requests of each task are those that it was recorded with, and those
to DLI go through the client's flow, which retries and pauses by its own rules. What takes time, and where
DLI throttles, are parameters: see :class:`Assumed`.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count, groupby
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Call, Clock, Flow, Pause, Reply, Request
from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.errors import DliClientError
from airflow_provider_dli.client.exchange import Account, Project, RetryPolicy, request_flow

if TYPE_CHECKING:
    from in_process import Phase, Recorded, Sent

_BEGIN = datetime(2026, 1, 15, 1, tzinfo=UTC)
_ENVELOPE: dict[str, Any] = {"is_success": "true", "message": ""}
#: call and response of each operation of DLI that a backup sends
CALLS: Mapping[str, tuple[Call[Any], dict[str, Any]]] = {
    "ExportFlinkJobs": (
        flink.export_jobs("obs-test/flink", [100]),
        _ENVELOPE | {"zip_file": ["obs-test/flink/aggregate_1.zip"]},
    ),
    "ListFlinkJobs": (flink.list_jobs({}), _ENVELOPE | {"job_list": {"total_count": 0, "jobs": []}}),
}
_REPLIES = {name: Reply(200, {}, json.dumps(body).encode()) for name, (_, body) in CALLS.items()}
#: of the gateway, as the emulator's fault ``throttled`` has it
_THROTTLED = Reply(429, {}, json.dumps({"error_code": "APIGW.0308", "error_msg": "throttled"}).encode())


@dataclass(frozen=True, slots=True)
class Assumed:
    """What no document establishes, and a user may measure.

    :param seconds: of a response, by operation
    :param other_seconds: of a response of any other operation, all of OBS
    :param refused_seconds: of a response to a request that is throttled
    :param client_seconds: of a task's process for each request: it builds, signs, parses, one at a time
    :param bytes_per_second: at which a worker reads from OBS
    :param start_seconds: of a core, until a task that was started sends its first request
    :param starts_per_second: of tasks, by the scheduler
    :param cores: of all workers together
    :param quota: requests for one operation in a second, of all projects together; None for no limit
    """

    seconds: Mapping[str, float] = field(default_factory=lambda: {"ListFlinkJobs": 0.3, "ExportFlinkJobs": 0.5})
    other_seconds: float = 0.03
    refused_seconds: float = 0.03
    client_seconds: float = 0.01
    bytes_per_second: float = 50e6
    start_seconds: float = 3.0
    starts_per_second: float = 5.0
    cores: int = 16
    quota: int | None = 200

    def duration(self, sent: Sent) -> float:
        """Return how long the response to a request takes until it is read."""
        return self.seconds.get(sent.operation, self.other_seconds) + sent.size / self.bytes_per_second


@dataclass(slots=True)
class Outcome:
    """What a night came to.

    :param seconds: until the last task has ended
    :param busy: seconds of slots with a task
    :param sent: requests, by operation, those that are repeated too
    :param throttled: of them, those that DLI has refused
    :param failed: batches, and lists of jobs, that were given up
    :param rates: requests to DLI and to OBS in each second
    """

    seconds: float = 0.0
    busy: float = 0.0
    sent: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    failed: int = 0
    rates: Mapping[str, Counter[int]] = field(default_factory=lambda: {"DLI": Counter(), "OBS": Counter()})

    def peak(self, service: str) -> int:
        """Return the most requests of a second."""
        return max(self.rates[service].values(), default=0)

    def mean(self, service: str) -> float:
        """Return the requests of a second, on average."""
        return sum(self.rates[service].values()) / max(self.seconds, 1.0)


#: seconds to wait, or processes to wait for
Wait = float | list["Process"]
Process = Generator[Wait, None, None]


class Events:
    """Processes that wait for time and for each other, on a clock of their own."""

    def __init__(self) -> None:
        self.now = 0.0
        self._numbers = count()
        self._queue: list[tuple[float, int, Process]] = []
        #: how many processes each process waits for, and who waits for it
        self._waited: dict[Process, int] = {}
        self._waits: dict[Process, Process] = {}

    def begin(self, process: Process, after: float = 0.0) -> None:
        """Begin a process, or go on with it, after some seconds."""
        heappush(self._queue, (self.now + after, next(self._numbers), process))

    def run(self) -> None:
        """Run all processes to their ends."""
        while self._queue:
            self.now, _, process = heappop(self._queue)
            self._step(process)

    def _step(self, process: Process) -> None:
        try:
            wait = next(process)
        except StopIteration:
            waiting = self._waits.pop(process, None)
            if waiting is not None:
                self._waited[waiting] -= 1
                if not self._waited[waiting]:
                    del self._waited[waiting]
                    self.begin(waiting)
            return
        if isinstance(wait, list):
            self._waited[process] = len(wait)
            for each in wait:
                self._waits[each] = process
                self.begin(each)
        else:
            self.begin(process, wait)


@dataclass(slots=True)
class Client:
    """The process of a task: one connection, whose calls share what they know of DLI, and one thread at a time.

    :param account: of the connection
    :param free: when no other request is being built or parsed
    """

    account: Account
    free: float = 0.0

    def work(self, now: float, seconds: float) -> float:
        """Return the seconds until the process has done some work, which begins when what it does now is done."""
        self.free = max(now, self.free) + seconds
        return self.free - now


class Unsigned:
    """Credentials of a client that sends nothing: a signature would cost most of the simulation's time."""

    identity = "nobody"

    def authenticate(self, request: Request, clock: Clock) -> Flow[Request]:
        """Return the request as it is."""
        del clock
        yield from ()
        return request

    def keys(self, clock: Clock) -> Flow[AccessKey]:
        """Return a key."""
        del clock
        yield from ()
        return AccessKey("", "")

    def invalidate(self, refused: Request) -> bool:
        """Return False: there are no others."""
        del refused
        return False


class Night:
    """Tasks that back up one project after the other, in the slots of a pool.

    :param tasks: the projects of each task, each as its backup was recorded
    :param slots: tasks at a time
    :param max_concurrency: batches of a task at a time
    :param assumed: what takes how long
    :param seed: of all that happens by chance
    """

    def __init__(
        self,
        tasks: Iterable[Sequence[Recorded]],
        slots: int,
        max_concurrency: int,
        assumed: Assumed,
        seed: int = 1,
    ) -> None:
        self._tasks = iter(tasks)
        self._slots, self._max_concurrency, self._assumed = slots, max_concurrency, assumed
        self._events, self.outcome = Events(), Outcome()
        self._chance = random.Random(seed).random  # noqa: S311 -- no secret
        self._next_start = 0.0
        #: when each core of the workers has begun its last task
        self._cores = [0.0] * assumed.cores
        #: requests for each operation in the second that is counted
        self._second, self._counted = -1, Counter[str]()

    def run(self) -> Outcome:
        """Run the night to its end."""
        for _ in range(self._slots):
            self._events.begin(self._slot())
        self._events.run()
        self.outcome.seconds = self._events.now
        return self.outcome

    def _slot(self) -> Process:
        for task in self._tasks:
            # The scheduler starts one after the other.
            at = max(self._events.now, self._next_start)
            self._next_start = at + 1 / self._assumed.starts_per_second
            yield at - self._events.now
            began = self._events.now
            ready = max(began, heappop(self._cores)) + self._assumed.start_seconds
            heappush(self._cores, ready)
            yield ready - began
            for project in task:
                yield from self._project(project)
            self.outcome.busy += self._events.now - began

    def _project(self, project: Recorded) -> Process:
        account = Account(
            region="cn-north-4",
            project=Project("0", "cn-north-4", "http://iam", Unsigned()),
            credentials=Unsigned(),
            endpoint="http://dli",
            obs_endpoint="http://obs",
            iam_endpoint="http://iam",
            retry=RetryPolicy(chance=self._chance),
        )
        client = Client(account)
        for phase in project.phases:
            if not (yield from self._phase(phase, client)):
                return

    def _phase(self, phase: Phase, client: Client) -> Generator[Wait, None, bool]:
        """Send the requests of a phase; return whether the task goes on."""
        failures = self.outcome.failed
        parts = iter(phase.parts)
        lanes = min(self._max_concurrency, len(phase.parts))
        if lanes == 1:
            yield from self._lane(parts, client)
        else:
            yield [self._lane(parts, client) for _ in range(lanes)]
        # Batches that fail do not stop the others; without the list there is nothing to do.
        return len(phase.parts) > 1 or failures == self.outcome.failed

    def _lane(self, parts: Iterator[tuple[Sent, ...]], client: Client) -> Process:
        """Send the requests of one batch after the other."""
        for part in parts:
            for is_call, group in groupby(part, key=lambda sent: sent.operation in CALLS):
                if not is_call:
                    yield self._obs(tuple(group), client)
                    continue
                for sent in group:
                    if not (yield from self._call(sent, client)):
                        self.outcome.failed += 1
                        break
                else:
                    continue
                break

    def _obs(self, group: Sequence[Sent], client: Client) -> float:
        """Count requests to OBS that follow each other; return how long they take."""
        work = client.work(self._events.now, len(group) * self._assumed.client_seconds)
        seconds = 0.0
        for sent in group:
            self._count("OBS", sent.operation, self._events.now + seconds)
            seconds += self._assumed.duration(sent) + work / len(group)
        return seconds

    def _call(self, sent: Sent, client: Client) -> Generator[Wait, None, bool]:
        """Send a request to DLI as the client does; return whether it has succeeded."""
        flow = request_flow(CALLS[sent.operation][0], client.account, self._clock)
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    yield step.seconds
                    step = flow.send(None)
                    continue
                yield client.work(self._events.now, self._assumed.client_seconds)
                if self._is_admitted(sent.operation):
                    yield self._assumed.duration(sent)
                    step = flow.send(_REPLIES[sent.operation])
                else:
                    yield self._assumed.refused_seconds
                    step = flow.send(_THROTTLED)
        except StopIteration:
            return True
        except DliClientError:
            return False

    def _is_admitted(self, operation: str) -> bool:
        """Count a request that has arrived at DLI; return whether it is within the quota of this second."""
        self._count("DLI", operation, self._events.now)
        if self._second != int(self._events.now):
            self._second = int(self._events.now)
            self._counted.clear()
        self._counted[operation] += 1
        if self._assumed.quota is None or self._counted[operation] <= self._assumed.quota:
            return True
        self.outcome.throttled += 1
        return False

    def _count(self, service: str, operation: str, at: float) -> None:
        self.outcome.sent[operation] += 1
        self.outcome.rates[service][int(at)] += 1

    def _clock(self) -> datetime:
        return _BEGIN + timedelta(seconds=self._events.now)
