"""An account, and the exchange of a call with the service: build, authenticate, send, parse, perhaps retry.

A generator without clock, sleep or sockets (see :mod:`airflow_provider_dli.client.call`). Both drivers in
:mod:`airflow_provider_dli.client.transport` run this one generator, so they cannot drift apart.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from airflow_provider_dli.client import iam, replies
from airflow_provider_dli.client.call import (
    Call,
    Clock,
    Flow,
    Pause,
    QueryValue,
    Reply,
    Request,
    Scalar,
    encodable,
    json_request,
    send,
)
from airflow_provider_dli.client.credentials import Cached, Credentials, canonical_query, encode
from airflow_provider_dli.client.errors import (
    AuthenticationError,
    DliClientError,
    ThrottledError,
)
from airflow_provider_dli.client.replies import ServiceClock
from airflow_provider_dli.client.transport import Network
from airflow_provider_dli.formatting import safe_logger

T = TypeVar("T")

_log = safe_logger(__name__)

# "App authentication", which is also what a signature with another time gets.
_CLOCK_CODE = "APIGW.0303"
#: longest wait through ``Retry-After``, in seconds
_MAX_RETRY_AFTER = 60.0
#: seconds between two requests after the first 429, at most, and by which a request makes them fewer
_FIRST_INTERVAL, _LONGEST_INTERVAL, _SHORTER = 0.25, 5.0, 0.97


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

    def pause(self, attempts: int, error: DliClientError) -> float:
        """Return how many seconds to wait after so many attempts in a row."""
        # 2**30 s is beyond every longest_pause; more would overflow.
        longest = self.first_pause * 2.0 ** min(attempts - 1, 30)
        pause = self.chance() * min(longest, self.longest_pause)
        if isinstance(error, ThrottledError) and error.retry_after is not None:
            # A service may send 0, or a past time, for ever: Retry-After only lengthens a pause of ours.
            pause = max(pause, min(error.retry_after, _MAX_RETRY_AFTER))
        return pause


class RateLimiter:
    """Has all calls of an account wait when DLI throttles one of them. Threads and event loops may share it.

    What DLI permits is not documented, so it is found out. Until the first 429 no call waits. The call that gets
    it waits as long as a :class:`RetryPolicy` has it, and the others until after its next attempt. Then they
    follow one at a time: the interval between them doubles with each 429 that follows a success, and each success
    makes it 3 % shorter. The 429s of all calls in a row make the waits longer, as those of one call do.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: seconds between two requests
        self._interval = 0.0
        #: when the next one is sent, in epoch seconds
        self._next = 0.0
        #: how often DLI has throttled, counting requests that were in progress together as one
        self.throttled = 0
        self._in_a_row = 0
        #: when the next attempt begins of the call that was throttled last
        self._until = 0.0
        #: how many calls have succeeded, which shows that the credentials are right
        self.succeeded = 0

    def wait(self, seconds: float, clock: Clock) -> Flow[float]:
        """Wait until it is the turn of a request, or so many seconds have passed; return how many."""
        waited = 0.0
        while waited < seconds:
            with self._lock:
                now, known = clock().timestamp(), self.throttled
                # A clock that was set back stops nothing.
                moment = max(now, min(self._next, now + _MAX_RETRY_AFTER))
                self._next = moment + self._interval
            if moment <= now:
                break
            waited += moment - now
            yield Pause(moment - now)
            if known == self.throttled:
                break
        return waited

    def observe(
        self, error: DliClientError | None, known: int, policy: RetryPolicy, now: float
    ) -> tuple[float, float] | None:
        """Note the outcome of a request.

        :param error: its error; None for a success
        :param known: what :attr:`throttled` was when it was sent
        :param now: epoch seconds
        :returns: seconds to wait, and seconds more until it is the turn of its call; None if it was not throttled
        """
        with self._lock:
            if not isinstance(error, ThrottledError):
                self.succeeded += error is None
                if error is None or not error.transient:
                    self._in_a_row = 0
                    self._interval *= _SHORTER if self._interval > _FIRST_INTERVAL / 10 else 0.0
                return None
            if known == self.throttled:
                self.throttled += 1
                self._in_a_row += 1
                if self._in_a_row == 1:
                    self._interval = min(max(2 * self._interval, _FIRST_INTERVAL), _LONGEST_INTERVAL)
                self._next = self._until = now + policy.pause(self._in_a_row, error)
            until = max(now, self._until)
            moment = max(until, self._next)
            self._next = moment + self._interval
            return until - now, moment - until


