"""Compare restored jobs with their sources, setting by setting."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.flink.settings import differences
from airflow_provider_dli.exceptions import DliException, DliFailException, read_parameters
from airflow_provider_dli.formatting import format_ids, log_table, markdown_table, pluralize
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters.models import CompareParameters
from airflow_provider_dli.services.report import Page, Table, write_page
from airflow_provider_dli.services.selection import each_of_ids

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.client.flink.settings import Difference
    from airflow_provider_dli.parameters.types import Restored

#: characters of a value that a message shows
_LONGEST = 160
#: seconds between two lines of progress
_LOG_INTERVAL = 10.0
_HEAD = ("old id", "new id", "name", "result")
#: jobs in the XCom report
_MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class JobComparison:
    """A job compared with its restored copy."""

    old_job_id: int
    #: None if there is no copy
    new_job_id: int | None
    #: of the source; None if it no longer exists
    name: str | None
    differences: tuple[Difference, ...] = ()
    #: whether both ids are of one and the same job
    is_source: bool = False
    #: whether to show values that may contain secrets, such as SQL
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
        found = format_ids(
            [
                f"{each.field} is {self._shown(each, each.restored)} and was {self._shown(each, each.source)}"
                for each in self.differences
            ],
            "; ",
        )
        return found or None

    @property
    def row(self) -> tuple[object, ...]:
        """It as a row of a table."""
        return self.old_job_id, self.new_job_id, self.name, self.problem or "equal"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        fields = [each.as_dict(show_values=self.show_values) for each in self.differences]
        ids = {"old_job_id": self.old_job_id, "new_job_id": self.new_job_id, "name": self.name}
        return {**ids, "equal": self.problem is None, "problem": self.problem, "differences": fields}

    def _shown(self, difference: Difference, value: object) -> str:
        text = difference.describe(value, show_values=self.show_values)
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def prepare(operator: object) -> tuple[CompareParameters, DliHook, DliHook]:
    """Check all parameters; return them, a hook of the project of the sources, and one of the restored jobs."""
    options = read_parameters(CompareParameters, operator)
    return options, DliHook(options.source_conn_id), DliHook(options.dli_conn_id)


def compare_jobs(
    source: DliHook,
    target: DliHook,
    mapping: Sequence[Restored],
    log: Logger,
    *,
    show_values: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> list[JobComparison]:
    """Compare each restored job of the target with its source, all their settings.

    :raises DliException: if DLI does not respond, or refuses
    """
    old_ids = {each.old_job_id for each in mapping}
    sources = {job.job_id: job for job in _read(source, old_ids, "source", log, clock)}
    # The new id of a recovered job is not known: it is found by the name of its source.
    is_by_name = any(each.recovered for each in mapping)
    ids = {job.name: job.job_id for job in target.list_flink_jobs()} if is_by_name else {}
    is_one_project = project_of(source) == project_of(target)
    pairs: list[tuple[int, int | None]] = []
    to_compare: dict[int, list[int]] = defaultdict(list)
    for each in mapping:
        old_id, new_id = each.old_job_id, each.new_job_id
        if new_id is None and each.recovered and old_id in sources:
            new_id = ids.get(sources[old_id].name)
        pairs.append((old_id, new_id))
        if new_id is not None and not (is_one_project and new_id == old_id):
            to_compare[new_id].append(old_id)
    differing: dict[tuple[int, int | None], tuple[Difference, ...]] = {}
    for job in _read(target, to_compare.keys(), "restored", log, clock):
        for old_id in to_compare[job.job_id]:
            differing[old_id, job.job_id] = differences(sources[old_id], job) if old_id in sources else ()
    comparisons = []
    for old_id, new_id in pairs:
        name = sources[old_id].name if old_id in sources else None
        if is_one_project and new_id == old_id:
            comparisons.append(JobComparison(old_id, new_id, name, is_source=True))
        elif (old_id, new_id) in differing:
            found = differing[old_id, new_id]
            comparisons.append(JobComparison(old_id, new_id, name, found, show_values=show_values))
        else:
            comparisons.append(JobComparison(old_id, None, name))
    log.info("Compared %s:", pluralize(len(comparisons), "job"))
    log_table(log, _HEAD, [each.row for each in _failed_first(comparisons)])
    return comparisons


def _read(
    hook: DliHook, job_ids: Collection[int], kind: str, log: Logger, clock: Callable[[], float]
) -> Iterator[FlinkJob]:
    """Yield jobs with all their settings, and log from time to time how many there were."""
    logged = clock()
    for number, job in enumerate(each_of_ids(hook, job_ids), 1):
        yield job
        now = clock()
        if now - logged >= _LOG_INTERVAL:
            logged = now
            log.info("Read %s of %s.", f"{number:,}", pluralize(len(job_ids), f"{kind} job"))


def project_of(hook: DliHook) -> tuple[str, str]:
    """Return what identifies a project."""
    return hook.account.endpoint, hook.project_id


def _failed_first(comparisons: Sequence[JobComparison]) -> list[JobComparison]:
    """Return the comparisons in the order of tables, which may be cut."""
    return sorted(comparisons, key=lambda each: each.problem is None)


def markdown(comparisons: Sequence[JobComparison]) -> str:
    """Return the result as Markdown, with at most 200 jobs."""
    table = markdown_table(_HEAD, [each.row for each in _failed_first(comparisons)[:_MOST_ROWS]])
    if (omitted := len(comparisons) - _MOST_ROWS) > 0:
        table += f"\n{pluralize(omitted, 'more job')}.\n"
    own = "Ids, people, times and state are a job's own and not compared."
    return f"# Restored Flink jobs\n\n**{_verdict(comparisons)}**\n\n{table}\n{own}\n"


def _verdict(comparisons: Sequence[JobComparison]) -> str:
    """Return the result as a sentence."""
    failed = sum(each.problem is not None for each in comparisons)
    jobs = pluralize(len(comparisons), "job")
    return f"{failed:,} of {jobs} not equal to the source." if failed else f"All {jobs} equal to the source."


def write_report(
    options: CompareParameters,
    source: DliHook,
    target: DliHook,
    comparisons: Sequence[JobComparison],
    run_id: str | None,
    log: Logger,
) -> str | None:
    """Write the HTML report to OBS and return its place; None if none was required.

    :raises DliException: if it cannot be written; jobs that differ come first
    """
    if options.report_dir is None:
        return None
    facts = {"From project": source.project_id, "Into project": target.project_id, "Run": run_id}
    try:
        return write_page(
            ObsHook(options.source_conn_id), options.report_dir, "compare", _page(comparisons, facts), log
        )
    except DliException as error:
        raise_for_failures(comparisons, f"The report was not written: {error}")
        raise


def _page(comparisons: Sequence[JobComparison], facts: Mapping[str, object]) -> Page:
    jobs = _failed_first(comparisons)
    bad = frozenset(number for number, each in enumerate(jobs) if each.problem)
    tables = [Table("Jobs", ("Old id", "New id", "Name", "Result"), [each.row for each in jobs], bad)]
    fields = [
        (
            each.old_job_id,
            each.name,
            difference.field,
            difference.describe(difference.source, show_values=each.show_values),
            difference.describe(difference.restored, show_values=each.show_values),
        )
        for each in jobs
        for difference in each.differences
    ]
    if fields:
        head = ("Old id", "Name", "Setting", "Was", "Is")
        tables.append(Table("Settings that differ", head, fields, frozenset(range(len(fields)))))
    data = {"value": len(jobs), "good": not bad, "jobs": [each.as_dict() for each in jobs]}
    title = "Restored Flink jobs compared with their sources"
    return Page(title, not bad, _verdict(comparisons), facts, tables, data)


def raise_for_failures(comparisons: Sequence[JobComparison], note: str = "") -> None:
    """Raise unless every job equals its source.

    :param note: a further sentence of the message
    :raises DliFailException: naming each job and setting that differs
    """
    failed = [each for each in comparisons if each.problem]
    if not failed:
        return
    listed = format_ids([f"job {each.old_job_id} {each.name or ''}: {each.problem}" for each in failed], " | ")
    if any(each.differences for each in failed):
        advice = "Do not rely on this archive: keep it as evidence, and export again."
    else:
        advice = "Import them into a project without jobs of their names, and compare while their sources exist."
    raise DliFailException(f"{_verdict(comparisons)[:-1]}: {listed}.{note and f' {note}'}", advice=advice)
