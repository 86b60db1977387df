"""The emulator as one thing to start and stop: DLI and IAM in a thread, beside an object store."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket
from typing import TYPE_CHECKING, Any, Self

from aiohttp.web import AppRunner, SockSite

from dli_emulator import EmulatorError
from dli_emulator.app import Service
from dli_emulator.faults import S3_OPERATIONS, Fault, Faults
from dli_emulator.flink_job import DEFAULT_COUNT, FlinkJob
from dli_emulator.keys import Clock, User
from dli_emulator.request_log import Recorded
from dli_emulator.routes import OPERATIONS
from dli_emulator.s3_proxy import S3AuthProxy
from dli_emulator.settings import Settings
from dli_emulator.state import DEFAULT_AGENCY, DEFAULT_OIDC_AGENCY, DEFAULT_PROJECT_ID, Identity, State
from dli_emulator.stores import Store, make_store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


#: seconds that requests in progress have when the server stops
_GRACE = 0.2
#: bytes that a request line or a header may have, as at the real gateway
_LONGEST_LINE = 32 * 1024


class Emulator:
    """DLI and IAM on one port, beside an object store; a context manager.

    :param port: TCP port; 0 takes a free one
    :param host: address to listen on
    :param jobs: how many sample jobs the project has, or the jobs themselves
    :param object_store: ``seaweedfs``, ``moto``, or the URL of one that runs
        (``http://AK:SK@host:port/bucket``); None takes the best that is installed
    :param region: region id, also the project's name
    :param project_id: the one project
    :param access_key: AK that DLI and store take; made up if None. With moto the store makes it
    :param secret_key: its SK; made up if None
    :param settings: which way to go where the manual's editions differ
    :param clock: gives epoch seconds
    :param allow_hosts: names that it is reached by, beside ``host``, ``localhost`` and addresses of its own
    """

    #: base URL of DLI
    dli: str
    #: base URL of IAM
    iam: str
    #: base URL at which nobody listens, such as that of IAM in a region that has none
    nowhere: str
    access_key: str
    secret_key: str
    #: bucket to export to
    bucket: str
    #: the state behind the API
    state: State
    #: client of the object store
    s3: S3Client

    def __init__(  # noqa: PLR0913 - keywords, each with a default
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        jobs: int | Iterable[FlinkJob] = DEFAULT_COUNT,
        object_store: str | None = None,
        region: str = "cn-north-4",
        project_id: str = DEFAULT_PROJECT_ID,
        access_key: str | None = None,
        secret_key: str | None = None,
        settings: Settings | None = None,
        clock: Clock = time.time,
        allow_hosts: Iterable[str] = (),
    ) -> None:
        self.region = region
        self.project_id = project_id
        self._address = (host, port)
        self._hosts = (host, *allow_hosts)
        self._jobs = jobs
        self._make_store = partial(make_store, object_store, access_key, secret_key)
        self._settings = settings
        self._clock = clock
        self._process = os.getpid()
        self._store: Store | None = None
        self._background: Background | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Start it; return when all of it answers.

        :raises EmulatorError: if the port is taken or the store does not start
        """
        self._store = self._make_store()
        self._background = Background(self._serving, "dli-emulator")
        atexit.register(self.stop)
        try:
            self._background.start()
        except BaseException:  # Ctrl-C among them
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop it, its children included. Does nothing if it does not run, or in a fork of its process."""
        if os.getpid() != self._process or self._background is None or self._store is None:
            return
        atexit.unregister(self.stop)
        self._store.give_up()
        self._background.stop()
        self._background = self._store = None

    def reset(self) -> None:
        """Make a clean state: jobs, keys and settings as at first, no faults, no requests, an empty bucket."""
        self.state.reset()
        self._bucket.clean()

    @property
    def requests(self) -> list[Recorded]:
        """All requests so far, in the order they arrived."""
        return list(self.state.log)

    @property
    def faults(self) -> Faults:
        """The faults that are still to come."""
        return self.state.faults

    def fault(self, operation: str, kind: str, *, times: int | None = 1, **parameters: Any) -> Fault:  # noqa: ANN401 - the kind's
        """Script a fault.

        :param operation: name of the operation, such as ``ExportFlinkJobs``; ``*`` for each
        :param kind: what is to happen, see the README
        :param times: how many requests it meets; None for all until it is cleared
        :param parameters: those of the kind
        :raises ValueError: if there is no such operation, kind or parameter
        """
        fault = Fault(operation, kind, times, parameters)
        self.state.faults.add(fault)
        return fault

    @property
    def airflow_conn(self) -> str:
        """An Airflow connection as JSON, to be put into ``AIRFLOW_CONN_DLI_DEFAULT``."""
        return self.connection()

    def add_user(self, name: str, *policies: Mapping[str, Any], is_admin: bool = False) -> User:
        """Add a user of the account, for :meth:`connection`; see :meth:`~dli_emulator.state.State.add_user`."""
        return self.state.add_user(name, *policies, is_admin=is_admin)

    @property
    def obs(self) -> str:
        """Base URL of OBS: that of the store, or of the S3 proxy where the store alone is not like OBS.

        With moto it is always the proxy, which signs again for the one region that moto requires.
        """
        settings = self.state.settings
        is_alone = not settings.strict_obs and settings.object_etags == "md5" and not self.state.encrypted
        return self._store_endpoint if is_alone else self.dli

    def connection(
        self,
        kind: str = "access_key",
        *,
        agency: bool = False,
        user: str | None = None,
        **extra: Any,  # noqa: ANN401 - any extra
    ) -> str:
        """Return an Airflow connection as JSON, with credentials of a kind.

        :param kind: ``access_key``, ``temporary`` (an access key with its security token), ``password``,
            ``token``, ``metadata`` or ``oidc``, which writes a token into the file ``id_token_file``
        :param agency: assume the emulator's agency on top
        :param user: name of a user whose credentials they are; None for the account's administrator
        :param extra: further extras of the connection; they replace those that would be there
        :raises ValueError: if there is no such kind
        """
        return connection(self.state, self.dli, self.obs, kind, agency=agency, user=user, extra=extra)

    def describe(self) -> dict[str, str]:
        """Return all that a client needs to know, as texts."""
        names = ("dli", "iam", "obs", "region", "project_id", "access_key", "secret_key", "bucket", "airflow_conn")
        return {name: getattr(self, name) for name in names}

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        store = self._store
        assert store is not None  # noqa: S101 - set by start, for mypy
        async with AsyncExitStack() as stack:
            listener = stack.enter_context(_listener(*self._address))
            # Bound, but not listening: connections are refused, and nobody else gets the port.
            silent = stack.enter_context(socket(AF_INET, SOCK_STREAM))
            silent.bind(("127.0.0.1", 0))
            self.nowhere = f"http://127.0.0.1:{silent.getsockname()[1]}"
            stack.callback(store.stop)
            self._bucket = store.start()
            stack.callback(self._bucket.client.close)
            self._set_addresses(store, listener.getsockname()[1])
            s3_proxy = S3AuthProxy(self.state, store.endpoint)
            await stack.enter_async_context(s3_proxy.open())
            service = Service(self.state, self._bucket, self.reset, s3_proxy, self._hosts)
            runner = AppRunner(
                service.application(),
                access_log=None,
                shutdown_timeout=_GRACE,
                max_line_size=_LONGEST_LINE,
                max_field_size=_LONGEST_LINE,
            )
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await SockSite(runner, listener).start()
            yield

    def _set_addresses(self, store: Store, port: int) -> None:
        given = self._address[0]
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(given, given)  # noqa: S104 - compared # nosec B104
        self.dli = self.iam = f"http://{host}:{port}"
        self._store_endpoint = store.endpoint if store.any_region else self.dli
        self.access_key, self.secret_key = store.access_key, store.secret_key
        self.bucket = self._bucket.name
        self.s3 = self._bucket.client
        identity = Identity(self.access_key, self.secret_key, region=self.region, project_id=self.project_id)
        operations = (*OPERATIONS, *S3_OPERATIONS)
        self.state = State(identity, self._jobs, self._settings, operations, self._clock)


def _listener(host: str, port: int) -> socket:
    listener = socket(AF_INET6 if ":" in host else AF_INET, SOCK_STREAM)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise EmulatorError(f"cannot listen on {host}:{port}: {error.strerror}; 0 takes a free one") from error
    return listener


#: the kinds, as the connection's ``auth_type`` names them; ``temporary`` is an access key with its security token
KINDS = ("access_key", "temporary", "password", "token", "metadata", "oidc")


def connection(
    state: State, endpoint: str, obs: str, kind: str, *, agency: bool, user: str | None, extra: dict[str, Any]
) -> str:
    """Write a connection as JSON.

    :param state: whom it is for
    :param endpoint: base URL of the emulator
    :param obs: base URL of the object store
    :param kind: one of ``KINDS``
    :param agency: whether it assumes the emulator's agency
    :param user: whose credentials they are; None for the administrator
    :param extra: further extras; they replace those that would be there
    :raises ValueError: if there is no such kind or user, or no ``id_token_file`` for ``oidc``
    """
    if kind not in KINDS:
        raise ValueError(f"no kind of credentials is called {kind!r}; there are {', '.join(KINDS)}")
    if kind == "oidc" and "id_token_file" not in extra:
        raise ValueError("id_token_file is required with oidc: a path, into which a token is written")
    identity = state.identity
    login, password, own = _credentials(state, kind, user)
    by_urn = kind == "oidc" or "agency_urn" in extra
    is_of_store = kind == "access_key" and user is None and not agency and not by_urn
    extras = {
        "region": identity.region,
        "project_id": identity.project_id,
        "endpoint": endpoint,
        # Only the administrator's permanent key is known to the store itself; the others use the S3 proxy.
        "obs_endpoint": obs if is_of_store else endpoint,
        "iam_endpoint": endpoint,
        **own,
    }
    if kind == "metadata":
        extras["metadata_endpoint"] = endpoint
    if by_urn:
        extras["sts_endpoint"] = endpoint
    if kind == "oidc":
        token = state.keys.issue_id_token(own["provider_urn"])
        Path(extra["id_token_file"]).write_text(token.value, encoding="ascii")
    if agency:
        extras |= {"agency_name": DEFAULT_AGENCY.name, "agency_domain_name": DEFAULT_AGENCY.domain}
    given = {"login": login, "password": password, "extra": {**extras, **extra}}
    return json.dumps({"conn_type": "dli"} | {name: value for name, value in given.items() if value is not None})


def _credentials(state: State, kind: str, user: str | None) -> tuple[str | None, str | None, dict[str, str]]:
    """Return login, password and the extras that belong to them."""
    identity, keys = state.identity, state.keys
    if user is not None and user not in keys.users:
        raise ValueError(f"there is no user {user!r}; add_user adds one")
    match kind:
        case "access_key" if user is None:
            return identity.access_key, identity.secret_key, {}
        case "access_key":
            permanent = keys.key_of(user or "")
            return permanent.access_key, permanent.secret_key, {}
        case "temporary":
            key = keys.issue_key(user=user)
            return key.access_key, key.secret_key, {"security_token": key.security_token or ""}
        case "password":
            who = keys.users[user or identity.user]
            return who.name, who.password, {"auth_type": kind, "domain_name": who.domain}
        case "token":
            return None, keys.issue_token(keys.users[user or identity.user]).value, {"auth_type": kind}
    own = {"auth_type": kind}
    if kind == "metadata":
        keys.ecs_user = user
    else:
        agency = keys.trust_agencies[DEFAULT_OIDC_AGENCY.urn] = replace(DEFAULT_OIDC_AGENCY, user=user)
        own |= {"agency_urn": agency.urn, "provider_urn": agency.provider_urn or ""}
    return None, None, own


class Background:
    """Something that serves in the background.

    All of it happens on one thread, from start to end: the kernel takes the end of the thread that started a child
    for the end of its parent.

    :param serving: serves while it is open
    :param name: of the thread
    """

    def __init__(self, serving: Callable[[], AbstractAsyncContextManager[None]], name: str) -> None:
        self._serving = serving
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start; return when it serves, or raise what kept it from that."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """End; return when all is cleared up. Does nothing if that has been done."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - raised again by start
            self._failure = failure
        finally:
            self._started.set()

    async def _serve(self) -> None:
        async with self._serving():
            self._started.set()
            await self._end.wait()