class Project:
    """The project, given by its id or looked up by its name.

    :param project_id: its id; None to look it up
    :param name: its name: the region
    :param iam_endpoint: base URL of IAM
    :param credentials: authenticate the look-up
    """

    def __init__(self, project_id: str | None, name: str, iam_endpoint: str, credentials: Credentials) -> None:
        self.given = project_id
        self._found = Cached(partial(iam.find_project, iam_endpoint, credentials, name))

    def id(self, clock: Clock) -> Flow[str]:
        """Return the project's id, looked up in IAM once if it was not given.

        :raises ConfigurationError: if not exactly one project bears the name
        """
        return self.given or (yield from self._found.get(clock))


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
    :param source: what the credentials are from, for messages; None for login and password
    :param dli_clock: what is known of DLI's clock
    :param obs_clock: what is known of OBS's clock
    :param limiter: when its calls are sent while DLI throttles them
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
    source: str | None = None
    dli_clock: ServiceClock = field(default_factory=ServiceClock, repr=False, compare=False)
    obs_clock: ServiceClock = field(default_factory=ServiceClock, repr=False, compare=False)
    limiter: RateLimiter = field(default_factory=RateLimiter, repr=False, compare=False)


def utc_now() -> datetime:
    """Return the current time, aware: the default clock."""
    return datetime.now(UTC)


def request_flow(
    call: Call[T], account: Account, clock: Clock = utc_now, *, before_send: Callable[[], None] = lambda: None
) -> Flow[T]:
    """Send a call until it succeeds or is not to be retried, and return its parsed result.

    A request that never took effect is retried; one that may have taken effect only if the call is repeatable; one
    whose credentials were refused once, if others can be fetched. Every attempt is authenticated for itself.

    :param call: what to request
    :param account: project, hosts and credentials, and when to retry
    :param clock: returns the current time, for the signature and the retry budget
    :param before_send: is called before each request, and may raise
    :returns: through ``StopIteration``, the parsed result
    :raises DliClientError: the error of the last attempt
    """
    retries, limiter = Retries(account.retry, clock()), account.limiter
    reauthenticated = may_have_acted = False
    known: int | None = None
    succeeded = limiter.succeeded
    while True:
        sent, reply, throttled = None, None, None
        try:
            project_id = yield from account.project.id(clock)
            if known != limiter.throttled:
                retries.extend((yield from limiter.wait(retries.turn_budget, clock)))
                known = limiter.throttled
            request = build_request(call, account.endpoint, project_id)
            sent = yield from account.credentials.authenticate(request, clock)
            before_send()
            reply = yield from send(sent)
            account.dli_clock.observe(reply)
            result = parse_reply(call, reply)
            limiter.observe(None, known, account.retry, clock().timestamp())
        except DliClientError as error:
            if reply is not None and known is not None:
                throttled = limiter.observe(error, known, account.retry, clock().timestamp())
            known = limiter.throttled if throttled else None
            _add_clocks(error, reply, clock())
            # Of what comes before a request, such as a token, nothing is left but what an earlier attempt did.
            may_have_acted = error.may_have_acted = may_have_acted or (sent is not None and error.may_have_acted)
            if (
                sent
                and not reauthenticated
                and isinstance(error, AuthenticationError)
                and account.credentials.invalidate(sent)
            ):
                reauthenticated = True
                _log.info("%s Authenticating again once.", error)
                continue
            pause, turn = throttled or (None, 0.0)
            if pause and succeeded != limiter.succeeded and retries.turn_budget > 0:
                # Others go on: it waits for them, and not for a service in trouble.
                retries.extend(pause)
            succeeded = limiter.succeeded
            seconds = retries.pause_after(error, repeatable=call.repeatable, now=clock(), pause=pause)
            if seconds is None:
                raise
            retries.extend(turn)
            seconds += turn
            _log.warning("%s Retrying in %.1f s (attempt %d).", error, seconds, retries.attempts + 1)
        else:
            if call.method != "GET":
                shown = replies.request_id(reply) or "not sent"
                _log.info("%s: HTTP %d (request id %s).", call.operation, reply.status, shown)
            return result
        yield Pause(seconds)


