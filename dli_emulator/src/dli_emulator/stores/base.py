"""What every store has to offer, and what those that run as a child process have in common."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from typing import Any, Protocol

from dli_emulator.child import Child
from dli_emulator.errors import EmulatorError
from dli_emulator.obs import Bucket, Owned, s3_client

DEFAULT_BUCKET = "obs-test"
HOST = "127.0.0.1"
#: seconds that a store has to take its first object
_STARTING = 30.0
#: how often to start a store, with other ports each time
_ATTEMPTS = 3
_PAUSE = 0.02
#: for a client of a store on this machine
QUICK: Mapping[str, Any] = {
    "proxies": {},
    "connect_timeout": 2,
    "read_timeout": 10,
    "retries": {"total_max_attempts": 2},
}


class Store(Protocol):
    """A store with an S3 interface that checks signatures. The key that opens it signs for DLI too."""

    access_key: str
    secret_key: str
    endpoint: str
    #: whether it takes a signature whatever region it names
    any_region: bool

    def start(self) -> Bucket:
        """Start it; return the bucket when a first object could be written.

        :raises EmulatorError: if that fails
        """
        ...

    def give_up(self) -> None:
        """Let a start that is under way fail soon. May be called from another thread."""
        ...

    def stop(self) -> None:
        """End it and remove what it left. Does nothing if that has been done."""
        ...


class ChildStore(ABC):
    """A store that runs as a child process.

    :param access_key: AK that it shall take
    :param secret_key: its SK
    """

    name: str
    any_region = True
    #: something to ask for to see whether it is up
    probe = "/"

    def __init__(self, access_key: str, secret_key: str) -> None:
        self.access_key = access_key
        self.secret_key = secret_key
        self.endpoint = ""
        self._child: Child | None = None
        self._given_up = False

    def start(self) -> Bucket:
        """Start it; return the bucket when a first object could be written.

        :raises EmulatorError: if it ends at once or takes no object, several times over
        """
        words = ""
        for _ in range(_ATTEMPTS):
            self._child = child = Child(self.name)
            port = self._launch(child)
            self.endpoint = f"http://{HOST}:{port}"
            if self._until(partial(_ask, port, self.probe), child) and self._until(self._prepare, child):
                client = s3_client(self.endpoint, self.access_key, self.secret_key, **QUICK)
                bucket = Bucket(client, DEFAULT_BUCKET, Owned.STORE)
                if self._until(bucket.prepare, child):
                    return bucket
                client.close()
            words = child.last_words()
            child.stop()
        raise EmulatorError(f"the object store {self.name} does not start: {words}")

    def give_up(self) -> None:
        """Let a start that is under way fail soon."""
        self._given_up = True

    def stop(self) -> None:
        """End it and remove what it left. Does nothing if that has been done."""
        if self._child:
            self._child.stop()

    @abstractmethod
    def _launch(self, child: Child) -> int:
        """Start the child; give the port that it will listen on."""

    def _prepare(self) -> None:  # noqa: B027 - most have nothing to do
        """Do what must be done once it listens; called again while it fails."""

    def _until(self, act: Callable[[], None], child: Child) -> bool:
        """Try until it works; tell whether it did before the child ended or the time was up."""
        end = time.monotonic() + _STARTING
        while child.is_running and not self._given_up and time.monotonic() < end:
            try:
                act()
            except Exception:  # noqa: BLE001 - whatever a store says that is not ready
                time.sleep(_PAUSE)
            else:
                return True
        return False


def _ask(port: int, path: str) -> None:
    with closing(HTTPConnection(HOST, port, timeout=1)) as connection:
        connection.request("GET", path)
        connection.getresponse()  # whatever it says
