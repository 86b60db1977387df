"""One model for each operator and sensor: all its parameters, read together before anything is sent."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.formatting import excerpt, format_ids
from airflow_provider_dli.parameters import types
from airflow_provider_dli.parameters.types import Kind
from airflow_provider_dli.parameters.values import Nothing, Refused, bare, is_nothing, mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails


class Parameters(BaseModel):
    """What is passed to an operator or sensor; a field with a default is a parameter that may be omitted."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    @classmethod
    def from_operator(cls, operator: object) -> Self:
        """Return the parameters of an operator, or sensor, whose templates are rendered.

        Its ``given`` names those that may be omitted and were not: what rendered to None is not taken for omitted.

        :raises ConfigurationError: naming each parameter that cannot be used
        """
        given = getattr(operator, "given", ())
        values = {}
        for name, field in cls.model_fields.items():
            value = getattr(operator, name)
            if field.is_required() or value is not None or name in given:
                values[name] = value
        return cls.read(values)

    @classmethod
    def read(cls, values: dict[str, Any]) -> Self:
        """Return the parameters.

        :raises ConfigurationError: naming each parameter that cannot be used
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            found = [_failure(cls, each, values) for each in error.errors(include_url=False)]
        # Of a parameter that may be of one of two types pydantic reports both.
        first, *others = {str(each): each for each in found}.values()
        raise ConfigurationError(first.field, first.problem, " | ".join([first.remedy, *map(str, others)]))


def _failure(model: type[BaseModel], error: ErrorDetails, values: Mapping[str, Any]) -> ConfigurationError:
    """Return what is wrong with one parameter, or one field of a selection, of what pydantic has found."""
    # What follows are the types that a value may have.
    path = error["loc"][: 2 if error["loc"][:1] == ("selection",) else 1]
    name = ".".join(str(part) if str(part).isidentifier() else excerpt(part) for part in path)
    owner = Selection if len(path) > 1 else model
    field = owner.model_fields.get(str(path[-1])) if path else None
    remedy = next((each.remedy for each in field.metadata if isinstance(each, Kind)), "") if field else ""
    refused = error.get("ctx", {}).get("error")
    match error["type"]:
        case "extra_forbidden" | "invalid_key":
            return ConfigurationError(name, "is unknown", f"there are {', '.join(Selection.model_fields)}")
        case "missing":
            problem = "is missing"
        case "too_short":
            problem = "names none" if field and field.is_required() else "was given and is empty"
        case _ if isinstance(refused, Nothing) and field and field.is_required():
            problem = "rendered to nothing"
        case _ if isinstance(refused, Refused):
            return ConfigurationError(refused.name or name, refused.problem, refused.remedy or remedy)
        case _:
            # As it was passed, not as pydantic got it.
            problem = f"{excerpt(values.get(name, error['input']))} is not possible"
    return ConfigurationError(name, problem, remedy)


class Selection(Parameters):
    """The filters of a selection; one that is nothing does not filter."""

    name_pattern: types.Patterns = ()
    job_type: types.JobType = None
    status: types.Statuses = ()
    queue_name: types.String = None
    user_name: types.String = None
    tags: types.Tags = ()
    changed_since: types.ChangedSince = None
    exclude: types.Exclusions = ()

    @property
    def empty(self) -> list[str]:
        """The filters that were given, if none of them filters."""
        given = [name for name in Selection.model_fields if name in self.model_fields_set]
        return [] if self.used_filters() else given

    def __str__(self) -> str:
        """Return the filters in a line."""
        return ", ".join(f"{name}={_text(value)}" for name, value in self.used_filters().items()) or "all jobs"

    def used_filters(self) -> dict[str, object]:
        """Return the filters that filter, by name."""
        filters = {name: getattr(self, name) for name in Selection.model_fields}
        return {name: value for name, value in filters.items() if value not in (None, ())}

    @property
    def is_incremental(self) -> bool:
        """Whether jobs are omitted that a backup has as they are."""
        return self.changed_since == "last_backup"

    @property
    def of_project(self) -> Selection:
        """The filters that need no catalogue of backups."""
        return self.model_copy(update={"changed_since": None}) if self.is_incremental else self

    def raise_without_catalogue(self, name: str) -> None:
        """Raise if a filter needs a catalogue of backups.

        :param name: of the parameter
        """
        if self.is_incremental:
            remedy = "give a time, or let DliBackupFlinkJobsOperator select the jobs"
            raise Refused("is 'last_backup', and there is no catalogue of backups", remedy, name)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "|".join("=".join(each) if isinstance(each, tuple) else str(each) for each in value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


_ALL = "for all jobs give selection={} or omit it"
SelectionMapping = Annotated[
    Selection,
    Kind(
        "selection",
        f"give a mapping, such as {{'name_pattern': 'orders_*'}}; {_ALL}",
        lambda value: dict(mapping(value)),
    ),
]


class JobsToExport(Parameters):
    """Which jobs are exported, in which batches, and how many there must be."""

    job_selected: types.SelectedJobs = None
    selection: SelectionMapping = Selection()
    if_empty: types.EmptyChoice
    batch_size: types.PositiveInt
    max_concurrency: types.Concurrency
    expected_min_jobs: types.PositiveInt = 0
    max_missing: types.Count = 1 << 31
    dli_conn_id: types.ConnId
    reconcile_timeout: types.Seconds

    @property
    def chosen(self) -> Selection | None:
        """Which jobs are meant, where there is a selection."""
        return self.selection if "selection" in self.model_fields_set else None

    @property
    def selects_all_jobs(self) -> bool:
        """Whether all jobs are meant, whether by one request or by their ids."""
        return self.job_selected is None and not self.selection.used_filters()

    @property
    def compares_all_jobs(self) -> bool:
        """Whether all jobs are listed and compared with those of before, though perhaps not all are exported."""
        return self.job_selected is None and not self.selection.of_project.used_filters()

    @model_validator(mode="after")
    def _compares(self) -> Self:
        if "expected_min_jobs" in self.model_fields_set and self.job_selected is not None:
            raise Refused("is given together with job_selected", "omit one of the two", "expected_min_jobs")
        if "max_missing" in self.model_fields_set and not self.compares_all_jobs:
            remedy = "omit it, or job_selected and the filters of selection"
            raise Refused("compares exports of all jobs, and these are selected", remedy, "max_missing")
        return self

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.chosen and self.job_selected is not None:
            raise Refused("is given together with job_selected", "omit one of the two", "selection")
        # A form that nobody filled in: all jobs must be meant explicitly.
        if empty := self.selection.empty:
            raise Refused(f"has nothing in {', '.join(empty)}", f"fill one in; {_ALL}", "selection")
        return self


class ExportParameters(JobsToExport):
    """Of :class:`~airflow_provider_dli.operators.export.DliExportFlinkJobsOperator`."""

    obs_dir: types.ExportDirectory
    is_selected: types.OptionalFlag = None
    allow_partial: types.Flag

    @model_validator(mode="before")
    @classmethod
    def _all_jobs(cls, values: dict[str, Any]) -> dict[str, Any]:
        # None together with is_selected=False means all jobs, which a row of a mapping may need.
        flag = bare(values.get("is_selected"))
        is_all = flag is False or (isinstance(flag, str) and flag.lower() == "false")
        if is_all and is_nothing(values.get("job_selected")):
            return {name: value for name, value in values.items() if name != "job_selected"}
        return values

    @model_validator(mode="after")
    def _are_selected(self) -> Self:
        self.selection.raise_without_catalogue("selection.changed_since")
        which = "selection" if self.chosen else "job_selected" if self.job_selected is not None else None
        if self.is_selected and not which:
            raise Refused(
                "is missing although is_selected is True", "name jobs, or omit is_selected", "job_selected"
            )
        if self.is_selected is False and which:
            raise Refused(f"is False although {which} names jobs", "omit one of the two", "is_selected")
        return self


class VerifyParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.verify.DliVerifyFlinkExportOperator`."""

    zip_file: types.ArchivesOrDirectories
    dli_conn_id: types.ConnId
    level: types.LevelChoice
    expected_jobs: types.ExpectedJobs = ()
    min_entries: types.PositiveInt
    max_age: types.MaxAge = float("inf")
    report_dir: types.ReportDirectory = None
    timeout: types.Seconds
    poll_interval: types.PositiveSeconds
    max_concurrency: types.Concurrency

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.level == "exists" and (self.expected_jobs or self.min_entries > 1):
            name = "expected_jobs" if self.expected_jobs else "min_entries"
            raise Refused("cannot be checked at level 'exists'", "give level 'full'", name)
        return self


class VerifyBackupsParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.verify.DliVerifyBackupsOperator`."""

    backup_dir: types.CatalogueDirectory
    project_ids: types.ProjectIds = ()
    max_bytes: types.Size = None
    max_age: types.ProofAge = 0.0
    report_dir: types.ReportDirectory = None
    dli_conn_id: types.ConnId


class DrillParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.drill.DliDrillBackupsOperator`."""

    backup_dir: types.CatalogueDirectory
    scratch_conn_id: types.ConnId
    project_id: types.ProjectId = None
    sample: types.PositiveInt
    drill_window: types.PositiveSeconds
    time_limit: types.TimeLimit = float("inf")
    staging_dir: types.StagingDirectory = None
    report_dir: types.ReportDirectory = None
    dli_conn_id: types.ConnId


class BackupParameters(JobsToExport):
    """Of :class:`~airflow_provider_dli.operators.backup.DliBackupFlinkJobsOperator`."""

    backup_dir: types.CatalogueDirectory
    expected_jobs: types.JobsOfBackup
    level: types.LevelChoice
    keep_settings: types.Flag
    timeout: types.Seconds
    poll_interval: types.PositiveSeconds

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.level == "exists" and not isinstance(self.expected_jobs, str):
            raise Refused("cannot be checked at level 'exists'", "give level 'full'", "expected_jobs")
        return self

    @property
    def selected(self) -> str:
        """Which jobs are to be backed up, in words."""
        return (
            str(self.selection) if self.job_selected is None else f"job_selected={format_ids(self.job_selected)}"
        )


class ImportParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.restore.DliImportFlinkJobsOperator`."""

    zip_file: types.ImportSource
    is_cover: types.Flag
    expected_jobs: types.ExpectedJobs = ()
    on_conflict: types.ConflictChoice
    verify_archive: types.Flag
    dli_conn_id: types.ConnId
    source_conn_id: types.OptionalConnId = None
    staging_dir: types.StagingDirectory = None
    plan_only: types.Flag
    reconcile_timeout: types.Seconds

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        name = self.zip_file.directory.key.rpartition("/")[2]
        if self.staging_dir and self.staging_dir.longest < types.STAGING_SUBDIRECTORY + len(name.encode()):
            raise Refused(f"has no room for a directory and {excerpt(name)}", "give a shorter one", "staging_dir")
        return self


class RestoreParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.restore.DliRestoreFlinkJobsOperator`."""

    backup_dir: types.CatalogueDirectory
    as_of: types.PointInTime = None
    backup_id: types.BackupId = None
    project_id: types.ProjectId = None
    job_names: types.RestoredNames = ()
    job_ids: types.RestoredIds = ()
    on_conflict: types.RestoreConflictChoice
    level: types.LevelChoice
    verify_archive: types.Flag
    dli_conn_id: types.ConnId
    source_conn_id: types.OptionalConnId = None
    staging_dir: types.StagingDirectory = None
    plan_only: types.Flag
    reconcile_timeout: types.Seconds

    @property
    def selects_all_jobs(self) -> bool:
        """Whether the whole backup is meant; a trigger form may give ``*`` for it."""
        return not self.job_ids and {*self.job_names} <= {"*"}

    @model_validator(mode="after")
    def _one_backup(self) -> Self:
        if self.as_of and self.backup_id:
            raise Refused("is given together with backup_id", "omit one of the two", "as_of")
        return self


class CompareParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.restore.DliCompareFlinkJobsOperator`."""

    job_mapping: types.JobMapping
    source_conn_id: types.ConnId
    dli_conn_id: types.ConnId
    report_dir: types.ReportDirectory = None
    show_values: types.Flag


class PromoteParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.restore.DliPromoteFlinkJobsOperator`."""

    job_ids: types.JobIds
    source_conn_id: types.ConnId
    dli_conn_id: types.ConnId
    queues: types.Strings = {}
    replacements: types.Strings = {}
    plan_only: types.Flag


class CopyParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.copying.DliCopyBackupsOperator`."""

    backup_dir: types.CatalogueDirectory
    target_dir: types.CatalogueDirectory
    dli_conn_id: types.ConnId
    target_conn_id: types.OptionalConnId = None
    project_ids: types.ProjectIds = ()
    newest: types.AllOrPositiveInt
    level: types.LevelChoice

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.target_dir == self.backup_dir and self.target_conn_id in (None, self.dli_conn_id):
            raise Refused("is backup_dir itself", "give another bucket, or another directory", "target_dir")
        return self


class ListParameters(Selection):
    """Of :class:`~airflow_provider_dli.operators.jobs.DliListFlinkJobsOperator`."""

    if_empty: types.EmptyChoice
    dli_conn_id: types.ConnId

    @model_validator(mode="after")
    def _filters(self) -> Self:
        self.raise_without_catalogue("changed_since")
        if empty := self.empty:
            verb = "was given and filters" if len(empty) == 1 else "were given and filter"
            raise Refused(f"{verb} nothing", "fill one in; for all jobs omit every filter", ", ".join(empty))
        return self


class CoverageParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.coverage.DliCheckBackupCoverageOperator`."""

    backup_dir: types.CatalogueDirectory
    dli_conn_id: types.ConnIds
    catalogue_conn_id: types.OptionalConnId = None
    max_age: types.PositiveSeconds
    level: types.LevelChoice
    drill_max_age: types.DrillAge = float("inf")
    exclude: types.Exclusions = ()
    report_dir: types.ReportDirectory = None
    write_page: types.Flag


class NamedJobs(Parameters):
    """Jobs that are named, never all."""

    if_empty: types.EmptyChoice
    job_ids: types.JobIdsOrNone
    dli_conn_id: types.ConnId

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.if_empty == "fail" and not self.job_ids:
            raise Refused("names no job", "name jobs, or give if_empty='skip' or 'succeed'", "job_ids")
        return self


class DeleteParameters(NamedJobs):
    """Of :class:`~airflow_provider_dli.operators.jobs.DliDeleteFlinkJobsOperator`."""


class ActionParameters(NamedJobs):
    """What the operators share that change the state of jobs and wait for it."""

    wait_for_completion: types.Flag
    timeout: types.Seconds
    poll_interval: types.PositiveSeconds
    status_grace_period: types.Seconds


class RunParameters(ActionParameters):
    """Of :class:`~airflow_provider_dli.operators.jobs.DliRunFlinkJobsOperator`."""

    resume_savepoint: types.Flag
    target_state: types.RunTargetChoice
    stop_on_kill: types.Flag


class StopParameters(ActionParameters):
    """Of :class:`~airflow_provider_dli.operators.jobs.DliStopFlinkJobsOperator`."""

    trigger_savepoint: types.Flag


class SavepointParameters(ActionParameters):
    """Of :class:`~airflow_provider_dli.operators.jobs.DliSavepointFlinkJobsOperator`."""

    savepoint_path: types.SavepointDirectory = None


class Retention(Parameters):
    """Which backups of a project to keep: those that any of the rules keeps."""

    keep_last: types.Keep
    keep_daily: types.Keep
    keep_weekly: types.Keep
    keep_monthly: types.Keep
    keep_yearly: types.Keep
    keep_within: types.Seconds
    timezone: types.TimeZone

    @model_validator(mode="after")
    def _keeps(self) -> Self:
        if not self.rules:
            names = ", ".join(name for name in Retention.model_fields if name.startswith("keep_"))
            raise Refused("is 0, and so are all rules: none would be kept", f"give one of {names}", "keep_last")
        return self

    @property
    def rules(self) -> dict[str, int | float]:
        """The rules that are applied, by name."""
        values = {name: getattr(self, name) for name in Retention.model_fields if name.startswith("keep_")}
        return {name: value for name, value in values.items() if value}

    def __str__(self) -> str:
        """Return the rules in a line."""
        rules = [f"{name}={value:g}" for name, value in self.rules.items()]
        return ", ".join([*rules, f"timezone={self.timezone}"])


class ExpireParameters(Retention):
    """Of :class:`~airflow_provider_dli.operators.retention.DliExpireBackupsOperator`."""

    backup_dir: types.CatalogueDirectory
    plan_only: types.Flag
    dli_conn_id: types.ConnId


class ArchiveSensorParameters(Parameters):
    """Of :class:`~airflow_provider_dli.sensors.dli.DliExportArchiveSensor`."""

    zip_file: types.Archives
    dli_conn_id: types.ConnId
    level: types.SensorLevelChoice
    inactivity_period: types.Seconds


class JobSensorParameters(Parameters):
    """Of :class:`~airflow_provider_dli.sensors.dli.DliFlinkJobSensor`."""

    job_ids: types.JobIds
    target_state: types.TargetStateChoice
    status_grace_period: types.Seconds
    dli_conn_id: types.ConnId
