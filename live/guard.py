"""What may be requested from an account that is not ours. Nothing is sent that this does not allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_dli.client.call import Call

#: operations on jobs that are allowed on jobs that this run made, and on no others
ON_OWN_JOBS = {"BatchStopFlinkJobs", "BatchDeleteFlinkJobs", "DeleteFlinkJob"}


class ForbiddenError(Exception):
    """A question would send what this run may not; nothing was sent."""


@dataclass
class Guard:
    """Compares every call with what the person at the keyboard has allowed.

    :param folder: ``bucket/prefix/run`` below which exports may go; None to allow reading only
    :param nowhere: a bucket that does not exist, as a target that must be refused; None for none
    :param jobs: whether drafts of our own may be made
    :param own: ids of the jobs that this run made
    """

    folder: str | None = None
    nowhere: str | None = None
    jobs: bool = False
    own: set[int] = field(default_factory=set)

    def check(self, call: Call[Any]) -> None:
        """Let a call pass.

        :param call: what is about to be sent
        :raises ForbiddenError: if it is more than was allowed
        """
        if call.method == "GET":
            return
        body = call.body or {}
        if call.operation == "ExportFlinkJobs" and self._within(str(body.get("obs_dir"))):
            return
        if call.operation == "CreateFlinkSqlJob" and self.jobs:
            return
        ids = set(body.get("job_ids", [])) | {int(call.path_params[name]) for name in call.path_params}
        if call.operation in ON_OWN_JOBS and self.jobs and ids and ids <= self.own:
            return
        raise ForbiddenError(f"{call.operation} is more than this run may do")

    def _within(self, obs_dir: str) -> bool:
        if self.folder is None:
            return False
        place = obs_dir.removeprefix("obs://").strip("/")
        inside = place == self.folder or place.startswith(f"{self.folder}/")
        return (inside and ".." not in place) or (self.nowhere is not None and place == f"{self.nowhere}/x")
