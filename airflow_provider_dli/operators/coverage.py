"""Check which live jobs the backups of a catalogue cover."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.links.dli import ObsBucketLink
from airflow_provider_dli.metrics import count, gauge, observing
from airflow_provider_dli.operators.base import DliBaseOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, NOT_GIVEN, NotGiven, names_of, number_of, value_of

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_dli.compat import Context, XComArg
    from airflow_provider_dli.parameters import Level


class DliCheckBackupCoverageOperator(DliBaseOperator):
    """Check which live Flink jobs could be brought back now from the backups of a catalogue, and to which state.

    Everything is checked before it fails: jobs without a usable backup that is young enough, jobs that changed
    since, jobs that no restore drill has brought back, and backups that are damaged. The message names them.

    Pushes a summary of each project as ``return_value``, and ``uncovered``, also when the task fails.

    .. seealso::
        :doc:`Check the coverage of backups </docs/operators/coverage>`: problems, XComs, permissions.

    :param backup_dir: the catalogue: ``bucket`` or ``bucket/directory`` (templated)
    :param dli_conn_id: connection of type ``dli`` of each project to check: one, a list, or a string with commas
        between. One that cannot be used, or is the second of its project, fails the task after the others were
        checked (templated)
    :param catalogue_conn_id: connection that may read the catalogue; the first of ``dli_conn_id`` by default
        (templated)
    :param max_age: seconds, or a timedelta, since the youngest usable backup of a job was exported, at most
        (templated)
    :param level: that a backup must have been verified at: ``full``, ``directory`` or ``exists`` (templated)
    :param drill_max_age: seconds, or a timedelta, since a restore drill has found a job equal to its source, at
        most; by default no drill is required (templated)
    :param exclude: ids, or wildcards for names, of jobs that need no backup (templated)
    :param report_dir: directory in OBS that an HTML report is written to (templated). Use the same for all runs:
        the page has a chart of the last ones
    :param write_page: whether to write the page of the catalogue too, beside the backups: ``index.html``, which is
        written again by each run (templated)
    :raises DliFailException: if anything is not covered or damaged, or a parameter or the catalogue's connection
        cannot be used; no retry is spent
    :raises DliException: if DLI or OBS cannot be reached or is in trouble; a retry may help
    """

    action = "coverage"
    template_fields: Sequence[str] = (
        "backup_dir",
        "dli_conn_id",
        "catalogue_conn_id",
        "max_age",
        "level",
        "drill_max_age",
        "exclude",
        "report_dir",
        "write_page",
    )
    operator_extra_links = (ObsBucketLink(),)
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        backup_dir: str | XComArg,
        dli_conn_id: Iterable[str] | str | XComArg = DEFAULT_CONN_ID,
        catalogue_conn_id: str | None = None,
        max_age: float | str | timedelta = 93_600,
        level: Level | str = "full",
        drill_max_age: float | str | timedelta | NotGiven = NOT_GIVEN,
        exclude: Iterable[int | str] | int | str | XComArg | None = None,
        report_dir: str | XComArg | None = None,
        write_page: bool | str = False,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.backup_dir = backup_dir
        self.dli_conn_id = dli_conn_id
        self.catalogue_conn_id = catalogue_conn_id
        self.max_age = number_of(max_age)
        self.level = level
        self.drill_max_age = number_of(value_of(drill_max_age))
        self.exclude = exclude
        self.report_dir = report_dir
        self.write_page = write_page
        # A template, XCom or row of a mapping that is None must not turn "these jobs" into "any jobs".
        self.given = names_of(drill_max_age=drill_max_age)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Check all projects and return a summary of each."""
        with observing(self, context):
            from airflow_provider_dli.backups import coverage_report

            options, obs = coverage_report.prepare(self)
            self.begin(context, obs, options.backup_dir.bucket)
            checks = coverage_report.check_projects(options, obs, self.log)
            summary = [check.as_dict() for check in checks]
            for check, row in zip(checks, summary, strict=True):
                for name, value in check.gauges().items():
                    gauge(context, name, value)
                for kind, number in row["problems"].items():
                    count(context, f"dli.coverage.problems.{kind}", number)
            # Also when the task fails: what is not covered is in it.
            self.push_xcoms(context, return_value=summary, uncovered=coverage_report.uncovered(checks))
            if options.write_page:
                coverage_report.write_index(options, obs, self.log)
            if file := coverage_report.write_report(options, obs, checks, context.get("run_id"), self.log):
                self.push_xcoms(context, report_file=file)
            coverage_report.raise_for_problems(checks)
            return summary
