"""The base of the hooks: the account, read from the connection when first needed, and the transports."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self, TypeVar
from weakref import WeakKeyDictionary

from airflow_provider_dli import compat
from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.errors import AuthenticationError
from airflow_provider_dli.client.exchange import utc_now
from airflow_provider_dli.compat import AirflowNotFoundException, BaseHook, Connection
from airflow_provider_dli.connection import is_json, secrets_of, to_account
from airflow_provider_dli.connection_form import CONN_TYPE, SDK_VARIABLES
from airflow_provider_dli.exceptions import DliException, DliFailException, translated
from airflow_provider_dli.formatting import SafeLog
from airflow_provider_dli.parameters import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_provider_dli.client.call import Flow
    from airflow_provider_dli.client.exchange import Account
    from airflow_provider_dli.client.replies import ServiceClock
    from airflow_provider_dli.client.transport.aio import AsyncTransport
    from airflow_provider_dli.client.transport.sync import SyncTransport
    from airflow_provider_dli.connection.fields import AirflowConnection

T = TypeVar("T")

#: seconds; a secrets backend that hangs must not hold a wait for good
_LOOKUP_TIMEOUT = 60.0


class AccountHook(SafeLog, BaseHook):
    """A hook on a connection of type ``dli``. Threads may share it.

    :param dli_conn_id: the connection
    """

    conn_name_attr = "dli_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = CONN_TYPE

    def __init__(self, dli_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:  # noqa: ANN401 -- BaseHook's
        super().__init__(**kwargs)
        self.dli_conn_id = dli_conn_id
        #: differs between connections, and reveals nothing of them; None before one is read
        self.fingerprint: int | None = None
        self._account: Account | None = None
        self._account_lock = threading.Lock()
        # The connections of each event loop, and how many blocks keep them open.
        self._open: dict[asyncio.AbstractEventLoop, AsyncTransport] = {}
        self._users: Counter[asyncio.AbstractEventLoop] = Counter()
        self._reading: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        """Copy and pickle a hook as one on the same connection: locks, connections and secrets stay here."""
        return type(self), (self.dli_conn_id,)

    @property
    def account(self) -> Account:
        """The account that the connection gives; read when it is first needed.

        :raises DliFailException: naming the field, if one is missing, unknown or not usable
        :raises DliException: if there is no such connection
        """
        if self._account:
            return self._account
        with self._existing():
            connection = self.get_connection(self.dli_conn_id)
        return self._account_of(connection)

    @property
    def project_id(self) -> str:
        """The project's id; looked up in IAM if the connection does not give it.

        :raises DliFailException: if not exactly one project bears the region's name
        """
        return self._run(self.account.project.id(utc_now))

    def service_time(self) -> float:
        """Return epoch seconds by the service's clock, as its responses to this hook have shown it.

        Compare with this what the service wrote: it may differ from this machine's clock by minutes. While nothing
        has been measured it is this machine's.
        """
        return self._clock(self._account).time() if self._account else time.time()

    @property
    def clock_offset(self) -> float | None:
        """Seconds by which the service's clock is ahead of this machine's; None while nothing has been measured.

        0 where they differ by less than two seconds: ``Date`` headers have whole seconds.
        """
        return self._clock(self._account).offset if self._account else None

    def _clock(self, account: Account) -> ServiceClock:
        return account.dli_clock

    def _run(self, flow: Flow[T]) -> T:
        """Run a flow to its end, with errors as a DAG author sees them."""
        with self._translated(self.dli_conn_id):
            return self._transport.run(flow)

    @contextmanager
    def _translated(self, conn_id: str | None = None) -> Iterator[None]:
        """Turn the client's errors into Airflow's; one of refused credentials names what they are from."""
        with translated(conn_id):
            try:
                yield
            except AuthenticationError as error:
                if self._account and self._account.source:
                    error.blame(self._account.source)
                raise

    @cached_property
    def _transport(self) -> SyncTransport:
        from airflow_provider_dli.client.transport.sync import SyncTransport

        return SyncTransport(self.account.network)

    async def __aenter__(self) -> Self:
        """Keep the connections of this event loop open until the end of the block, or of the last of several."""
        account, loop = await self._aaccount(), asyncio.get_running_loop()
        if loop not in self._open:
            self._open[loop] = _connected(account)
        self._users[loop] += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them with the last block."""
        loop = asyncio.get_running_loop()
        self._users[loop] -= 1
        if not self._users[loop]:
            del self._users[loop]
            await self._open.pop(loop).__aexit__(kind, error, trace)

    async def _arun(self, flow: Flow[T]) -> T:
        """Run a flow without blocking the event loop, on open connections if there are any."""
        with self._translated(self.dli_conn_id):
            if transport := self._open.get(asyncio.get_running_loop()):
                return await transport.arun(flow)
            async with _connected(self.account) as transport:
                return await transport.arun(flow)

    async def _aaccount(self) -> Account:
        """Return the account, without blocking the event loop while the connection is read."""
        if self._account is None:
            async with self._reading.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
                if self._account is None:
                    with self._existing():
                        connection = await self._aget_connection()
                    return self._account_of(connection)
        return self.account

    async def _aget_connection(self) -> Any:  # noqa: ANN401 -- Airflow's
        """Return the connection without blocking the event loop, as each Airflow allows it.

        ``airflow.providers.common.compat.connection`` does the same as of 1.23.0 of October 2026. Before that it
        calls what stops a triggerer of Airflow 3.1 to 3.3.1 for good, so it is done here.

        :raises AirflowNotFoundException: if there is none of that id
        :raises DliException: if Airflow does not return it in time
        """
        try:
            async with asyncio.timeout(_LOOKUP_TIMEOUT):
                # Came with Airflow 3.3.2, where aget_connection masks secrets without waiting for the supervisor.
                if hasattr(Connection, "aextra_dejson"):
                    return await self.aget_connection(self.dli_conn_id)
                if not has_supervisor():
                    # A thread for each: one that hangs holds up no other.
                    return await asyncio.to_thread(self.get_connection, self.dli_conn_id)
                from asgiref.sync import sync_to_async

                # In asgiref's thread, which lets Airflow talk to its supervisor on this very loop.
                return await sync_to_async(self.get_connection)(self.dli_conn_id)
        except TimeoutError as error:
            raise DliException(
                f"connection {self.dli_conn_id!r} could not be read: Airflow, or its secrets backend, gave no "
                f"response within {_LOOKUP_TIMEOUT:.0f} s; check them, and retry the task"
            ) from error

    @contextmanager
    def _existing(self) -> Iterator[None]:
        """Raise what to do where there is no such connection (it may come yet), or none that can be read.

        Airflow skips what it cannot read in the environment, and reports that there is nothing. Its message may
        hold a value, so it is not chained.
        """
        variable = f"AIRFLOW_CONN_{self.dli_conn_id.upper()}"
        failure: DliException | None = None
        try:
            yield
        except AirflowNotFoundException:
            if variable in os.environ:
                failure = self._unreadable(f"{variable} holds neither the URI nor the JSON of a connection")
            else:
                failure = DliException(
                    f"connection {self.dli_conn_id!r} does not exist; create it in Airflow (Admin, Connections) "
                    f"with the type Huawei Cloud DLI, or give it to workers and triggerer in the environment "
                    f"variable {variable}"
                )
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            failure = self._unreadable(f"{type(error).__name__} in Airflow")
        if failure:
            failure.is_configuration = True
            raise failure

    def _unreadable(self, why: str) -> DliFailException:
        failure = DliFailException(f"connection {self.dli_conn_id!r} cannot be read ({why}): correct it")
        failure.is_configuration = True
        return failure

    def _account_of(self, connection: AirflowConnection) -> Account:
        """Return the account of a connection, or the one that another thread or task has read: all share a token.

        Not under the lock: to mask a secret, a triggerer waits for its supervisor and lets other triggers run
        meanwhile, in this very thread; one that met the lock would stop them all for good.
        """
        account, fingerprint = self._read(connection)
        with self._account_lock:
            if self._account is None:
                self._account, self.fingerprint = account, fingerprint
            return self._account

    def _read(self, connection: AirflowConnection) -> tuple[Account, int]:
        # Airflow would take extras that are no JSON for none at all.
        if not is_json(getattr(connection, "extra", None)):
            raise self._unreadable("its extra is not JSON")
        # What is not a JSON object Airflow takes for a URI, and a bare secret for one that has a path alone.
        if not getattr(connection, "conn_type", True) and (connection.host or connection.schema):
            raise self._unreadable("it is neither the URI nor the JSON of a connection")
        secrets = secrets_of(connection, os.environ)
        for secret in secrets:
            compat.mask_secret(secret)
        with translated(self.dli_conn_id):
            account = to_account(connection)
        if account.network.verify is False:
            self.log.warning(
                "TLS CERTIFICATES ARE NOT VERIFIED on connection %r (insecure_skip_verify): anybody on the way "
                "can read and change everything, secrets included. Use ca_bundle for a private authority.",
                self.dli_conn_id,
            )
        # Of the secrets that were read first: a key that changes meanwhile has changed since.
        return account, _fingerprint(connection, secrets)

    def sibling(self) -> Self:
        """Return a hook with this one's account, and connections of its own."""
        other = type(self)(self.dli_conn_id)
        other._account, other.fingerprint = self._account, self.fingerprint  # noqa: SLF001 -- its own kind
        return other

    @property
    def fetches_keys(self) -> bool:
        """Whether keys are issued by a metadata service or IAM: another hook may get others."""
        return not isinstance(self.account.credentials, AccessKey)

    def has_changed(self) -> bool:
        """Return whether the connection has other credentials or settings by now than this hook has read."""
        try:
            return _now(self.get_connection(self.dli_conn_id)) != self.fingerprint
        except AirflowNotFoundException:
            return True

    async def ahas_changed(self) -> bool:
        """Return the same as :meth:`has_changed`, without blocking the event loop."""
        try:
            return _now(await self._aget_connection()) != self.fingerprint
        except AirflowNotFoundException:
            return True


def _connected(account: Account) -> AsyncTransport:
    from airflow_provider_dli.client.transport.aio import AsyncTransport

    return AsyncTransport(account.network)


def _now(connection: Any) -> int:  # noqa: ANN401 -- Airflow's
    return _fingerprint(connection, secrets_of(connection, os.environ))


def _fingerprint(connection: Any, secrets: list[str]) -> int:  # noqa: ANN401 -- Airflow's, with the undecoded extras
    elsewhere = (*map(os.environ.get, SDK_VARIABLES.values()), *secrets)
    return hash((connection.login, connection.password, connection.extra, *elsewhere))


def has_supervisor() -> bool:
    """Return whether this is Airflow 3, where triggers read the database through a supervisor."""
    return find_spec("airflow.sdk") is not None
