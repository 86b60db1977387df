"""Delete the backups of a catalogue that no rule keeps.

What a task needs is imported when it runs: this module is read with every DAG file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.links.dli import ObsBucketLink
from airflow_provider_dli.metrics import count, observing
from airflow_provider_dli.operators.base import DliBaseOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, number_of

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_dli.compat import Context, XComArg


class DliExpireBackupsOperator(DliBaseOperator):
    """Delete the backups of a catalogue that no rule keeps, in each of its projects.

    A backup is kept if any rule keeps it; the rules are those of restic's ``forget``. Whatever the rules, the
    newest verified backup of every job is kept, and what is held, read by a task, or not in the catalogue.

    Pushes how many backups and bytes were kept and deleted as ``return_value``, and ``kept`` and ``deleted``, also
    when the task fails; with ``plan_only`` ``to_delete`` in place of ``deleted``.

    .. seealso::
        :doc:`Expire backups </docs/operators/expire>`: rules, what is never deleted, holds, XComs, permissions.

    :param backup_dir: the catalogue: ``bucket`` or ``bucket/directory`` (templated)
    :param keep_last: how many of the newest backups to keep (templated)
    :param keep_daily: for how many days that have a backup to keep the newest of the day (templated)
    :param keep_weekly: for how many weeks, from Monday to Sunday, to keep the newest of the week (templated)
    :param keep_monthly: for how many months to keep the newest of the month (templated)
    :param keep_yearly: for how many years to keep the newest of the year (templated)
    :param keep_within: seconds before the newest backup in which to keep all; a number, a ``timedelta``, or a
        string such as ``P30D`` (templated)
    :param timezone: in which days, weeks, months and years begin: a name such as ``Europe/Berlin`` (templated)
    :param plan_only: True to delete nothing: log what would be deleted, and why the others are kept (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :raises DliFailException: if a parameter or the connection cannot be used, no rule is given, or OBS refuses;
        no retry is spent
    :raises DliException: if OBS is unreachable or in trouble; a retry may help, and goes on
    """

    action = "expire"
    template_fields: Sequence[str] = (
        "backup_dir",
        "keep_last",
        "keep_daily",
        "keep_weekly",
        "keep_monthly",
        "keep_yearly",
        "keep_within",
        "timezone",
        "plan_only",
        "dli_conn_id",
    )
    operator_extra_links = (ObsBucketLink(),)
    ui_color = "#fff2cc"
    on_kill_message = "A backup whose deletion has begun can no longer be restored; the next run finishes it."

    def __init__(  # noqa: PLR0913 -- by name, as Airflow's
        self,
        *,
        backup_dir: str | XComArg,
        keep_last: int | str = 0,
        keep_daily: int | str = 0,
        keep_weekly: int | str = 0,
        keep_monthly: int | str = 0,
        keep_yearly: int | str = 0,
        keep_within: float | str | timedelta = 0,
        timezone: str = "UTC",
        plan_only: bool | str = False,
        dli_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.backup_dir = backup_dir
        self.keep_last = number_of(keep_last)
        self.keep_daily = number_of(keep_daily)
        self.keep_weekly = number_of(keep_weekly)
        self.keep_monthly = number_of(keep_monthly)
        self.keep_yearly = number_of(keep_yearly)
        self.keep_within = number_of(keep_within)
        self.timezone = timezone
        self.plan_only = plan_only
        self.dli_conn_id = dli_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Delete the backups that no rule keeps."""
        with observing(self, context):
            from airflow_provider_dli.backups import expiry
            from airflow_provider_dli.backups.manifest import Run

            options, catalogue = expiry.prepare(self)
            self.begin(context, catalogue.obs, options.backup_dir.bucket)
            deletion = expiry.Expiry(catalogue, options, Run.of(dict(context)), self.log)
            try:
                deletion.expire(plan_only=options.plan_only)
            finally:
                # What was deleted before a failure is pushed too.
                result = deletion.result(plan_only=options.plan_only)
                self.push_xcoms(context, **result.pop("lists"), return_value=result)
                count(context, "dli.expire.backups", len(deletion.deleted))
                count(context, "dli.expire.bytes", sum(map(expiry.size_of, deletion.deleted)))
            return result
