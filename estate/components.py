"""Airflow's components, each a process of its own, as an estate with Celery has them."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
from environment import BIN, ROOT, airflow_environment
from processes import Server, is_alive, stop, until
from services import Broker, Cloud, Database, listens

from dli_emulator.child_process import free_ports

CELERY, LOCAL = "CeleryExecutor", "LocalExecutor"
TRIGGERERS, WORKERS = ("triggerer-1", "triggerer-2"), ("worker-1", "worker-2")
_START_SECONDS = 180
#: of Airflow's settings: what is lost is found within half a minute, and 2 cores are enough
_SETTINGS = {
    "CORE__PARALLELISM": 12,
    "CELERY__WORKER_CONCURRENCY": 4,
    "CELERY__WORKER_PREFETCH_MULTIPLIER": 1,
    "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": 60,
    "DAG_PROCESSOR__PARSING_PROCESSES": 1,
    "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 3600,
    "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": 2,
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 15,
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 10,
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": 5,
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 25,
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 5,
    "SCHEDULER__TASK_QUEUED_TIMEOUT": 60,
    "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": 10,
    "TRIGGERER__JOB_HEARTBEAT_SEC": 2,
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": 10,
}


class Components:
    """The components of one Airflow.

    :param folder: of logs and of ``AIRFLOW_HOME``
    :param database: its PostgreSQL
    :param broker: its Redis
    :param cloud: what its connection leads to
    :param fleet: jobs and batches of the DAG
    """

    def __init__(
        self, folder: Path, database: Database, broker: Broker, cloud: Cloud, fleet: tuple[int, int]
    ) -> None:
        (self._port,) = free_ports(1)
        self._folder, self._database = folder, database
        url = f"http://127.0.0.1:{self._port}"
        given = {f"AIRFLOW__{name}": str(value) for name, value in _SETTINGS.items()}
        self.environment = {
            **airflow_environment(folder / "airflow", cloud.described),
            **given,
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "estate" / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database.address}",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database.address}",
            "AIRFLOW__CELERY__BROKER_URL": broker.address,
            "ESTATE_JOBS": str(fleet[0]),
            "ESTATE_BATCHES": str(fleet[1]),
        }
        self.servers: dict[str, Server] = {}
        self._url = url

    def migrate(self) -> None:
        """Make Airflow's database.

        :raises subprocess.CalledProcessError: if that fails; the log has the reason
        """
        with (self._folder / "migrate.log").open("w") as log:
            subprocess.run(
                [BIN / "airflow", "db", "migrate"], env=self.environment, stdout=log, stderr=log, check=True
            )

    def start(self, executor: str) -> None:
        """Start all that an executor needs; return when the DAG can be run. What runs with another one ends."""
        self.stop()
        self.environment["AIRFLOW__CORE__EXECUTOR"] = executor
        commands: dict[str, Sequence[str]] = {
            "api-server": ("api-server", "--host", "127.0.0.1", "--port", str(self._port), "--workers", "1"),
            "scheduler": ("scheduler", "--skip-serve-logs"),
            "dag-processor": ("dag-processor",),
            **dict.fromkeys(TRIGGERERS, ("triggerer", "--skip-serve-logs")),
        }
        if executor == CELERY:
            quiet = ("--skip-serve-logs", "--without-gossip", "--without-mingle")
            commands |= {name: ("celery", "worker", *quiet, "--celery-hostname", f"{name}@%h") for name in WORKERS}
        self.servers = {name: self._server(name, command) for name, command in commands.items()}
        for server in self.servers.values():
            server.start()
        until(lambda: listens(self._port), _START_SECONDS, "the API server takes connections")
        until(self._is_up, _START_SECONDS, "Airflow's components are healthy", 2)

    def _server(self, name: str, command: Sequence[str]) -> Server:
        pid = self._folder / f"{name}.pid"
        # A process that was killed leaves the file of its id.
        arguments: list[str | Path] = [BIN / "airflow", *command, "--pid", pid]
        return Server(name, ["sh", "-c", 'rm -f "$0"; exec "$@"', pid, *arguments], self._folder, self.environment)

    def _is_up(self) -> bool:
        health = self.api("GET", "/monitor/health")
        healthy = all(health[name]["status"] == "healthy" for name in ("scheduler", "triggerer", "dag_processor"))
        rows = self._database.query("SELECT count(*) FROM dag WHERE dag_id = 'fleet'")
        return healthy and bool(rows[0][0]) and all(server.is_running for server in self.servers.values())

    def start_ended(self) -> list[str]:
        """Start again what has ended by itself, as systemd or Kubernetes does; return its names."""
        ended = [name for name, server in self.servers.items() if not server.is_running]
        for name in ended:
            self.servers[name].start()
        return ended

    def stop(self) -> None:
        """Stop all components, those first that have tasks."""
        stop(reversed(self.servers.values()))

    def task_processes(self) -> list[psutil.Process]:
        """Return the processes in which tasks run: below a worker's pool or the scheduler."""
        return [each for child in self.pool_processes() for each in child.children() if is_alive(each)]

    def pool_processes(self) -> list[psutil.Process]:
        """Return the processes that supervise tasks, one at a time: the pool of a worker, or of LocalExecutor."""
        names = [name for name in WORKERS if name in self.servers] or ["scheduler"]
        below = [each for name in names for each in self.servers[name].family()[:1]]
        return [child for each in below for child in each.children()]

    def api(self, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401 -- any JSON
        """Send a request to Airflow's API."""
        headers = {"Content-Type": "application/json"}
        if path != "/monitor/health":
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 -- loopback
            f"{self._url}/api/v2{path}", method=method, data=data, headers=headers
        )
        with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 -- loopback
            return json.loads(reply.read() or b"null")

    @cached_property
    def _token(self) -> str:
        with urllib.request.urlopen(f"{self._url}/auth/token", timeout=60) as reply:  # noqa: S310 -- loopback
            return str(json.load(reply)["access_token"])
