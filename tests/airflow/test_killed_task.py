"""A task process that is killed while it waits for a response or reads, and Airflow's own retry after that.

A whole Airflow runs: scheduler, executor, API server. The process that is killed is the one that holds a
connection to the service.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.airflow.airflow_process import AirflowProcess, until
from tests.zipped import zipped


def kill_connected_process(airflow: AirflowProcess, url: str) -> None:
    """Kill the one process of this Airflow that is connected to the service."""
    port = urlsplit(url).port

    def connected() -> list[psutil.Process]:
        found = []
        for process in psutil.Process(airflow.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                links = process.net_connections("tcp")
                if any(getattr(link.raddr, "port", 0) == port and link.status == "ESTABLISHED" for link in links):
                    found.append(process)
        return found

    (process,) = until(connected, 240)
    assert process.pid != os.getpid()
    process.kill()


def archives_of(emulator: Any, prefix: str) -> list[str]:
    """List what lies in the store."""
    listed = emulator.s3.list_objects_v2(Bucket=emulator.bucket, Prefix=prefix)
    return [found["Key"] for found in listed.get("Contents", [])]


def exports(emulator: Any) -> list[Any]:
    """List the export requests that have arrived; the jobs are listed before the first of them."""
    return [request for request in emulator.requests if request.operation == "ExportFlinkJobs"]


@pytest.mark.parametrize(
    ("kind", "parameters", "requests", "message"),
    [
        ("slow", {"after": 600}, 1, "Recovered {bucket}/{archive}: it is new in"),
        ("hang", {}, 2, "No archive appeared in obs://{bucket}/hang within 3 s."),
    ],
    ids=["executed", "not-executed"],
)
def test_an_export_killed_while_it_was_requested_is_neither_lost_nor_doubled(
    airflow_process: AirflowProcess,
    dli_emulator: Any,
    kind: str,
    parameters: dict[str, Any],
    requests: int,
    message: str,
) -> None:
    """The second attempt finds the archive, or finds none and sends the request again; it logs which."""
    dli_emulator.fault("ExportFlinkJobs", kind, **parameters)
    run = airflow_process.trigger("killed_export", {"obs_dir": f"{dli_emulator.bucket}/{kind}"})
    until(lambda: exports(dli_emulator), 240)
    until(lambda: kind == "hang" or archives_of(dli_emulator, kind), 240)
    kill_connected_process(airflow_process, dli_emulator.dli)
    task = airflow_process.finish("killed_export", run)["export"]
    log = airflow_process.log("killed_export", run, "export", 2)
    assert (task["state"], task["try_number"]) == ("success", 2), log
    (archive,) = archives_of(dli_emulator, kind)
    assert len(exports(dli_emulator)) == requests
    assert "An earlier request for an export into" in log
    assert message.format(bucket=dli_emulator.bucket, archive=archive) in log


def test_a_verification_that_was_killed_is_done_again(airflow_process: AirflowProcess, dli_emulator: Any) -> None:
    """Killed while it waits for its archive; the second attempt finds it and reads all of it."""
    archive = f"{dli_emulator.bucket}/late.zip"
    run = airflow_process.trigger("killed_verify", {"zip_file": archive})
    kill_connected_process(airflow_process, dli_emulator.obs)
    dli_emulator.s3.put_object(Bucket=dli_emulator.bucket, Key="late.zip", Body=zipped())
    task = airflow_process.finish("killed_verify", run)["verify"]
    log = airflow_process.log("killed_verify", run, "verify", 2)
    assert (task["state"], task["try_number"]) == ("success", 2), log
    assert f"obs://{archive}" in log
