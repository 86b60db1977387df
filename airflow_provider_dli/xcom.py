"""What a task leaves in XCom, red or green."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context


def push(context: Context, operator: BaseOperator, /, **values: object) -> None:
    """Push values at once, so that they are there whether the task ends green or red.

    :param context: of the task; without a task instance, as in a bare call of ``execute``, nothing is pushed
    :param operator: the task; one with ``do_xcom_push=False`` pushes nothing
    :param values: by their XCom keys
    """
    if operator.do_xcom_push and (task_instance := context.get("ti")):
        for key, value in values.items():
            task_instance.xcom_push(key=key, value=value)
