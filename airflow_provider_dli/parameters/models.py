"""One model for each operator and sensor: all its parameters, read together before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.excerpt import excerpt
from airflow_provider_dli.parameters import NOT_GIVEN, filters, kinds
from airflow_provider_dli.parameters.kinds import Kind
from airflow_provider_dli.parameters.values import Refused, is_nothing, mapping, what_of_nothing
from airflow_provider_dli.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

#: parameters whose attribute has another name, since Airflow has a method of that name
_ATTRIBUTES = {"dry_run": "is_dry_run"}


class Parameters(BaseModel):
    """What an operator or sensor is given; a field with a default is a parameter that may be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    @classmethod
    def from_operator(cls, operator: object) -> Self:
        """Return the parameters of an operator, or sensor, whose templates are rendered.

        :param operator: its attributes have the names of the parameters; ``given`` names those that may be left
            out and were not, so that what rendered to None is not taken for left out
        :raises ConfigurationError: naming each parameter that cannot be used
        """
        given = getattr(operator, "given", ())
        values = {}
        for name, field in cls.model_fields.items():
            value = getattr(operator, _ATTRIBUTES.get(name, name))
            is_left_out = value is NOT_GIVEN or (value is None and name not in given)
            if field.is_required() or not is_left_out:
                values[name] = value
        return cls.read(values)

    @classmethod
    def read(cls, values: dict[str, Any]) -> Self:
        """Return the parameters.

        :param values: by their names; without those that were left out
        :raises ConfigurationError: naming each parameter that cannot be used
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            failures = [_failure(cls, each, values) for each in error.errors(include_url=False)]
        first, *others = failures
        raise ConfigurationError(first.field, first.problem, " | ".join([first.remedy, *map(str, others)]))


def _failure(model: type[BaseModel], error: ErrorDetails, values: Mapping[str, Any]) -> ConfigurationError:
    name = ".".join(str(part) if str(part).isidentifier() else excerpt(part) for part in error["loc"])
    if error["type"] in {"extra_forbidden", "invalid_key"}:
        return ConfigurationError(name, "is unknown", f"there are {', '.join(SelectionFields.model_fields)}")
    if error["type"] == "missing":
        return ConfigurationError(name, "is missing", _remedy(model, error))
    refused = error.get("ctx", {}).get("error")
    remedy = _remedy(model, error)
    if isinstance(refused, Refused):
        return ConfigurationError(refused.name or name, refused.problem, refused.remedy or remedy)
    # As it was given, not as pydantic got it.
    given = values.get(name, error["input"])
    return ConfigurationError(name, f"{excerpt(given)} is not possible", remedy)


def _remedy(model: type[BaseModel], error: ErrorDetails) -> str:
    owner = SelectionFields if len(error["loc"]) > 1 else model
    field = owner.model_fields.get(str(error["loc"][-1])) if error["loc"] else None
    kind = next((each for each in field.metadata if isinstance(each, Kind)), None) if field else None
    return kind.remedy if kind else "give another"


class SelectionFields(Parameters):
    """The filters of a selection; one that is nothing does not filter."""

    name_pattern: filters.Patterns = ()
    job_type: filters.JobType = None
    status: filters.Statuses = ()
    queue_name: filters.Text = None
    user_name: filters.Text = None
    tags: filters.Tags = ()
    changed_since: filters.Moment = None
    exclude: filters.Exclusions = ()

    @property
    def chosen(self) -> Selection:
        """Which jobs are meant."""
        return Selection(**{name: getattr(self, name) for name in SelectionFields.model_fields})

    @property
    def empty(self) -> list[str]:
        """The filters that were given, if none of them filters."""
        given = [name for name in SelectionFields.model_fields if name in self.model_fields_set]
        return given if self.chosen == Selection() else []


def _selection(value: object) -> object:
    if is_nothing(value):
        raise Refused(f"was given and is {what_of_nothing(value)}")
    return dict(mapping(value))


_ALL = "for all jobs give selection={} or leave it out"
SelectionMapping = Annotated[
    SelectionFields,
    BeforeValidator(_selection),
    Kind("selection", f"give a mapping, such as {{'name_pattern': 'orders_*'}}; {_ALL}"),
]


class ExportParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.export.DliExportFlinkJobsOperator`."""

    obs_dir: kinds.ExportDirectory
    # Before job_selected, which is read with it.
    is_selected: kinds.OptionalFlag = None
    job_selected: kinds.SelectedJobs = None
    selection: SelectionMapping = SelectionFields()
    if_empty: kinds.EmptyChoice
    batch_size: kinds.PositiveInt
    allow_partial: kinds.Flag
    dli_conn_id: kinds.ConnId
    reconcile_timeout: kinds.Seconds

    @property
    def chosen(self) -> Selection | None:
        """Which jobs are meant, where a selection says so."""
        return self.selection.chosen if "selection" in self.model_fields_set else None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        which = "selection" if self.chosen else "job_selected" if self.job_selected is not None else None
        if self.chosen and self.job_selected is not None:
            raise Refused("stands beside job_selected", "leave one of the two out", "selection")
        # A form that nobody filled in: whoever means all jobs says so.
        if empty := self.selection.empty:
            raise Refused(f"has nothing in {', '.join(empty)}", f"fill one in; {_ALL}", "selection")
        if self.is_selected and not which:
            raise Refused(
                "is missing although is_selected is True", "name jobs, or leave is_selected out", "job_selected"
            )
        if self.is_selected is False and which:
            raise Refused(f"is False although {which} names jobs", "leave one of the two out", "is_selected")
        return self


class VerifyParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.verify.DliVerifyFlinkExportOperator`."""

    zip_file: kinds.Archives
    dli_conn_id: kinds.ConnId
    level: kinds.LevelChoice
    expected_jobs: kinds.ExpectedJobs = ()
    min_entries: kinds.PositiveInt
    max_age: kinds.MaxAge = float("inf")
    report_to: kinds.ReportDirectory = None
    timeout: kinds.Seconds
    poll_interval: kinds.PositiveSeconds

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.level == "exists" and (self.expected_jobs or self.min_entries > 1):
            name = "expected_jobs" if self.expected_jobs else "min_entries"
            raise Refused("cannot be checked at level 'exists'", "give level 'full'", name)
        return self


class ImportParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.importing.DliImportFlinkJobsOperator`."""

    zip_file: kinds.ImportSource
    is_cover: kinds.Flag
    expect: kinds.ExpectedJobs = ()
    on_clash: kinds.ClashChoice
    verify: kinds.Flag
    dli_conn_id: kinds.ConnId
    source_conn_id: kinds.OptionalConnId = None
    copy_to: kinds.CopyDirectory = None
    dry_run: kinds.Flag
    settling_time: kinds.Seconds

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        name = self.zip_file.key.rpartition("/")[2]
        if self.copy_to and self.copy_to.longest < kinds.COPY_DIRECTORY + len(name.encode()):
            raise Refused(f"has no room for a directory and {excerpt(name)}", "give a shorter one", "copy_to")
        return self


class CompareParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.compare.DliCompareFlinkJobsOperator`."""

    job_mapping: kinds.JobMapping
    source_conn_id: kinds.ConnId
    dli_conn_id: kinds.ConnId
    report_to: kinds.ReportDirectory = None
    show_values: kinds.Flag


class PromoteParameters(Parameters):
    """Of :class:`~airflow_provider_dli.operators.promote.DliPromoteFlinkJobsOperator`."""

    job_ids: kinds.JobIds
    source_conn_id: kinds.ConnId
    dli_conn_id: kinds.ConnId
    queues: kinds.Texts = {}
    replacements: kinds.Texts = {}
    dry_run: kinds.Flag


class ListParameters(SelectionFields):
    """Of :class:`~airflow_provider_dli.operators.listing.DliListFlinkJobsOperator`."""

    if_empty: kinds.EmptyChoice
    dli_conn_id: kinds.ConnId

    @model_validator(mode="after")
    def _filters(self) -> Self:
        if empty := self.empty:
            verb = "was given and filters" if len(empty) == 1 else "were given and filter"
            raise Refused(f"{verb} nothing", "fill one in; for all jobs leave every filter out", ", ".join(empty))
        return self


class NamedJobs(Parameters):
    """Jobs that are named, never all."""

    if_empty: kinds.EmptyChoice
    job_ids: kinds.JobIdsOrNone
    dli_conn_id: kinds.ConnId

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.if_empty == "fail" and not self.job_ids:
            raise Refused("names no job", "name jobs, or say if_empty='skip' or 'succeed'", "job_ids")
        return self


class DeleteParameters(NamedJobs):
    """Of :class:`~airflow_provider_dli.operators.delete.DliDeleteFlinkJobsOperator`."""


class ActionParameters(NamedJobs):
    """What the operators share that change the state of jobs and wait for it."""

    timeout: kinds.Seconds
    poll_interval: kinds.PositiveSeconds
    settling_time: kinds.Seconds


class RunParameters(ActionParameters):
    """Of :class:`~airflow_provider_dli.operators.run.DliRunFlinkJobsOperator`."""

    resume_savepoint: kinds.Flag
    wait_for: kinds.WaitChoice
    stop_on_kill: kinds.Flag


class StopParameters(ActionParameters):
    """Of :class:`~airflow_provider_dli.operators.stop.DliStopFlinkJobsOperator`."""

    trigger_savepoint: kinds.Flag
    wait: kinds.Flag


class SavepointParameters(ActionParameters):
    """Of :class:`~airflow_provider_dli.operators.savepoint.DliSavepointFlinkJobsOperator`."""

    savepoint_path: kinds.SavepointDirectory = None
    wait: kinds.Flag


class ArchiveSensorParameters(Parameters):
    """Of :class:`~airflow_provider_dli.sensors.archives.DliExportArchiveSensor`."""

    zip_file: kinds.Archives
    dli_conn_id: kinds.ConnId
    level: kinds.SensorLevelChoice
    inactivity_period: kinds.Seconds


class JobSensorParameters(Parameters):
    """Of :class:`~airflow_provider_dli.sensors.jobs.DliFlinkJobSensor`."""

    job_ids: kinds.JobIds
    target_state: kinds.GoalChoice
    status_grace_period: kinds.Seconds
    dli_conn_id: kinds.ConnId
