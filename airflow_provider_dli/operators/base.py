"""The base of all operators of this provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_dli.compat import AirflowSkipException, BaseOperator
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.formatting import SafeLog, escaped

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_dli.compat import Context
    from airflow_provider_dli.lineage import Lineage
    from airflow_provider_dli.parameters import IfEmpty


class DliBaseOperator(SafeLog, BaseOperator):
    """Base of the operators: a log that nothing can forge, XComs of failed tasks, lineage, and a word when killed.

    Failures are raised and not logged: Airflow logs each once, with its message on one line and its traceback.
    """

    #: what a killed task leaves running or half done in the service, and what to do about it; None to log nothing
    on_kill_message: ClassVar[str | None] = None
    #: what the task has read and written so far, for OpenLineage
    lineage: Lineage | None = None

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 -- BaseOperator's
        # Its own: from a class without one, Airflow 3.3 takes the defaults of BaseOperator's signature, such as
        # inlets=None, for those of mapped tasks, which then fail before they run.
        super().__init__(**kwargs)

    def push_xcoms(self, context: Context, **values: object) -> None:
        """Push XComs at once, so that they are there whether the task succeeds or fails.

        :param context: of the task; nothing is pushed without a task instance, as in a bare call of ``execute``,
            nor with ``do_xcom_push=False``
        :param values: by their keys
        """
        if self.do_xcom_push and (task_instance := context.get("ti")):
            for key, value in values.items():
                task_instance.xcom_push(key=key, value=value)

    def on_kill(self) -> None:
        """Log what goes on in the service: a request that was sent cannot be called back."""
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
