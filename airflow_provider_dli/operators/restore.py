"""Import Flink jobs from archives, compare them with their sources, and promote jobs to another project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.lineage import Lineage, jobs_dataset, obs_dataset
from airflow_provider_dli.links.dli import DliConsoleLink, ObsBucketLink
from airflow_provider_dli.metrics import count, observing
from airflow_provider_dli.operators.base import DliBaseOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, NOT_GIVEN, NotGiven, names_of, number_of, value_of
from airflow_provider_dli.task_state import TaskState

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from airflow_provider_dli.compat import Context, XComArg
    from airflow_provider_dli.parameters import Level


class DliImportFlinkJobsOperator(DliBaseOperator):
    """Import the Flink jobs of an archive into a DLI project, as drafts.

    The archive is verified first. The outcome for each job is determined from DLI's response and from the
    project's list of jobs afterwards.

    Pushes the jobs as ``return_value``, and ``job_ids``, ``created`` and ``not_in_response``, also when the task
    fails.

    .. seealso::
        :doc:`Import Flink jobs </docs/operators/import>`: conflicts, other projects, XComs, permissions.

    :param zip_file: an archive as the export returned it, ``bucket/key``, or a directory that contains archives
        and nothing else; a list must have one entry (templated)
    :param is_cover: True to replace jobs of the same names (templated)
    :param expected_jobs: ids (those of the archive) or names of jobs that must be imported (templated)
    :param on_conflict: if a job of the same name exists and is not replaced: ``fail``, or ``keep`` to keep it as
        it is (templated)
    :param verify_archive: False to import from an archive without verifying it (templated)
    :param dli_conn_id: connection of type ``dli`` of the project to import into (templated)
    :param source_conn_id: connection that may read the archive, if it is another one: that of another project,
        account or region (templated)
    :param staging_dir: directory in OBS that the archives are copied to first, where the target project can read
        them (templated): within OBS if the keys of ``dli_conn_id`` may read the source, otherwise through the
        worker. The copies are verified. Runs may share it: each set of archives gets a subdirectory of its own
    :param plan_only: True to import nothing: verify the archive, and log which of the expected names exist
        (templated)
    :param reconcile_timeout: seconds to check for new jobs after a response was lost (templated)
    :raises DliFailException: if a parameter or a connection cannot be used, the archive is damaged, DLI refuses
        the request, or a job was not imported; without further retries
    :raises DliException: if DLI or OBS is unreachable or in trouble; a retry may help
    """

    action = "import"
    template_fields: Sequence[str] = (
        "zip_file",
        "is_cover",
        "expected_jobs",
        "on_conflict",
        "verify_archive",
        "dli_conn_id",
        "source_conn_id",
        "staging_dir",
        "plan_only",
        "reconcile_timeout",
    )
    operator_extra_links = (DliConsoleLink(),)
    ui_color = "#d9ead3"
    on_kill_message = (
        "An import that was requested goes on in DLI and may create jobs; the next attempt checks for them."
    )

    def __init__(  # noqa: PLR0913 -- by name, as Airflow's
        self,
        *,
        zip_file: Iterable[str | XComArg] | str | XComArg,
        is_cover: bool | str = False,
        expected_jobs: Iterable[int | str] | int | str | XComArg | NotGiven = NOT_GIVEN,
        on_conflict: str = "fail",
        verify_archive: bool | str = True,
        dli_conn_id: str = DEFAULT_CONN_ID,
        source_conn_id: str | None = None,
        staging_dir: str | XComArg | None = None,
        plan_only: bool | str = False,
        reconcile_timeout: float | str | timedelta = 60,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.zip_file = zip_file
        self.is_cover = is_cover
        self.expected_jobs = value_of(expected_jobs)
        self.on_conflict = on_conflict
        self.verify_archive = verify_archive
        self.dli_conn_id = dli_conn_id
        self.source_conn_id = source_conn_id
        self.staging_dir = staging_dir
        self.plan_only = plan_only
        self.reconcile_timeout = number_of(reconcile_timeout)
        # A template, XCom or row of a mapping that is None must not turn "these jobs" into "any jobs".
        self.given = names_of(expected_jobs=expected_jobs)

    def execute(self, context: Context) -> list[dict[str, Any]] | None:
        """Import the jobs; return a row for each, None if they are too large for an XCom."""
        with observing(self, context):
            from airflow_provider_dli.services import restore

            options, target, obs = restore.prepare(self)
            self.begin(context, target)
            if options.plan_only:
                restore.plan(options, target, obs, self.log)
                return []
            state = TaskState(context, "dli_import")
            outcome = restore.import_jobs(options, target, obs, state, self.log)
            result = self.rows_for_xcom([asdict(job) for job in outcome.jobs])
            mapping = {str(job.old_job_id): job.new_job_id for job in outcome.jobs if job.new_job_id}
            job_ids = list(mapping.values())
            count(context, "dli.import.jobs", len(job_ids))
            self.push_xcoms(
                context,
                **result,
                created=list(outcome.created),
                job_ids=job_ids,
                not_in_response=outcome.not_in_response,
            )
            self.lineage = Lineage(
                inputs=[obs_dataset(str(archive)) for archive in outcome.archives.places],
                outputs=[jobs_dataset(target)],
                facts={
                    "region": target.account.region,
                    "projectId": target.project_id,
                    "jobIds": job_ids or None,
                    "failedJobIds": [job.old_job_id for job in outcome.jobs if job.is_conflict],
                    "jobMapping": mapping,
                },
            )
            restore.raise_for_failures(outcome, options, state)
            return result.get("return_value")


class DliRestoreFlinkJobsOperator(DliBaseOperator):
    """Restore Flink jobs of a DLI project from the catalogue of its backups, as they were at a point in time.

    The newest usable backup of that time is compared with the project: jobs that are missing are created, as
    drafts, jobs that are as in the backup stay as they are, and ``on_conflict`` decides about the others. So
    restoring twice does no more than once. Afterwards each setting of each job is compared with the backup.

    Pushes the selected jobs as ``return_value``, and ``plan``, ``backup_id``, ``job_ids``, ``created``,
    ``deleted``, ``not_in_backup`` and ``comparison``, also when the task fails.

    .. seealso::
        :doc:`Restore Flink jobs </docs/operators/restore>`: what is planned, some of the jobs, XComs, permissions.

    :param backup_dir: directory in OBS of the catalogue, ``bucket`` or ``bucket/directory`` (templated)
    :param as_of: time as a string in ISO 8601 or a datetime, without time zone in UTC (templated): the newest
        usable backup whose export was complete by then; omit it for now
    :param backup_id: a certain backup instead, by the name of its directory (templated)
    :param project_id: project that the backups are of, if it is not that of ``dli_conn_id`` (templated)
    :param job_names: wildcards for the names of the jobs to restore (templated); by default, without ``job_ids``,
        all
    :param job_ids: ids, in the backup, of jobs to restore, beside those of ``job_names`` (templated)
    :param on_conflict: if a job of the same name exists that is not as in the backup: ``fail``, so that nothing is
        restored, ``keep`` to keep it, or ``replace`` to replace it, which cannot be undone (templated)
    :param level: that the backup must have been verified at when it was made: ``exists``, ``directory`` or
        ``full`` (templated)
    :param verify_archive: False to import without reading the archives before (templated)
    :param dli_conn_id: connection of type ``dli`` of the project to restore into (templated)
    :param source_conn_id: connection that may read the catalogue, if it is another one: that of another account or
        region (templated)
    :param staging_dir: directory in OBS that archives are copied to first, where the target project can read them
        (templated); see :class:`DliImportFlinkJobsOperator`
    :param plan_only: True to restore nothing: log and push the plan (templated)
    :param reconcile_timeout: seconds to check for new jobs after a response was lost (templated)
    :raises DliFailException: if a parameter or a connection cannot be used, there is no usable backup, it is
        damaged, a job is in the way, DLI refuses, or a job is not as in the backup; without further retries
    :raises DliException: if DLI or OBS is unreachable or in trouble; a retry may help
    """

    action = "restore"
    template_fields: Sequence[str] = (
        "backup_dir",
        "as_of",
        "backup_id",
        "project_id",
        "job_names",
        "job_ids",
        "on_conflict",
        "level",
        "verify_archive",
        "dli_conn_id",
        "source_conn_id",
        "staging_dir",
        "plan_only",
        "reconcile_timeout",
    )
    operator_extra_links = (ObsBucketLink(), DliConsoleLink())
    ui_color = "#d9ead3"
    on_kill_message = "An import that was requested goes on in DLI; the next attempt goes on with its archive."

    def __init__(  # noqa: PLR0913 -- by name, as Airflow's
        self,
        *,
        backup_dir: str | XComArg,
        as_of: datetime | str | XComArg | None = None,
        backup_id: str | XComArg | None = None,
        project_id: str | None = None,
        job_names: Iterable[str] | str | XComArg | NotGiven = NOT_GIVEN,
        job_ids: Iterable[int | str] | int | str | XComArg | NotGiven = NOT_GIVEN,
        on_conflict: str = "fail",
        level: Level | str = "exists",
        verify_archive: bool | str = True,
        dli_conn_id: str = DEFAULT_CONN_ID,
        source_conn_id: str | None = None,
        staging_dir: str | XComArg | None = None,
        plan_only: bool | str = False,
        reconcile_timeout: float | str | timedelta = 60,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.backup_dir = backup_dir
        self.as_of = as_of
        self.backup_id = backup_id
        self.project_id = project_id
        self.job_names = value_of(job_names)
        self.job_ids = value_of(job_ids)
        self.on_conflict = on_conflict
        self.level = level
        self.verify_archive = verify_archive
        self.dli_conn_id = dli_conn_id
        self.source_conn_id = source_conn_id
        self.staging_dir = staging_dir
        self.plan_only = plan_only
        self.reconcile_timeout = number_of(reconcile_timeout)
        # A template, XCom or row of a mapping that is None must not turn "these jobs" into "all jobs".
        self.given = names_of(job_names=job_names, job_ids=job_ids)

    def execute(self, context: Context) -> list[dict[str, Any]] | None:
        """Restore the jobs; return a row for each, None if they are too large for an XCom."""
        with observing(self, context):
            from airflow_provider_dli.backups import restore, restore_plan

            options, target, catalogue = restore.prepare(self)
            self.begin(context, target, options.backup_dir.bucket, catalogue.obs.account.region)
            backup, progress = restore.begin(options, target, catalogue, context, self.log)
            with restore.reading(options, catalogue, backup, context, self.log):
                plan = restore_plan.make_plan(options, catalogue, backup, target, progress, self.log)
                plan.log(self.log)
                pushed = plan.as_dict()
                self.push_xcoms(
                    context, plan=pushed, backup_id=backup.backup_id, not_in_backup=pushed["not_in_backup"]
                )
                if options.plan_only:
                    return restore.verified(plan, context, self.log)
                plan.raise_for_problems()
                try:
                    restoration = restore.apply(plan, progress, context, self.log)
                finally:
                    self.push_xcoms(context, created=progress.created, deleted=progress.deleted)
            rows = restoration.rows()
            result = self.rows_for_xcom(rows)
            count(context, "dli.restore.jobs", restoration.restored)
            self.push_xcoms(
                context,
                **result,
                job_ids=restoration.job_ids,
                comparison=restoration.comparison(),
            )
            self.lineage = Lineage(
                inputs=[obs_dataset(str(backup.archive(archive))) for archive, _ in plan.archives],
                outputs=[jobs_dataset(target)],
                facts={
                    "region": target.account.region,
                    "projectId": target.project_id,
                    "jobIds": restoration.job_ids or None,
                    "jobMapping": {str(each["old_job_id"]): each["new_job_id"] for each in rows},
                },
            )
            restoration.raise_for_failures()
            return result.get("return_value")


class DliCompareFlinkJobsOperator(DliBaseOperator):
    """Compare restored Flink jobs with their sources, each setting of each job.

    Ids, people, times and state are a job's own and not compared. A value that DLI fills in by itself equals
    none; see :mod:`airflow_provider_dli.client.flink.settings`.

    Pushes the comparison of each job as ``return_value``, and ``report`` and ``report_file``, also when the task
    fails.

    .. seealso::
        :doc:`Compare restored jobs </docs/operators/compare>`: what is compared and shown, XComs, permissions.

    :param job_mapping: what the import pushed, or a mapping of old to new ids, or either as a string (templated).
        A job that the import omitted is a failure, and so is one that is its own source
    :param source_conn_id: connection of the project that the jobs were exported from (templated)
    :param dli_conn_id: connection of the project that they were imported into (templated)
    :param report_dir: directory in OBS, of ``source_conn_id``, for a report as one HTML file (templated). Use the
        same for all runs: the page shows the last ones
    :param show_values: True to show whole values in log, XCom and report (templated). **They may contain
        secrets**: the SQL of many jobs contains passwords
    :raises DliFailException: if a job differs or is missing, or its source is; without further retries
    :raises DliException: if DLI or OBS is unreachable or in trouble; a retry may help
    """

    action = "compare"
    template_fields: Sequence[str] = ("job_mapping", "source_conn_id", "dli_conn_id", "report_dir", "show_values")
    template_fields_renderers = {"job_mapping": "json"}  # noqa: RUF012 -- as Airflow declares it
    operator_extra_links = (ObsBucketLink(), DliConsoleLink())
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        job_mapping: Iterable[Mapping[str, Any]] | Mapping[int, int] | str | XComArg,
        source_conn_id: str = DEFAULT_CONN_ID,
        dli_conn_id: str = DEFAULT_CONN_ID,
        report_dir: str | XComArg | None = None,
        show_values: bool | str | XComArg = False,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.job_mapping = job_mapping
        self.source_conn_id = source_conn_id
        self.dli_conn_id = dli_conn_id
        self.report_dir = report_dir
        self.show_values = show_values

    def execute(self, context: Context) -> list[dict[str, Any]] | None:
        """Compare the jobs; return a row for each, None if they are too large for an XCom."""
        with observing(self, context):
            from airflow_provider_dli.services import compare

            options, source, target = compare.prepare(self)
            bucket = options.report_dir.bucket if options.report_dir else None
            self.begin(context, target, bucket, source.account.region)
            comparisons = compare.compare_jobs(
                source, target, options.job_mapping, self.log, show_values=options.show_values
            )
            inputs = [jobs_dataset(source), jobs_dataset(target)]
            self.lineage = Lineage(inputs)
            result = self.rows_for_xcom([each.as_dict() for each in comparisons])
            self.push_xcoms(context, **result, report=compare.markdown(comparisons))
            file = compare.write_report(options, source, target, comparisons, context.get("run_id"), self.log)
            if file:
                self.lineage = Lineage(inputs, [obs_dataset(file)])
            self.push_xcoms(context, report_file=file)
            compare.raise_for_failures(comparisons)
            return result.get("return_value")


class DliPromoteFlinkJobsOperator(DliBaseOperator):
    """Promote Flink jobs from one DLI project to another, such as from test to production.

    Each job is compared with the one of its name in the target: created if there is none, updated if it differs,
    otherwise unchanged. So promoting twice does no more than once. A running job cannot be updated: stop it
    first.

    Pushes what was done for each job as ``return_value``, and ``job_ids`` and ``to_stop``.

    .. seealso::
        :doc:`Promote Flink jobs </docs/operators/promote>`: what is carried over, XComs, permissions.

    :param job_ids: the jobs in the source (templated)
    :param source_conn_id: connection of the project to promote from (templated)
    :param dli_conn_id: connection of the project to promote into (templated)
    :param queues: queue in the source to queue in the target (templated)
    :param replacements: string to string, in every setting that is a string: SQL, buckets, endpoints (templated).
        One that is found in none of the jobs is an error
    :param plan_only: True to change nothing: return what would be done (templated)
    :raises DliFailException: if a parameter or a connection cannot be used, a job that is to be updated runs, or
        DLI refuses the request; without further retries
    :raises DliException: if DLI is unreachable or in trouble; a retry may help
    """

    action = "promote"
    template_fields: Sequence[str] = (
        "job_ids",
        "source_conn_id",
        "dli_conn_id",
        "queues",
        "replacements",
        "plan_only",
    )
    template_fields_renderers = {"queues": "json", "replacements": "json"}  # noqa: RUF012 -- as Airflow declares it
    operator_extra_links = (DliConsoleLink(),)
    ui_color = "#fff2cc"
    on_kill_message = "Jobs that were created or updated so far stay; the next attempt compares them again."

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        source_conn_id: str,
        dli_conn_id: str = DEFAULT_CONN_ID,
        queues: Mapping[str, str] | str | XComArg | NotGiven = NOT_GIVEN,
        replacements: Mapping[str, str] | str | XComArg | NotGiven = NOT_GIVEN,
        plan_only: bool | str = False,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.source_conn_id = source_conn_id
        self.dli_conn_id = dli_conn_id
        self.queues = value_of(queues)
        self.replacements = value_of(replacements)
        self.plan_only = plan_only
        # One that renders to None must not promote the settings of the source as they are.
        self.given = names_of(queues=queues, replacements=replacements)

    def execute(self, context: Context) -> list[dict[str, Any]] | None:
        """Promote the jobs; return a row for each, None if they are too large for an XCom."""
        with observing(self, context):
            from airflow_provider_dli.services import promote

            options, source, target = promote.prepare(self)
            self.begin(context, target)
            steps = promote.plan(options, source, target, self.log)
            # Before anything is changed: if a running job must be stopped first, the task fails, and this names
            # it.
            self.push_xcoms(context, to_stop=[job.job_id for job in promote.jobs_to_stop(steps)])
            if options.plan_only:
                self.log.info("Plan only: nothing is changed.")
                result = promote.planned(steps)
            else:
                result = promote.apply(target, steps, self.log)
            self.push_xcoms(context, job_ids=[each["job_id"] for each in result if each["job_id"]])
            return self.rows_for_xcom(result).get("return_value")
