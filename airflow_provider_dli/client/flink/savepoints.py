"""Make savepoints of jobs, and tell jobs where to find one.

The two calls write places in opposite ways: ``bucket/directory/`` for the one, ``obs://bucket/directory`` for the
other. Both are taken here in either form.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.flink.values import JOBS, Done, checked_id
from airflow_provider_dli.client.locations import parse_directory


def trigger_savepoint(job_id: int, savepoint_path: str | None = None) -> Call[Done]:
    """Make a savepoint of a running Flink job (dli_02_0392). Look at its status to see it done.

    :param job_id: id of the job; only of a running one a savepoint can be made
    :param savepoint_path: directory for it. Mandatory by the manual; clients in use leave it out, and the service
        then takes a directory of its own
    :raises ConfigurationError: if ``job_id`` cannot be one, or ``savepoint_path`` is no place in OBS
    """
    body: dict[str, Any] = {"action": "TRIGGER"}
    if savepoint_path is not None:
        body["savepoint_path"] = f"{parse_directory('savepoint_path', savepoint_path)}/"
    return _call("ExecuteFlinkJobSavepoint", job_id, "savepoint", body, repeatable=False)


def import_savepoint(job_id: int, savepoint_path: str) -> Call[Done]:
    """Tell a Flink job which savepoint to start from (dli_02_0393).

    :param job_id: id of the job
    :param savepoint_path: directory that holds the savepoint's ``_metadata``
    :raises ConfigurationError: if ``job_id`` cannot be one, or ``savepoint_path`` is no place in OBS
    """
    place = parse_directory("savepoint_path", savepoint_path)
    body = {"job_id": job_id, "savepoint_path": place.url}
    return _call("ImportFlinkJobSavepoint", job_id, "import-savepoint", body, repeatable=True)


def _call(operation: str, job_id: int, action: str, body: dict[str, Any], *, repeatable: bool) -> Call[Done]:
    path = f"{JOBS}/{{job_id}}/{action}"
    ids = {"job_id": checked_id("job_id", job_id)}
    return Call(operation, "POST", path, Done.read, path_params=ids, body=body, repeatable=repeatable)
