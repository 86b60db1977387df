"""Links of tasks, made of what the task stored: which console, which region, which bucket."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_provider_dli.links import console

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from airflow_provider_dli.hooks.base import AccountHook

#: under which a task stores what its links are made of
KEY = "dli_console"


class _ConsoleLink(BaseOperatorLink):
    """A link into the console; empty until the task has stored where."""

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ANN401 -- Airflow's key of a task instance
        """Give the address, or nothing."""
        from airflow.providers.common.compat.sdk import XCom

        del operator
        stored = XCom.get_value(ti_key=ti_key, key=KEY)
        return self._address(stored) if isinstance(stored, dict) and stored.get("console") else ""

    @abstractmethod
    def _address(self, stored: dict[str, str]) -> str:
        """Make the address of what was stored."""


class ObsBucketLink(_ConsoleLink):
    """The bucket of the archives, in the OBS console."""

    name = "OBS bucket"

    def _address(self, stored: dict[str, str]) -> str:
        if not stored.get("bucket"):
            return ""
        region = stored.get("bucket_region") or stored["region"]
        return console.obs_bucket(stored["console"], region, stored["bucket"])


class DliConsoleLink(_ConsoleLink):
    """DLI in the console, in the region of the task."""

    name = "DLI console"

    def _address(self, stored: dict[str, str]) -> str:
        return console.dli(stored["console"], stored["region"])


def persist(
    context: Context,
    operator: BaseOperator,
    hook: AccountHook,
    bucket: str | None = None,
    bucket_region: str | None = None,
) -> None:
    """Store what the links of a task are made of; no links where the console of the cloud is not known.

    :param context: of the task
    :param operator: the task; one that pushes no XCom has no links
    :param hook: that the task asks with anyway: its connection says which console, in which region
    :param bucket: of the archives or the report, if there is one
    :param bucket_region: where it is not the connection's
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
