"""Verify archives of exported Flink jobs, and the backups of a catalogue again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.assets.obs import add_asset_events
from airflow_provider_dli.compat import conf
from airflow_provider_dli.formatting import format_ids
from airflow_provider_dli.lineage import Lineage, obs_dataset
from airflow_provider_dli.links.dli import ObsBucketLink
from airflow_provider_dli.metrics import count, observing
from airflow_provider_dli.operators.base import DeferrableOperator, DliBaseOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, NOT_GIVEN, NotGiven, names_of, number_of, value_of
from airflow_provider_dli.triggers.deferral import event_status, seconds_left

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_dli.compat import Context, XComArg
    from airflow_provider_dli.parameters import Level


class DliVerifyFlinkExportOperator(DeferrableOperator):
    """Verify archives of exported Flink jobs by reading each of them to its last byte.

    Waits until each archive is in OBS, then reads it in ranges, never on disk: structure, checksums, sizes and
    that every JSON file in it parses. Success proves that each archive is intact; a failure lists every defect of
    every archive.

    Pushes a report on each archive as ``return_value``, also when the task fails.

    .. seealso::
        :doc:`Verify archives </docs/operators/verify>`: levels, findings, retries, XComs, permissions.

    :param zip_file: the archives: one entry ``bucket/key``, a list of them, or ``export.output`` (templated). Of a
        directory, such as ``bucket/directory/``, all archives in it are verified, at any depth
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param level: how much is read: ``full``, every byte; ``directory``, two or three ranges at the end;
        ``exists``, nothing (templated)
    :param expected_jobs: ids or names of jobs, as ``job_selected`` of the export takes them; each must be found in
        one of the archives (templated). Where DLI keeps them is not documented: names, JSON, text and archives in
        it are searched
    :param min_entries: fewest entries of each archive, directories not counted (templated)
    :param max_age: seconds, or a timedelta, since an archive was written, at most; None for any age (templated)
    :param report_dir: directory in OBS that an HTML report is written to (templated). Use the same for all runs:
        the page has a chart of the last ones
    :param timeout: seconds to wait, in all, for archives that do not exist yet (templated)
    :param poll_interval: seconds between two polls (templated)
    :param max_concurrency: archives that are read at a time, 1 to 32 (templated)
    :param deferrable: wait on the triggerer, and take a worker only to read; by default Airflow's
        ``[operators] default_deferrable``
    :raises DliFailException: if an archive is damaged, or a parameter, the connection or the bucket cannot be
        used; no retry is spent
    :raises DliException: if an archive did not appear in time or OBS is in trouble; a retry may help
    """

    action = "verify"
    template_fields: Sequence[str] = (
        "zip_file",
        "dli_conn_id",
        "level",
        "expected_jobs",
        "min_entries",
        "max_age",
        "report_dir",
        "timeout",
        "poll_interval",
        "max_concurrency",
    )
    operator_extra_links = (ObsBucketLink(),)
    ui_color = "#d9ead3"

    def __init__(  # noqa: PLR0913 -- by name, as Airflow's
        self,
        *,
        zip_file: Iterable[str | XComArg] | str | XComArg,
        dli_conn_id: str = DEFAULT_CONN_ID,
        level: Level | str = "full",
        expected_jobs: Iterable[int | str] | int | str | XComArg | NotGiven = NOT_GIVEN,
        min_entries: int | str = 1,
        max_age: float | str | timedelta | NotGiven = NOT_GIVEN,
        report_dir: str | XComArg | None = None,
        timeout: float | str | timedelta = 600,
        poll_interval: float | str | timedelta = 10,
        max_concurrency: int | str = 4,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.zip_file = zip_file
        self.dli_conn_id = dli_conn_id
        self.level = level
        self.expected_jobs = value_of(expected_jobs)
        self.min_entries = number_of(min_entries)
        self.max_age = number_of(value_of(max_age))
        self.report_dir = report_dir
        self.timeout = number_of(timeout)
        self.poll_interval = number_of(poll_interval)
        self.max_concurrency = number_of(max_concurrency)
        self.deferrable = deferrable
        # A template, XCom or row of a mapping that is None must not turn "these jobs" into "any jobs".
        self.given = names_of(expected_jobs=expected_jobs, max_age=max_age)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Verify the archives and return a report on each."""
        with observing(self, context):
            return self._verify(context, None)

    def execute_complete(self, context: Context, event: Any = None) -> list[dict[str, Any]]:  # noqa: ANN401 -- the trigger's
        """Verify the archives after the wait on the triggerer."""
        status = event_status(event)
        self.log.info("The wait on the triggerer is over: %s.", "all exist" if status == "done" else "timeout")
        # What is missing at the end of the wait stays missing; a poll that fails has the rest of the time.
        left = seconds_left(event, "left") if status == "done" else None
        return self._verify(context, left or 0.0)

    def _verify(self, context: Context, timeout: float | None) -> list[dict[str, Any]]:
        """Verify the archives; the timeout is None before any wait, which may be on the triggerer."""
        from airflow_provider_dli.services import verify
        from airflow_provider_dli.services.late_archives import find_late_archives

        options, hook = verify.prepare(self)
        self.begin(context, hook, options.zip_file[0].bucket)
        places = options.zip_file
        if timeout is None and self.deferrable and (missing := verify.find_missing(hook, places, self.log)):
            self.log.info("Waiting on the triggerer for %s.", format_ids([place.url for place in missing]))
            limits = self.wait_limits(hook, options.timeout)
            others = {"directories": True, **limits}
            self.defer_to(verify.wait_trigger(missing, options.dli_conn_id, options.poll_interval, **others))
        reports = verify.verify_archives(
            hook,
            places,
            verify.VerifyOptions(options.level, options.expected_jobs, options.min_entries, options.max_age),
            self.log,
            max_concurrency=options.max_concurrency,
            timeout=options.timeout if timeout is None else timeout,
            poll_interval=options.poll_interval,
        )
        results = [report.as_dict() for report in reports]
        intact = [report for report in reports if report.facts and report.verified]
        # Nothing is read of an archive that only exists.
        if options.level != "exists":
            count(context, "dli.verify.archives", len(intact))
        if options.level == "full":
            count(context, "dli.verify.bytes", sum(report.facts.size for report in intact if report.facts))
        count(context, "dli.verify.defective", len(reports) - len(intact))
        self.lineage = Lineage(inputs=[report.dataset for report in reports])
        # Also when the task fails: the findings are in it.
        self.push_xcoms(context, return_value=results)
        if options.expected_jobs:
            self.push_xcoms(context, missing_jobs=verify.missing_jobs(reports))
        if late := find_late_archives(hook, context, [report.place for report in reports], self.log):
            self.push_xcoms(context, late_archives=late)
        if file := verify.write_report(hook, options, reports, context.get("run_id"), self.log):
            self.lineage = replace(self.lineage, outputs=[obs_dataset(file)])
            self.push_xcoms(context, report_file=file)
        verify.raise_for_failures(reports)
        add_asset_events(context, self.outlets, {str(report.place): report.proof for report in reports})
        return results