class Retries:
    """The attempts of one call."""

    def __init__(self, policy: RetryPolicy, started: datetime) -> None:
        self._policy = policy
        self._deadline = started + timedelta(seconds=policy.budget)
        #: seconds that the call still waits for others
        self.turn_budget = policy.budget
        # Whatever the clock does meanwhile; the growing pauses leave room for far fewer.
        self._max_attempts = 10 + policy.budget / max(policy.first_pause, 0.001)
        self.attempts = 0

    def pause_after(
        self, error: DliClientError, *, repeatable: bool, now: datetime, pause: float | None = None
    ) -> float | None:
        """Return how many seconds to wait before the retry, or None for no retry.

        :param pause: how many, where other calls decide with this one
        """
        self.attempts += 1
        may_repeat = error.transient and (repeatable or not error.may_have_acted)
        if self.attempts >= self._max_attempts or not may_repeat:
            return None
        if pause is None:
            pause = self._policy.pause(self.attempts, error)
        return pause if now + timedelta(seconds=pause) < self._deadline else None

    def extend(self, seconds: float) -> None:
        """Do not count a wait for other calls against the budget."""
        self.turn_budget -= seconds
        self._deadline += timedelta(seconds=seconds)


def _add_clocks(error: DliClientError, reply: Reply | None, now: datetime) -> None:
    """Add what both clocks show to the advice of a signature that is refused for its time."""
    if not isinstance(error, AuthenticationError) or error.code != _CLOCK_CODE or reply is None:
        return
    theirs = replies.moment(reply.headers.get("date", ""))
    if theirs is None:
        return
    apart, now = (now - theirs).total_seconds(), now.astimezone(UTC)
    error.advice += (
        f" This machine's clock shows {now:%Y-%m-%d %H:%M:%S} UTC, the service's {theirs:%Y-%m-%d %H:%M:%S} UTC: "
        f"{abs(apart):.0f} s {'ahead' if apart > 0 else 'behind'}."
    )


def build_request(call: Call[Any], endpoint: str, project_id: str) -> Request:
    """Build the request of a call, but for its authentication. The query is sent exactly as it is signed.

    :raises ConfigurationError: naming the parameter or field that no UTF-8 can write
    """
    values = {"project_id": project_id, **call.path_params}
    path = call.path.format_map({name: encode(_text(name, value)) for name, value in values.items()})
    query = canonical_query(_pairs(call.query))
    url = f"{endpoint}{path}{'?' if query else ''}{query}"
    return json_request(call.operation, call.method, url, call.body, [("X-Project-Id", project_id)])


def parse_reply(call: Call[T], reply: Reply) -> T:
    """Return the result of a call.

    :raises ServiceError: if the reply is an error, or not of the form that the manual promises
    """
    try:
        return call.parse(replies.decode(call.operation, reply))
    except replies.UNREADABLE as error:
        raise replies.unexpected(call.operation, reply, f"the reply cannot be read: {error}") from error


def _pairs(query: Mapping[str, QueryValue]) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        for element in value if isinstance(value, list) else [value]:
            yield name, _text(name, element)


def _text(name: str, value: Scalar) -> str:
    return encodable(name, str(value).lower() if isinstance(value, bool) else str(value))
