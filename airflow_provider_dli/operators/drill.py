"""Restore jobs of a backup into a scratch project, to find out whether they could be brought back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.lineage import Lineage, jobs_dataset, obs_dataset
from airflow_provider_dli.links.dli import DliConsoleLink, ObsBucketLink
from airflow_provider_dli.metrics import count, observing
from airflow_provider_dli.operators.base import DliBaseOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, number_of

if TYPE_CHECKING:
    from airflow_provider_dli.compat import Context, XComArg


class DliDrillBackupsOperator(DliBaseOperator):
    """Restore some jobs of the newest backup into a scratch project, compare them with their sources, delete them.

    Each drill takes the archives whose jobs were drilled longest ago, or never, so that in time every job has its
    turn. The outcome is a record of the backup. Deletes what it created, also after a failure; what a killed
    attempt has left, the next one deletes.

    Pushes a summary as ``return_value``, also when the task fails.

    .. seealso::
        :doc:`Drill backups </docs/operators/drill>`: the order of archives, what is compared, XComs, permissions.

    :param backup_dir: the catalogue: bucket, or bucket and directory, as the backup has it (templated)
    :param scratch_conn_id: connection of the project to restore into, another one that nobody works in (templated)
    :param project_id: of the backup; that of ``dli_conn_id`` if omitted (templated)
    :param sample: jobs of each drill, at least; archives are drilled whole (templated)
    :param drill_window: seconds, or a timedelta, in which every job is to be drilled (templated): how many are
        left is in XCom, and a sample that is too small for it is warned of
    :param time_limit: seconds, or a timedelta, after which no further archive is begun (templated); one is drilled
        in any case
    :param staging_dir: directory in OBS that archives are copied to first (templated), where the scratch project
        can read them; the copies are deleted
    :param report_dir: directory in OBS that an HTML report is written to (templated). Use the same for all runs:
        the page has a chart of the last ones
    :param dli_conn_id: connection of type ``dli`` that may read and write the catalogue (templated)
    :raises DliFailException: if a job could not be restored as it was, a parameter, connection or project cannot
        be used, or DLI refuses; no retry is spent
    :raises DliException: if DLI or OBS is unreachable or in trouble; a retry may help
    """

    action = "drill"
    template_fields: Sequence[str] = (
        "backup_dir",
        "scratch_conn_id",
        "project_id",
        "sample",
        "drill_window",
        "time_limit",
        "staging_dir",
        "report_dir",
        "dli_conn_id",
    )
    operator_extra_links = (ObsBucketLink(), DliConsoleLink())
    ui_color = "#d9ead3"
    on_kill_message = "Jobs that were restored may still be in the scratch project; the next attempt deletes them."

    def __init__(
        self,
        *,
        backup_dir: str | XComArg,
        scratch_conn_id: str,
        project_id: str | XComArg | None = None,
        sample: int | str = 100,
        drill_window: float | str | timedelta = timedelta(days=90),
        time_limit: float | str | timedelta | None = None,
        staging_dir: str | XComArg | None = None,
        report_dir: str | XComArg | None = None,
        dli_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.backup_dir = backup_dir
        self.scratch_conn_id = scratch_conn_id
        self.project_id = project_id
        self.sample = number_of(sample)
        self.drill_window = number_of(drill_window)
        self.time_limit = number_of(time_limit)
        self.staging_dir = staging_dir
        self.report_dir = report_dir
        self.dli_conn_id = dli_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Drill, and return a summary."""
        with observing(self, context):
            from airflow_provider_dli.backups import drill
            from airflow_provider_dli.backups.manifest import Run

            options, catalogue, scratch = drill.prepare(self)
            self.begin(context, scratch, options.backup_dir.bucket, catalogue.obs.account.region)
            outcome = drill.drill(options, catalogue, scratch, Run.of(context), self.log)
            count(context, "dli.drill.jobs", len(outcome.jobs) - len(outcome.failed))
            count(context, "dli.drill.unequal", len(outcome.failed))
            inputs = [obs_dataset(str(outcome.backup.place.below(name))) for name in outcome.archives]
            self.lineage = Lineage([*inputs, jobs_dataset(scratch)])
            self.push_xcoms(context, return_value=outcome.as_dict())
            file = drill.write_report(options, catalogue, scratch, outcome, context.get("run_id"), self.log)
            if file:
                self.lineage = Lineage([*inputs, jobs_dataset(scratch)], [obs_dataset(file)])
                self.push_xcoms(context, report_file=file)
            drill.raise_for_failures(outcome)
            return outcome.as_dict()