class DliVerifyBackupsOperator(DliBaseOperator):
    """Verify the backups of a catalogue again, those first whose last verification is oldest.

    Reads every byte of their archives, compares each SHA-256 with that of the manifest, and adds a record of the
    outcome to each backup, so that a retry, and the next run, go on with the next one. A backup that is damaged is
    reported by every run, and read again only after one of its objects was written.

    Pushes a summary as ``return_value``, also when the task fails.

    .. seealso::
        :doc:`Verify backups again </docs/operators/verify-backups>`: order, budget, findings, XComs, permissions.

    :param backup_dir: the catalogue: bucket, or bucket and directory, as the backup has it (templated)
    :param project_ids: ids of projects whose backups are verified; omit it for all in the catalogue (templated)
    :param max_bytes: how much to read in a run: bytes, or a string such as ``50 GiB``; None for no limit
        (templated). A larger backup is read when it is the first one
    :param max_age: seconds, or a timedelta: only backups whose last verification is older are verified again; omit
        it for all (templated)
    :param report_dir: directory in OBS that an HTML report is written to (templated). Use the same for all runs:
        the page has a chart of the last ones
    :param dli_conn_id: connection of type ``dli`` (templated)
    :raises DliFailException: if a backup is damaged, or a parameter, the connection or the bucket cannot be used;
        no retry is spent
    :raises DliException: if OBS is in trouble; a retry may help
    """

    action = "verify_backups"
    template_fields: Sequence[str] = (
        "backup_dir",
        "project_ids",
        "max_bytes",
        "max_age",
        "report_dir",
        "dli_conn_id",
    )
    operator_extra_links = (ObsBucketLink(),)
    ui_color = "#d9ead3"
    on_kill_message = (
        "Backups that were verified so far have their records; the next attempt goes on with the others."
    )

    def __init__(
        self,
        *,
        backup_dir: str | XComArg,
        project_ids: Iterable[str] | str | XComArg | None = None,
        max_bytes: int | str | None = "50 GiB",
        max_age: float | str | timedelta | None = None,
        report_dir: str | XComArg | None = None,
        dli_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.backup_dir = backup_dir
        self.project_ids = project_ids
        self.max_bytes = number_of(max_bytes)
        self.max_age = number_of(max_age)
        self.report_dir = report_dir
        self.dli_conn_id = dli_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Verify the backups and return a summary."""
        with observing(self, context):
            from airflow_provider_dli.backups import verification
            from airflow_provider_dli.backups.manifest import Run

            options, catalogue = verification.prepare(self)
            self.begin(context, catalogue.obs, options.backup_dir.bucket)
            outcome = verification.verify_backups(options, catalogue, Run.of(context), self.log)
            count(context, "dli.verify_backups.backups", len(outcome.verified))
            count(context, "dli.verify_backups.bytes", outcome.bytes_read)
            count(context, "dli.verify_backups.damaged", len(outcome.damaged))
            self.lineage = Lineage(inputs=outcome.datasets)
            self.push_xcoms(context, return_value=outcome.as_dict())
            if file := verification.write_report(options, catalogue, outcome, context.get("run_id"), self.log):
                self.lineage = replace(self.lineage, outputs=[obs_dataset(file)])
                self.push_xcoms(context, report_file=file)
            verification.raise_for_failures(outcome)
            return outcome.as_dict()
