"""Archives that appear after an export has ended: DLI acts late on a request whose response was lost.

The export pushes each such request, with its directory and time, as XCom ``lost_requests``. The verification after
it lists these directories once more, and names what no task of the run has named.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.locations import ObsLocation, parse_directory
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.formatting import format_ids, pluralize
from airflow_provider_dli.services.export_recovery import export_tasks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from logging import Logger

    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.services.export_requests import ExportRequest

LOST_REQUESTS = "lost_requests"


def lost_requests(requests: Iterable[ExportRequest]) -> list[dict[str, Any]]:
    """Return requests whose archives may come yet, as plain values.

    :param requests: without response, or with one that could not be used
    """
    return [
        {
            "obs_dir": str(each.directory),
            "jobs": None if each.job_ids is None else len(each.job_ids),
            "requested_at": each.requested_at,
        }
        for each in requests
    ]


def find_late_archives(
    hook: ObsHook, context: Mapping[str, Any], verified: Iterable[ObsLocation], log: Logger
) -> list[str]:
    """Return the archives that lost requests of the exports before this task have made since; log them.

    :param context: of the task that verifies the archives of these exports
    :param verified: the archives that it verifies
    """
    task: Any = context.get("task")
    instance: Any = context.get("ti")
    before = task.get_flat_relative_ids(upstream=True) if hasattr(task, "get_flat_relative_ids") else ()
    exports = [each.task_id for each in export_tasks(context) if each.task_id in before]
    if not exports or not hasattr(instance, "xcom_pull"):
        return []

    def pull(key: str) -> list[Any]:
        # Of several tasks: the values of all their mapped instances, and no line in the log if there is none.
        values: Any = instance.xcom_pull(task_ids=exports, key=key)
        return [item for value in values if isinstance(value, list) for item in value]

    found: dict[str, None] = {}
    try:
        if not (lost := pull(LOST_REQUESTS)):
            return []
        named = {*map(str, verified), *pull("zip_file"), *pull("extra_archives")}
        for request in lost:
            late = [each for each in _written_since(hook, request) if each not in named | found.keys()]
            if late:
                found |= dict.fromkeys(late)
                count = pluralize(len(late), "archive")
                log.warning("No task has named %s: %s. %s", count, format_ids(late), _cause(request))
    except DliException as error:
        log.warning("Whether requests whose response was lost have made archives since is not known: %s", error)
    return list(found)


def _written_since(hook: ObsHook, request: Mapping[str, Any]) -> list[str]:
    """Return the archives in the directory of a request that OBS has written since."""
    directory = parse_directory("obs_dir", request["obs_dir"])
    at = request["requested_at"]
    since = datetime.fromisoformat(at) if at else datetime.min.replace(tzinfo=UTC)
    objects = hook.list_directory(directory).objects
    places = [ObsLocation(directory.bucket, key) for key, written in objects if written >= since]
    return [str(place) for place in places if place.is_archive]


def _cause(request: Mapping[str, Any]) -> str:
    jobs = "all jobs" if request["jobs"] is None else pluralize(request["jobs"], "job")
    when = request["requested_at"] or "a time that is not known"
    return (
        f"The export of {jobs} into {request['obs_dir']} that was requested at {when} lost its response, and may "
        "have made them after its task had ended. Nothing verifies or deletes them."
    )
