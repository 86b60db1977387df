"""DliHook: calls of DLI on an Airflow connection."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.exchange import request_flow
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.connection_form import connection_form_widgets, ui_field_behaviour
from airflow_provider_dli.exceptions import DliException, translated
from airflow_provider_dli.formatting import escaped, pluralize
from airflow_provider_dli.hooks.base import AccountHook
from airflow_provider_dli.hooks.obs import ObsHook

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import requests

    from airflow_provider_dli.client.call import Call, QueryValue

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")


def calling(make: Callable[P, Call[T]]) -> Callable[Concatenate[DliHook, P], T]:
    """Return a method that makes a call and runs it, with the signature and docstring of what makes the call.

    Errors are those of :meth:`~airflow_provider_dli.hooks.dli.DliHook.run`.
    """

    @wraps(make)
    def method(self: DliHook, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with translated():
            call = make(*args, **kwargs)
        return self.run(call)

    signature = inspect.signature(make)
    # The result of the call, and not the call: the function's own annotation is ``Call[T]``.
    result = str(signature.return_annotation).removeprefix("Call[").removesuffix("]")
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]  # read by inspect and help()
        parameters=[this, *signature.parameters.values()], return_annotation=result
    )
    return method


class DliHook(AccountHook):
    """Call Huawei Cloud Data Lake Insight (DLI).

    Usable by operators, in a ``@task`` and in a plain script alike. There is a method for every Flink operation of
    DLI; :meth:`run` and :meth:`arun` take the calls that :mod:`airflow_provider_dli.client.flink` makes.

    .. seealso::
        :doc:`Hooks in your own tasks </docs/hooks>` and :doc:`every operation </docs/operations>`.

    :param dli_conn_id: connection of type ``dli``: login is the access key, password the secret key; extras
        ``region`` and ``project_id``, and where needed ``endpoint``, ``obs_endpoint``, ``iam_endpoint`` and
        ``security_token``
    """

    hook_name = "Huawei Cloud DLI"
    _is_stopped = False

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extras of Airflow's connection form, before Airflow 3.2."""
        return connection_form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the standard fields of Airflow's connection form, before Airflow 3.2."""
        return {name.replace("-", "_"): value for name, value in ui_field_behaviour().items()}

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
        return self._run(request_flow(call, self.account, before_send=self._raise_if_stopped))

    def stop(self) -> None:
        """Have :meth:`run` send no more requests, also of calls that wait: the task is over, or being killed."""
        self._is_stopped = True

    def _raise_if_stopped(self) -> None:
        if self._is_stopped:
            raise DliException("Not sent, since the task was killed or has ended.", advice="Clear the task.")

    async def arun(self, call: Call[T]) -> T:
        """Make a call without blocking the event loop; otherwise like :meth:`run`.

        Connects for each call, unless the hook is open: ``async with hook:`` around many calls keeps the
        connections of its event loop, for all tasks in it that share the hook.
        """
        account = await self._aaccount()
        return await self._arun(request_flow(call, account))

    export_flink_jobs = calling(flink.export_jobs)
    import_flink_jobs = calling(flink.import_jobs)
    get_flink_job = calling(flink.show_job)
    run_flink_jobs = calling(flink.run_jobs)
    stop_flink_jobs = calling(flink.stop_jobs)
    delete_flink_job = calling(flink.delete_job)
    delete_flink_jobs = calling(flink.delete_jobs)
    create_flink_sql_job = calling(flink.create_sql_job)
    update_flink_sql_job = calling(flink.update_sql_job)
    create_flink_jar_job = calling(flink.create_jar_job)
    update_flink_jar_job = calling(flink.update_jar_job)
    get_flink_job_execution_graph = calling(flink.show_execution_graph)
    create_flink_sql_job_graph = calling(flink.create_sql_job_graph)
    trigger_flink_job_savepoint = calling(flink.trigger_savepoint)
    import_flink_job_savepoint = calling(flink.import_savepoint)
    create_flink_sql_job_template = calling(flink.create_template)
    update_flink_sql_job_template = calling(flink.update_template)
    delete_flink_sql_job_template = calling(flink.delete_template)

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
        order: str = "asc",
    ) -> Iterator[flink.FlinkJob]:
        """List Flink jobs, page after page while they are iterated (dli_02_0234).

        None comes twice, and none is missed that is there all the time, even if others are made and deleted
        meanwhile.

        :param job_type: ``flink_sql_job``, ``flink_opensource_sql_job``, ``flink_sql_edge_job`` or
            ``flink_jar_job``
        :param status: one status, such as ``job_running``
        :param queue_name: name of a queue
        :param name: name of a job, at most 57 characters
        :param user_name: name of the user who made the job
        :param tags: ``key=value``, several with commas between
        :param root_job_id: id of the parent of edge jobs
        :param sys_enterprise_project_name: name of an enterprise project
        :param show_detail: return each job with all its settings
        :param order: ``asc`` for oldest first, or ``desc``
        :raises DliException: as for :meth:`run`, when a page is requested
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
        yield from self.walk(flink.job_pages(_given(given)))

    def list_flink_sql_job_templates(
        self, *, name: str | None = None, tags: str | None = None, order: str | None = None
    ) -> Iterator[flink.FlinkTemplate]:
        """List templates of Flink SQL jobs, page after page while they are iterated (dli_02_0248).

        :param name: part of the name
        :param tags: ``key=value``, several with commas between
        :param order: ``desc`` for newest first, or ``asc``
        :raises DliException: as for :meth:`run`, when a page is requested
        """
        yield from self.walk(flink.template_pages(_given({"name": name, "tags": tags, "order": order})))

    def walk(self, pages: flink.Pages[Item]) -> Iterator[Item]:
        """Walk through all pages of a list, requesting each when it is needed.

        :param pages: from :mod:`airflow_provider_dli.client.flink`, such as ``job_pages``
        :raises DliException: as for :meth:`run`, when a page is requested
        """
        while call := pages.next_call():
            yield from pages.accept(self.run(call))

    def test_connection(self) -> tuple[bool, str]:
        """Return, for Airflow's *Test* button, the identity and what it may do.

        It reads only. How many Flink jobs are visible does not show whether there are others: a user without
        ``dli:jobs:listAll`` lists its own.

        :returns: whether Flink jobs may be listed and the connection's ``bucket``, if it names one, be read; and a
            line that names them, and what was not tested
        """
        works, message = self._tested()
        return works, escaped(message)

    def _tested(self) -> tuple[bool, str]:
        try:
            account = self.account
            jobs = pluralize(self.run(flink.list_jobs({}, limit=1)).total_count, "Flink job")
            known = (
                f"Authenticated as {account.credentials.identity}, project {self.project_id} in {account.region}: "
                f"{jobs} visible (without dli:jobs:listAll only the user's own)"
            )
        except DliException as error:
            return False, str(error)
        untested = "the permission to export, and DLI's agency, which writes the archives"
        if account.bucket is None:
            return True, f"{known}. Not tested: a bucket, for the connection names none; {untested}."
        try:
            ObsHook(self.dli_conn_id).list_directory(ObsLocation(account.bucket))
        except DliException as error:
            return False, f"{known}, but bucket {account.bucket} may not be read: {error}"
        return True, f"{known}, and bucket {account.bucket} may be read. Not tested: {untested}."


def _given(filters: Mapping[str, QueryValue | None]) -> dict[str, QueryValue]:
    return {name: value for name, value in filters.items() if value is not None}
