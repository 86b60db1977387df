"""A whole Airflow for tests: DAGs are triggered through its API, tasks run in processes of their own."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

if TYPE_CHECKING:
    from standalone import Standalone

T = TypeVar("T")

END_STATES = {"success", "failed"}


class AirflowProcess:
    """An Airflow that runs, by its API.

    :param airflow: where it is
    :param home: its ``AIRFLOW_HOME``
    """

    def __init__(self, airflow: Standalone, home: Path) -> None:
        self.process = airflow.process
        self.url = airflow.url
        self.home = home

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run, once the DAG is known; return its id."""
        until(lambda: self._api("GET", f"/dags/{dag_id}", missing_is_none=True), 240)
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self._api("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the task instances of a run, by task."""
        return {task["task_id"]: task for task in self._instances(dag_id, run_id)}

    def instances(self, dag_id: str, run_id: str, task_id: str) -> list[dict[str, Any]]:
        """Return the instances of a mapped task."""
        return [task for task in self._instances(dag_id, run_id) if task["task_id"] == task_id]

    def _instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return list(self._api("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances")["task_instances"])

    def finish(self, dag_id: str, run_id: str, seconds: float = 300) -> dict[str, dict[str, Any]]:
        """Wait until a run has ended; return its task instances."""

        def ended() -> bool:
            run = self._api("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id)}")
            return run["state"] in END_STATES

        until(ended, seconds)
        return self.tasks(dag_id, run_id)

    def mark_failed(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Mark a task instance as failed, as the UI does."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}"
        self._api("PATCH", path, {"new_state": "failed"})

    def dags(self) -> list[str]:
        """Return the ids of all DAGs."""
        return [dag["dag_id"] for dag in self._api("GET", "/dags")["dags"]]

    def runs(self, dag_id: str) -> list[str]:
        """Return the ids of all runs of a DAG."""
        return [run["dag_run_id"] for run in self.described_runs(dag_id)]

    def described_runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return all runs of a DAG as the API describes them."""
        return list(self._api("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"])

    @contextmanager
    def unpaused(self, dag_id: str) -> Iterator[None]:
        """Have the scheduler run a DAG."""
        until(lambda: self._api("GET", f"/dags/{dag_id}", missing_is_none=True), 240)
        self._api("PATCH", f"/dags/{dag_id}", {"is_paused": False})
        try:
            yield
        finally:
            self._api("PATCH", f"/dags/{dag_id}", {"is_paused": True})

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return what a task, or an instance of a mapped one, pushed."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/xcomEntries/{key}?deserialize=true"
        return self._api("GET", f"{path}&map_index={map_index}")["value"]

    def link(self, dag_id: str, run_id: str, task_id: str, name: str) -> str:
        """Return the address of a task's link."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/links"
        return str(self._api("GET", path)["extra_links"][name])

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int) -> str:
        """Return the log of an attempt of a task."""
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        return (folder / f"attempt={attempt}.log").read_text()

    @cached_property
    def _token(self) -> str:
        with urllib.request.urlopen(f"{self.url}/auth/token", timeout=60) as reply:  # noqa: S310 -- loopback
            return str(json.load(reply)["access_token"])

    def create_pool(self, name: str, slots: int) -> None:
        """Make a pool."""
        self._api("POST", "/pools", {"name": name, "slots": slots})

    def connect(self, conn_id: str, connection: str) -> None:
        """Save a connection, given as JSON, as the UI's form does; replaces one of that name."""
        given = json.loads(connection)
        body = {**given, "connection_id": conn_id, "extra": json.dumps(given["extra"])}
        self.disconnect(conn_id)
        self._api("POST", "/connections", body)

    def disconnect(self, conn_id: str) -> None:
        """Delete a connection, if there is one of that name."""
        self._api("DELETE", f"/connections/{conn_id}", missing_is_none=True)

    def connection(self, conn_id: str) -> Any:
        """Return a connection as it was saved; None if there is none."""
        return self._api("GET", f"/connections/{conn_id}", missing_is_none=True)

    def tested(self, conn_id: str) -> Any:
        """Test a saved connection; return whether it works, and the message."""
        saved = self.connection(conn_id)
        names = ("connection_id", "conn_type", "login", "password", "extra")
        return self._api("POST", "/connections/test", {name: saved[name] for name in names})

    def _api(self, method: str, path: str, body: Any = None, *, missing_is_none: bool = False) -> Any:
        request = urllib.request.Request(  # noqa: S310 -- loopback
            f"{self.url}/api/v2{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 -- loopback
                return json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code == 404 and missing_is_none:
                return None
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None


def until(check: Callable[[], T], seconds: float) -> T:
    """Repeat a check until it returns something; return that."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.2)
    return found
