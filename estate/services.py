"""What Airflow stands on: PostgreSQL, Redis, the emulator of DLI and its object store, all on loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import psutil
from environment import started
from needs import Programs, unprivileged
from processes import Gate, Server, until

from dli_emulator.child_process import free_ports
from dli_emulator.stores import SeaweedFS

_START_SECONDS = 60
#: short, so that what is frozen for 45 seconds is frozen for longer than all of them together
TIMEOUTS = {"connect_timeout": 2, "read_timeout": 4, "retry_budget": 5}


class Database:
    """PostgreSQL with a database for Airflow.

    :param programs: that were found
    :param folder: of its data; root gives it to another account, since PostgreSQL does not run as root
    """

    def __init__(self, programs: Programs, folder: Path) -> None:
        (self.port,) = free_ports(1)
        data = folder / "postgres"
        data.mkdir()
        as_account: list[str] = []
        if os.getuid() == 0:
            account = unprivileged()
            shutil.chown(data, account)
            # It may pass through every folder above its own, such as /root.
            capabilities = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
            as_account = ["setpriv", f"--reuid={account}", "--init-groups", *capabilities, "--"]
        # Whoever is on this machine may connect: there is nothing in it but the emulator's.
        options = ("--username=airflow", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        subprocess.run(
            [*as_account, programs.initdb, *options, "-D", data],
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
        )
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 200,
            "fsync": "off",
        }
        given = [f"--{name}={value}" for name, value in settings.items()]
        command: list[str | Path] = [*as_account, programs.postgres, "-D", data, "-p", str(self.port), *given]
        self.server = Server("postgres", command, folder, end=signal.SIGINT)

    @property
    def address(self) -> str:
        """Where it is, without the driver."""
        return f"airflow@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it; return when it answers queries."""
        self.server.start()
        until(self._responds, _START_SECONDS, "PostgreSQL responds")

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 -- any value
        """Query it."""
        import psycopg2  # noqa: PLC0415 -- only make estate installs it

        with (
            closing(psycopg2.connect(f"postgresql://{self.address}")) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def _responds(self) -> bool:
        import psycopg2  # noqa: PLC0415 -- likewise

        try:
            return bool(self.query("SELECT 1"))
        except psycopg2.OperationalError:
            return False


class Broker:
    """Redis or Valkey, for Celery; keeps its data when it is stopped in order.

    :param programs: that were found
    :param folder: of its data
    """

    def __init__(self, programs: Programs, folder: Path) -> None:
        (self.port,) = free_ports(1)
        options = ("--bind", "127.0.0.1", "--port", self.port, "--dir", folder, "--save", "3600 1")
        self.server = Server("redis", [programs.redis, *map(str, options)], folder)

    @property
    def address(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it; return when it takes connections."""
        self.server.start()
        until(lambda: listens(self.port), _START_SECONDS, "Redis takes connections")


class Cloud:
    """DLI and its object store, each behind a gate that Airflow and DLI go through.

    :param store: the object store, which runs
    :param bucket: of the store, for what does not go through the gate
    :param process: the emulator's
    :param described: what its command line prints
    """

    def __init__(self, store: SeaweedFS, bucket: Any, obs: Gate, process: int, described: dict[str, Any]) -> None:  # noqa: ANN401 -- the emulator's
        self.bucket, self.obs = bucket, obs
        self._process, self._url = process, described["dli"]
        self.dli = Gate(free_ports(1)[0], _port(self._url))
        self.described = {**described, "airflow_conn": self._connection(described["airflow_conn"])}
        self._store = store

    def _connection(self, written: str) -> str:
        connection = json.loads(written)
        extra = connection["extra"]
        extra |= {f"{name}endpoint": f"http://127.0.0.1:{self.dli.port}" for name in ("", "iam_")}
        extra |= {"obs_endpoint": f"http://127.0.0.1:{self.obs.port}"} | TIMEOUTS
        return json.dumps({**connection, "extra": extra})

    @property
    def dli_processes(self) -> list[psutil.Process]:
        """The process of DLI."""
        return [psutil.Process(self._process)]

    @property
    def store_processes(self) -> list[psutil.Process]:
        """The process of the object store."""
        below = psutil.Process().children(recursive=True)
        return [each for each in below if each.name().startswith("weed")]

    def control(self, method: str, what: str, body: Any = None) -> Any:  # noqa: ANN401 -- any JSON
        """Send a request to the control endpoint of DLI, which no gate closes."""
        request = urllib.request.Request(  # noqa: S310 -- loopback
            f"{self._url}/_emulator/{what}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 -- loopback
            return json.loads(reply.read() or b"null")

    def archives(self, prefix: str) -> list[str]:
        """Return the archives in the store, each as ``bucket/key``."""
        keys = self.bucket.keys(self.bucket.name, prefix)
        return [f"{self.bucket.name}/{key}" for key in keys if key.endswith(".zip")]


@contextmanager
def cloud(folder: Path, jobs: int) -> Iterator[Cloud]:
    """Run DLI with so many jobs, and its object store."""
    access_key, secret_key = "ESTATE0ACCESS0KEY000", "estatesecretkeyestatesecretkeyestatesecr"
    store = SeaweedFS(access_key, secret_key)
    bucket = store.start()
    obs = Gate(free_ports(1)[0], _port(store.endpoint))
    place = f"http://{access_key}:{secret_key}@127.0.0.1:{obs.port}/{bucket.name}"
    try:
        with (folder / "emulator.log").open("w") as errors, _emulator(errors, jobs, place) as (process, described):
            yield Cloud(store, bucket, obs, process, described)
    finally:
        bucket.client.close()
        store.stop()


@contextmanager
def _emulator(errors: IO[str], jobs: int, store: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with started("--json", "--jobs", str(jobs), "--object-store", store, errors=errors) as process:
        yield process.pid, json.loads(process.stdout.readline() if process.stdout else "")


def listens(port: int) -> bool:
    """Return whether something listens on a port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
