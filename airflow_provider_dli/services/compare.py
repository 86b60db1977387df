"""Compare restored jobs with their sources, setting by setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.flink.settings import differences
from airflow_provider_dli.exceptions import DliFailException, read_parameters
from airflow_provider_dli.formatting import markdown_table, pluralize, text_table
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters.models import CompareParameters
from airflow_provider_dli.services import report
from airflow_provider_dli.services.job_status import get_job_or_none

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.client.flink.settings import Difference
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.parameters.types import Restored

#: jobs that the log and a message show
_SHOWN = 20
#: characters of a value that a message shows
_LONGEST = 160
_HEAD = ("old id", "new id", "name", "result")


@dataclass(frozen=True, slots=True)
class JobComparison:
    """A job compared with its restored copy.

    :param old_job_id: id of the source
    :param new_job_id: id of the copy; None if there is none
    :param name: of the source; None if it no longer exists
    :param differences: settings that differ; empty if one of the jobs is missing
    :param is_source: whether both ids are of one and the same job
    :param show_values: whether to show values that may contain secrets, such as SQL
    """

    old_job_id: int
    new_job_id: int | None
    name: str | None
    differences: tuple[Difference, ...] = ()
    is_source: bool = False
    show_values: bool = False

    @property
    def problem(self) -> str | None:
        """What is wrong; None if the jobs are equal."""
        if self.name is None:
            return "its source no longer exists, so nothing can be compared"
        if self.new_job_id is None:
            return "not restored"
        if self.is_source:
            return "the restored job is the source itself, so nothing is proven"
        fields = [
            f"{each.field} is {self._shown(each, each.restored)} and was {self._shown(each, each.source)}"
            for each in self.differences
        ]
        return "; ".join(fields) or None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        fields = [each.as_dict(show_values=self.show_values) for each in self.differences]
        ids = {"old_job_id": self.old_job_id, "new_job_id": self.new_job_id, "name": self.name}
        return {**ids, "equal": self.problem is None, "problem": self.problem, "differences": fields}

    def _shown(self, difference: Difference, value: object) -> str:
        text = difference.describe(value, show_values=self.show_values)
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def prepare(operator: object) -> tuple[CompareParameters, DliHook, DliHook]:
    """Check all parameters; return them, a hook of the project of the sources, and one of the restored jobs.

    :param operator: the comparison
    :raises DliFailException: naming each parameter that cannot be used
    """
    options = read_parameters(CompareParameters, operator)
    return options, DliHook(options.source_conn_id), DliHook(options.dli_conn_id)


def compare_jobs(
    source: DliHook, target: DliHook, mapping: Sequence[Restored], log: Logger, *, show_values: bool = False
) -> list[JobComparison]:
    """Compare each restored job with its source, all their settings.

    :param source: hook of the project that the jobs were exported from
    :param target: hook of the project that they were imported into
    :param mapping: ids of sources and copies
    :param log: log of the task
    :param show_values: whether to show values that may contain secrets
    """
    # The new id of a recovered job is not known: it is found by the name of its source.
    is_by_name = any(each.recovered for each in mapping)
    ids = {job.name: job.job_id for job in target.list_flink_jobs()} if is_by_name else {}
    is_one_project = project_of(source) == project_of(target)
    comparisons: list[JobComparison] = []
    for each in mapping:
        original = get_job_or_none(source, each.old_job_id)
        new_id = each.new_job_id
        if new_id is None and each.recovered and original:
            new_id = ids.get(original.name)
        if is_one_project and new_id == each.old_job_id:
            name = original.name if original else None
            comparisons.append(JobComparison(new_id, new_id, name, is_source=True))
        else:
            comparisons.append(_compare(each.old_job_id, original, new_id, target, show_values=show_values))
    log.info("Compared %s:", pluralize(len(comparisons), "job"))
    for line in text_table(_HEAD, _rows(comparisons)[:_SHOWN]):
        log.info("  %s", line)
    return comparisons


def project_of(hook: DliHook) -> tuple[str, str]:
    """Return what identifies a project.

    :param hook: of the project
    """
    return hook.account.endpoint, hook.project_id


def _compare(
    old_id: int, source: FlinkJob | None, new_id: int | None, target: DliHook, *, show_values: bool
) -> JobComparison:
    restored = None if new_id is None else get_job_or_none(target, new_id)
    name = source.name if source else None
    if source is None or restored is None:
        return JobComparison(old_id, new_id if restored else None, name)
    return JobComparison(old_id, new_id, name, differences(source, restored), show_values=show_values)


def _rows(comparisons: Sequence[JobComparison]) -> list[tuple[object, ...]]:
    # Those with a problem come first: a table may be cut.
    ordered = sorted(comparisons, key=lambda each: each.problem is None)
    return [(each.old_job_id, each.new_job_id, each.name, each.problem or "equal") for each in ordered]


def markdown(comparisons: Sequence[JobComparison]) -> str:
    """Return the result as Markdown.

    :param comparisons: of all jobs
    """
    table = markdown_table(_HEAD, _rows(comparisons))
    own = "Ids, people, times and state are a job's own and not compared."
    return f"# Restored Flink jobs\n\n**{verdict(comparisons)}**\n\n{table}\n{own}\n"


def verdict(comparisons: Sequence[JobComparison]) -> str:
    """Return the result as a sentence.

    :param comparisons: of all jobs
    """
    failed = sum(each.problem is not None for each in comparisons)
    jobs = pluralize(len(comparisons), "job")
    return f"{failed} of {jobs} not equal to the source." if failed else f"All {jobs} equal to the source."


def file_report(
    conn_id: str,
    directory: ObsLocation,
    comparisons: Sequence[JobComparison],
    facts: Mapping[str, object],
    log: Logger,
) -> str:
    """Write a report to OBS; return its place.

    :param conn_id: connection that may write it
    :param directory: where to
    :param comparisons: of all jobs
    :param facts: name to value: which projects, which run
    :param log: log of the task
    """
    page = report.comparison_report(comparisons, verdict(comparisons), facts)
    return report.file_report(ObsHook(conn_id), directory, "compare", page, log)


def raise_for_failures(comparisons: Sequence[JobComparison], note: str = "") -> None:
    """Raise unless every job equals its source.

    :param comparisons: of all jobs
    :param note: a further sentence of the message
    :raises DliFailException: naming each job and setting that differs
    """
    failed = [each for each in comparisons if each.problem]
    if not failed:
        return
    listed = " | ".join(f"job {each.old_job_id} {each.name or ''}: {each.problem}" for each in failed[:_SHOWN])
    more = f" … and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    if any(each.differences for each in failed):
        advice = "Do not rely on this archive: keep it as evidence, and export again."
    else:
        advice = "Import them into a project without jobs of their names, and compare while their sources exist."
    raise DliFailException(f"{verdict(comparisons)[:-1]}: {listed}{more}.{note and f' {note}'}", advice=advice)
