"""DliHook: calls of DLI on an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.exchange import converse
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, translated
from airflow_provider_dli.hooks.base import AccountHook
from airflow_provider_dli.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import requests

    from airflow_provider_dli.client.call import Call, QueryValue

T = TypeVar("T")


class DliHook(AccountHook):
    """Ask Huawei Cloud Data Lake Insight (DLI).

    Usable by operators, in a ``@task`` and in a plain script alike.

    :param dli_conn_id: connection of type ``dli``: login is the access key, password the secret key; extras
        ``region`` and ``project_id``, and where needed ``endpoint``, ``obs_endpoint``, ``iam_endpoint`` and
        ``security_token``
    """

    hook_name = "Huawei Cloud DLI"

    def get_conn(self) -> requests.Session:
        """Return the requests session that calls go through; it holds no credentials."""
        return self._transport.session

    def run(self, call: Call[T]) -> T:
        """Make a call.

        :param call: from :mod:`airflow_provider_dli.client.flink`
        :returns: the call's result
        :raises DliException: if it failed and a retry may help
        :raises DliFailException: if it failed and no retry will help
        """
        return self._hold(converse(call, self.account))

    async def arun(self, call: Call[T]) -> T:
        """Make a call without blocking the event loop; otherwise like :meth:`run`.

        Connects anew for each call, unless the hook is open: ``async with hook:`` around many calls keeps the
        connections of its event loop, for all tasks in it that share the hook.
        """
        account = await self._aaccount()
        return await self._ahold(converse(call, account))

    def export_flink_jobs(self, obs_dir: str, job_ids: Iterable[int] | None = None) -> flink.ExportResult:
        """Export Flink jobs as ZIP archives to OBS (dli_02_0254). Every call makes new archives.

        :param obs_dir: ``bucket``, ``bucket/directory`` or ``obs://bucket/directory``
        :param job_ids: ids of the jobs; None for all jobs of the project
        :returns: the archives, each as ``bucket/key``
        :raises DliException: as for :meth:`run`
        """
        with translated():
            call = flink.export_jobs(obs_dir, job_ids)
        return self.run(call)

    def list_flink_jobs(  # noqa: PLR0913 -- the filters of the manual's page, each optional and by name
        self,
        *,
        job_type: str | None = None,
        status: str | None = None,
        queue_name: str | None = None,
        name: str | None = None,
        user_name: str | None = None,
        tags: str | None = None,
        root_job_id: int | None = None,
        sys_enterprise_project_name: str | None = None,
        show_detail: bool = False,
        order: str = "desc",
    ) -> Iterator[flink.FlinkJob]:
        """List Flink jobs, page after page while they are iterated, none twice (dli_02_0234).

        :param job_type: ``flink_sql_job``, ``flink_opensource_sql_job``, ``flink_sql_edge_job`` or
            ``flink_jar_job``
        :param status: one status, such as ``job_running``
        :param queue_name: name of a queue
        :param name: name of a job, at most 57 characters
        :param user_name: name of the user who made the job
        :param tags: ``key=value``, several with commas between
        :param root_job_id: id of the parent of edge jobs
        :param sys_enterprise_project_name: name of an enterprise project
        :param show_detail: give each job with all its settings
        :param order: ``desc`` for newest first, or ``asc``
        :raises DliException: as for :meth:`run`, when a page is asked for
        """
        given: dict[str, QueryValue | None] = {
            "job_type": job_type,
            "status": status,
            "queue_name": queue_name,
            "name": name,
            "user_name": user_name,
            "tags": tags,
            "root_job_id": root_job_id,
            "sys_enterprise_project_name": sys_enterprise_project_name,
            "show_detail": show_detail,
            "order": order,
        }
        pages = flink.JobPages({key: value for key, value in given.items() if value is not None})
        while call := pages.next_call():
            yield from pages.accept(self.run(call))

    def get_flink_job(self, job_id: int) -> flink.FlinkJob:
        """Show one Flink job with all its settings (dli_02_0235).

        :param job_id: its id
        :raises DliFailException: with code ``DLI.16001`` if the project has no such job
        """
        with translated():
            call = flink.show_job(job_id)
        return self.run(call)

    def test_connection(self) -> tuple[bool, str]:
        """Tell, for Airflow's *Test* button, who we are and what we may do.

        :returns: whether Flink jobs may be listed and the connection's ``bucket``, if it names one, be read; and a
            line that says which
        """
        from airflow_provider_dli.hooks.obs import ObsHook

        try:
            account = self.account
            jobs = self.run(flink.list_jobs({}, limit=1)).total_count
            where = f"{account.credentials.who}, project {self.project_id} in {account.region}"
            known = f"You are {where}: {counted(jobs, 'Flink job')} may be listed"
        except DliException as error:
            return False, str(error)
        if account.bucket is None:
            return True, f"{known}; name a bucket in the connection to have that tested too."
        try:
            ObsHook(self.dli_conn_id).list_directory(ObsLocation(account.bucket))
        except DliException as error:
            return False, f"{known}, but bucket {account.bucket} may not be read: {error}"
        return True, f"{known}, and bucket {account.bucket} may be read."
