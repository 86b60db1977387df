"""Links of tasks into Huawei Cloud's console, built from what the task stored: which console, region and bucket.

Only addresses that two sources agree on; no deep link to a Flink job is known.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_dli.compat import BaseOperatorLink

if TYPE_CHECKING:
    from airflow_provider_dli.compat import BaseOperator, Context
    from airflow_provider_dli.hooks.base import AccountHook

#: XCom key of the values that the links of a task are built from
KEY = "dli_console"


class _ConsoleLink(BaseOperatorLink):
    """A link into the console; empty until the task has stored the values."""

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ANN401 -- Airflow's key of a task instance
        """Return the address, or an empty string."""
        from airflow_provider_dli.compat import XCom

        del operator
        stored = XCom.get_value(ti_key=ti_key, key=KEY)
        return self._address(stored) if isinstance(stored, dict) and stored.get("console") else ""

    @abstractmethod
    def _address(self, stored: dict[str, str]) -> str: ...


class ObsBucketLink(_ConsoleLink):
    """The bucket of the archives, in the OBS console."""

    name = "OBS bucket"

    def _address(self, stored: dict[str, str]) -> str:
        if not stored.get("bucket"):
            return ""
        region, bucket = stored.get("bucket_region") or stored["region"], quote(stored["bucket"], safe="")
        return f"{stored['console']}/console/?region={quote(region)}#/obs/manage/{bucket}/object/list"


class DliConsoleLink(_ConsoleLink):
    """DLI in the console, in the region of the task."""

    name = "DLI console"

    def _address(self, stored: dict[str, str]) -> str:
        return self.address(stored["console"], stored["region"])

    @staticmethod
    def address(console: str, region: str) -> str:
        """Return the address of DLI in a console."""
        return f"{console}/dli/?region={quote(region)}"


def persist(
    context: Context,
    operator: BaseOperator,
    hook: AccountHook,
    bucket: str | None = None,
    bucket_region: str | None = None,
) -> None:
    """Store the values that the links of a task are built from; nothing if the cloud's console is not known.

    :param operator: without ``do_xcom_push`` it has no links
    :param bucket: of the archives or the report, if there is one
    :param bucket_region: of the bucket, if not that of the connection
    :raises DliFailException: if the connection cannot be used
    """
    task_instance = context.get("ti")
    if not task_instance or not operator.do_xcom_push:
        return
    account = hook.account
    if account.console:
        stored = {
            "console": account.console,
            "region": account.region,
            "bucket": bucket,
            "bucket_region": bucket_region if bucket and bucket_region != account.region else None,
        }
        task_instance.xcom_push(key=KEY, value={name: value for name, value in stored.items() if value})
