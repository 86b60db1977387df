"""What the hooks share: the connection, read once and when first needed, and a way to talk."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_dli.connection.fields import CONN_TYPE, DEFAULT_CONN_ID, KEY_VARIABLES, ui_field_behaviour
from airflow_provider_dli.escaping import SafeLog
from airflow_provider_dli.exceptions import DliException, DliFailException, translated
from airflow_provider_dli.hooks.masking import mask_secret

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_provider_dli.client.account import Account
    from airflow_provider_dli.client.call import Flow
    from airflow_provider_dli.client.clocks import ServiceClock
    from airflow_provider_dli.client.transport.aio import AsyncTransport
    from airflow_provider_dli.client.transport.sync import SyncTransport
    from airflow_provider_dli.connection.reading import AirflowConnection

T = TypeVar("T")


@dataclass
class _Open:
    """The connections of one event loop, and how many blocks keep them open."""

    transport: AsyncTransport
    users: int = 0


def _connected(account: Account) -> AsyncTransport:
    from airflow_provider_dli.client.transport.aio import AsyncTransport

    return AsyncTransport(account.network)


def _fingerprint(connection: Any) -> int:  # noqa: ANN401 -- Airflow's, with the undecoded extras
    return hash((connection.login, connection.password, connection.extra, *map(os.environ.get, KEY_VARIABLES)))


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
        self._account: Account | None = None
        self._fingerprint: int | None = None
        self._account_lock = threading.Lock()
        self._open: dict[asyncio.AbstractEventLoop, _Open] = {}
        self._reading: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        """Copy and pickle a hook as one on the same connection: locks, connections and secrets stay here."""
        return type(self), (self.dli_conn_id,)

    @property
    def account(self) -> Account:
        """The account that the connection gives; read when first asked for.

        :raises DliFailException: naming the field, if one is missing, unknown or not usable
        :raises DliException: if there is no such connection
        """
        if self._account:
            return self._account
        with self._existing():
            connection = self.get_connection(self.dli_conn_id)
        return self._adopt(connection)

    @property
    def project_id(self) -> str:
        """The project's id; looked up in IAM if the connection does not give it.

        :raises DliFailException: if not exactly one project bears the region's name
        """
        from airflow_provider_dli.client.exchange import utc_now

        return self._hold(self.account.project.id(utc_now))

    def service_time(self) -> float:
        """Return epoch seconds by the service's clock, as its responses to this hook have shown it.

        Compare with this what the service wrote: it may differ from this machine's clock by minutes. While nothing
        has been measured it is this machine's.
        """
        return time.time() + (self.clock_offset or 0.0)

    @property
    def clock_offset(self) -> float | None:
        """Seconds by which the service's clock is ahead of this machine's; None while nothing has been measured.

        0 where they differ by less than two seconds: ``Date`` headers have whole seconds.
        """
        return self._clock(self._account).offset if self._account else None

    def _clock(self, account: Account) -> ServiceClock:
        return account.dli_clock

    def _hold(self, conversation: Flow[T]) -> T:
        """Hold a conversation to its end, with errors as a DAG author sees them."""
        with translated(self.dli_conn_id):
            return self._transport.run(conversation)

    async def __aenter__(self) -> Self:
        """Keep the connections of this event loop open until the end of the block, or of the last of several."""
        account, loop = await self._aaccount(), asyncio.get_running_loop()
        if loop not in self._open:
            self._open[loop] = _Open(_connected(account))
        self._open[loop].users += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let them go."""
        loop = asyncio.get_running_loop()
        self._open[loop].users -= 1
        if not self._open[loop].users:
            await self._open.pop(loop).transport.__aexit__(kind, error, trace)

    async def _ahold(self, conversation: Flow[T]) -> T:
        """Hold a conversation without blocking the event loop, on open connections if there are any."""
        with translated(self.dli_conn_id):
            if open_here := self._open.get(asyncio.get_running_loop()):
                return await open_here.transport.arun(conversation)
            async with _connected(self.account) as transport:
                return await transport.arun(conversation)

    async def _aaccount(self) -> Account:
        """Give the account, without blocking the event loop while the connection is read."""
        from airflow_provider_dli.hooks.looking_up import alook_up

        if self._account is None:
            async with self._reading.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
                if self._account is None:
                    with self._existing():
                        connection = await alook_up(self, self.dli_conn_id)
                    return self._adopt(connection)
        return self.account

    @contextmanager
    def _existing(self) -> Iterator[None]:
        """Raise what to do where there is no such connection (it may come yet), or none that can be read.

        What Airflow cannot read in the environment it passes over, and says that there is nothing. Its words may
        hold a value, so they are not chained.
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
            raise failure

    def _unreadable(self, why: str) -> DliFailException:
        return DliFailException(f"connection {self.dli_conn_id!r} cannot be read ({why}): correct it")

    @cached_property
    def _transport(self) -> SyncTransport:
        from airflow_provider_dli.client.transport.sync import SyncTransport

        return SyncTransport(self.account.network)

    def _adopt(self, connection: AirflowConnection) -> Account:
        """Read a connection unless another thread or task has: all share one account, and so one token.

        Not under the lock: to mask a secret, a triggerer waits for its supervisor and lets other triggers run
        meanwhile, in this very thread; one that met the lock would stop them all for good.
        """
        account = self._read(connection)
        with self._account_lock:
            if self._account is None:
                self._account, self._fingerprint = account, _fingerprint(connection)
            return self._account

    @property
    def fingerprint(self) -> int | None:
        """A number that is another for another connection, and tells nothing of it; None before it is read."""
        return self._fingerprint

    def sibling(self) -> Self:
        """Return a hook with this one's account, and connections of its own."""
        other = type(self)(self.dli_conn_id)
        for name in ("_account", "_fingerprint"):
            setattr(other, name, getattr(self, name))
        return other

    @property
    def fetches_keys(self) -> bool:
        """Whether keys are handed out, by a metadata service or IAM: another hook may have others."""
        from airflow_provider_dli.client.credentials import TemporaryKeys
        from airflow_provider_dli.client.credentials.iam import TokenCredentials

        return isinstance(self.account.credentials, TemporaryKeys | TokenCredentials)

    def has_changed(self) -> bool:
        """Return whether the connection has other credentials or settings by now than this hook has read."""
        try:
            return _fingerprint(self.get_connection(self.dli_conn_id)) != self._fingerprint
        except AirflowNotFoundException:
            return True

    async def ahas_changed(self) -> bool:
        """Return the same as :meth:`has_changed`, without blocking the event loop."""
        from airflow_provider_dli.hooks.looking_up import alook_up

        try:
            return _fingerprint(await alook_up(self, self.dli_conn_id)) != self._fingerprint
        except AirflowNotFoundException:
            return True

    def _read(self, connection: AirflowConnection) -> Account:
        from airflow_provider_dli.connection.account import secrets_of, to_account
        from airflow_provider_dli.connection.reading import is_json

        # Airflow would take extras that are no JSON for none at all.
        if not is_json(getattr(connection, "extra", None)):
            raise self._unreadable("its extra is not JSON")
        # What is no JSON object Airflow takes for a URI, and a bare secret for one that has a path alone.
        if not getattr(connection, "conn_type", True) and (connection.host or connection.schema):
            raise self._unreadable("it is neither the URI nor the JSON of a connection")
        for secret in secrets_of(connection, os.environ):
            mask_secret(secret)
        with translated(self.dli_conn_id):
            account = to_account(connection)
        if account.network.verify is False:
            self.log.warning(
                "CERTIFICATES ARE NOT CHECKED on connection %r: anybody on the way can read and change "
                "everything, secrets included. Use ca_bundle for a private authority.",
                self.dli_conn_id,
            )
        return account

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Tell Airflow how the connection form looks."""
        return ui_field_behaviour()
