"""The base of all operators of this provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_dli.assets.obs import check_outlets
from airflow_provider_dli.compat import AirflowSkipException, BaseOperator
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.formatting import SafeLog, escaped
from airflow_provider_dli.links.dli import DliConsoleLink, persist
from airflow_provider_dli.metrics import named, observing
from airflow_provider_dli.triggers.deferral import Deferrable

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_dli.compat import Context
    from airflow_provider_dli.hooks.base import AccountHook
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.lineage import Lineage
    from airflow_provider_dli.parameters import IfEmpty


class DliBaseOperator(SafeLog, BaseOperator):
    """Base of the operators: a log that nothing can forge, XComs of failed tasks, lineage, and a word when killed.

    Failures are raised and not logged: Airflow logs each once, with its message on one line and its traceback.
    """

    #: what it does, in log and metrics: one of ``airflow_provider_dli.metrics.ACTIONS``
    action: ClassVar[str]
    #: what a killed task leaves running or half done in the service, and what to do about it; None to log nothing
    on_kill_message: ClassVar[str | None] = None
    #: hook of the task that sends nothing more once it is killed; None where what was begun is to be ended
    stops_on_kill: DliHook | None = None
    #: what the task has read and written so far, for OpenLineage
    lineage: Lineage | None = None

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 -- BaseOperator's
        # Its own: from a class without one, Airflow 3.3 takes the defaults of BaseOperator's signature, such as
        # inlets=None, for those of mapped tasks, which then fail before they run.
        super().__init__(**kwargs)
        check_outlets(self.outlets)

    def begin(
        self, context: Context, hook: AccountHook, bucket: str | None = None, region: str | None = None
    ) -> None:
        """Log where the task works, and store what its links are built from.

        :param bucket: of the archives or the report, if there is one
        :param region: of the bucket, if not that of the connection
        :raises DliFailException: if the connection cannot be used
        """
        account = hook.account
        console = DliConsoleLink.address(account.console, account.region) if account.console else "not known"
        self.log.info(
            # No full stop: Airflow would take it for a part of the link.
            "%s by connection %s: project %s, region %s, console %s",
            named(self.action),
            hook.dli_conn_id,
            account.project.given or "of the region, looked up in IAM",
            account.region,
            console,
        )
        persist(context, self, hook, bucket, region)

    def push_xcoms(self, context: Context, **values: object) -> None:
        """Push XComs at once, so that they are there whether the task succeeds or fails.

        :param context: of the task; nothing is pushed without a task instance, as in a bare call of ``execute``,
            nor with ``do_xcom_push=False``
        :param values: by their keys
        """
        if self.do_xcom_push and (task_instance := context.get("ti")):
            for key, value in values.items():
                task_instance.xcom_push(key=key, value=value)

    def rows_for_xcom(self, rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        """Return the XCom ``return_value``, by its key, with a row for each job; none if they are too large."""
        from airflow_provider_dli.services.selection import fits_xcom

        instead = (
            "To have it, set an XCom backend for them (the page Large XComs of this provider's documentation)."
        )
        return {"return_value": rows} if fits_xcom("return_value", rows, self.log, instead) else {}

    def on_kill(self) -> None:
        """Send nothing more, and log what goes on in the service: what was sent cannot be called back."""
        if self.stops_on_kill:
            self.stops_on_kill.stop()
        if self.on_kill_message:
            self.log.warning("The task was killed. %s", self.on_kill_message)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:  # noqa: ANN401 -- Airflow's
        """Return what the task has read and written, whether it succeeded or failed.

        :param task_instance: not used
        """
        del task_instance
        if self.lineage is None:
            return None
        from airflow_provider_dli.openlineage import operator_lineage

        return operator_lineage(self.lineage)


class DeferrableOperator(Deferrable, DliBaseOperator):
    """Base of the operators that may wait on the triggerer."""

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:  # noqa: ANN401 -- BaseOperator's
        """Go on after a wait on the triggerer."""
        with observing(self, context):
            return super().resume_execution(next_method, next_kwargs, context)


def apply_if_empty(if_empty: IfEmpty, selection: str) -> None:
    """Apply ``if_empty``: raise, skip or return.

    :param selection: by which no job is selected, for the message
    :raises DliFailException: for ``fail``
    :raises AirflowSkipException: for ``skip``
    """
    message = f"No Flink job is selected by: {selection}"
    if if_empty == "fail":
        raise DliFailException(f"{message}. Correct the selection, or give if_empty='skip' or 'succeed'.")
    if if_empty == "skip":
        raise AirflowSkipException(escaped(message))


def skip_if_unchanged(if_empty: IfEmpty, selection: str) -> None:
    """Skip the task if ``if_empty`` is ``skip``: each selected job is backed up already.

    :param selection: by which jobs are selected, for the message
    :raises AirflowSkipException: for ``skip``
    """
    if if_empty == "skip":
        raise AirflowSkipException(escaped(f"No Flink job has changed since its last backup: {selection}"))
