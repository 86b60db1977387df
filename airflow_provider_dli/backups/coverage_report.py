"""Coverage of all projects of a task: each is checked, also where another cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.backups import page
from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.coverage import (
    KINDS,
    REMEDIES,
    Coverage,
    Kind,
    Problem,
    check_project,
    write_coverage,
)
from airflow_provider_dli.exceptions import DliException, DliFailException, read_parameters, worst
from airflow_provider_dli.formatting import escaped, format_duration, format_ids, log_table, pluralize
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters.models import CoverageParameters
from airflow_provider_dli.services.report import Page, Table, write_page

if TYPE_CHECKING:
    from datetime import datetime
    from logging import Logger

#: problems that a message names, ids in an XCom, rows of a table of the page
_MAX_IDS, _MAX_ROWS = 1000, 2000
#: characters of a name, which may be anything, in a message
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Check:
    """The check of the project of a connection.

    :param coverage: None if it could not be checked
    :param failure: why not
    :param place: of the document of the result; None if it was not written
    """

    dli_conn_id: str
    coverage: Coverage | None = None
    failure: DliException | None = None
    place: str | None = None

    @property
    def owner(self) -> str:
        """Which project, for people."""
        return f"project {self.coverage.project_id}" if self.coverage else f"connection '{self.dli_conn_id}'"

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All for which the task fails."""
        if self.coverage:
            return self.coverage.problems
        return (Problem(kind="not_checked", message=f"not checked: {self.failure}"),)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is reported only."""
        return self.coverage.warnings if self.coverage else ()

    @property
    def jobs(self) -> int:
        """How many live jobs were checked."""
        return len(self.coverage.jobs) if self.coverage else 0

    @property
    def covered(self) -> int:
        """How many of them could be brought back as they are, from a backup that is young enough."""
        return self.jobs - (len(self.coverage.uncovered) if self.coverage else 0)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for XCom."""
        return {
            "dli_conn_id": self.dli_conn_id,
            "project_id": self.coverage.project_id if self.coverage else None,
            "passed": not self.problems,
            "jobs": self.jobs,
            "covered": self.covered,
            "problems": _by_kind(self.problems),
            "warnings": _by_kind(self.warnings),
            "result": self.place,
        }

    def gauges(self) -> dict[str, float]:
        """Return the values of the metrics that show a state, by name; none where no job has a backup."""
        exported = [job.exported_at for job in self.coverage.jobs if job.exported_at] if self.coverage else []
        if not exported or not self.coverage:
            return {}
        age = (self.coverage.checked_at - min(exported)).total_seconds()
        of = self.coverage.project_id
        return {f"dli.last_backup.{of}": max(exported).timestamp(), f"dli.oldest_backup_age.{of}": age}


def _by_kind(problems: Iterable[Problem]) -> dict[str, int]:
    return dict(Counter(problem.kind for problem in problems))


def prepare(operator: object) -> tuple[CoverageParameters, ObsHook]:
    """Return the parameters of an operator, all of them checked, and the hook that reads the catalogue.

    :raises DliFailException: naming each parameter that cannot be used
    """
    options = read_parameters(CoverageParameters, operator)
    return options, ObsHook(options.catalogue_conn_id or options.dli_conn_id[0])


def check_projects(options: CoverageParameters, obs: ObsHook, log: Logger) -> list[Check]:
    """Check each project; one that cannot be checked is a problem of its own.

    :raises DliException: if the catalogue cannot be read at all
    """
    now = Catalogue(obs, options.backup_dir).now()
    checks: list[Check] = []
    #: those that a service has refused: to send one again, for another project, might lock it
    refused: set[str] = set()
    for conn_id in options.dli_conn_id:
        check = _check(DliHook(conn_id), Catalogue(obs, options.backup_dir), options, now, refused, log)
        same = [each.dli_conn_id for each in checks if check.coverage and each.owner == check.owner]
        if same:
            # Their keys may see different jobs, and the jobs that no key sees are in no check.
            failure = DliFailException(
                f"{conn_id}: it is of the {check.owner} that {same[0]} is of, and was not checked",
                advice="Give of each project the one connection whose key sees all its jobs.",
            )
            check = Check(conn_id, failure=failure)
        checks.append(check)
        _log(check, log)
    return checks


def _check(
    hook: DliHook,
    catalogue: Catalogue,
    options: CoverageParameters,
    now: datetime,
    refused: set[str],
    log: Logger,
) -> Check:
    identity = None
    try:
        identity = hook.account.credentials.identity
        if identity in refused:
            problem = f"{identity} was refused for another project, and is not sent again"
            raise DliFailException(problem, advice="Correct it: more than five failures lock it.")
        coverage = check_project(hook, catalogue, options, now)
    except DliException as error:
        if error.refuses_identity and identity:
            refused.add(identity)
        return Check(hook.dli_conn_id, failure=error)
    try:
        place = write_coverage(catalogue, coverage).url
    except DliException as error:
        log.warning("The result was not written beside the backups, and counts as it is: %s", error)
        place = None
    return Check(hook.dli_conn_id, coverage, place=place)


def _log(check: Check, log: Logger) -> None:
    log.info("Backups cover %s of %s of %s.", f"{check.covered:,}", pluralize(check.jobs, "job"), check.owner)
    if found := [*check.problems, *check.warnings]:
        log_table(log, ("", "id", "name", "backup", "what"), [_row(each) for each in found])
    for kind, remedy in _remedies(found):
        log.info("%s: %s", kind, remedy)


def _remedies(found: Iterable[Problem]) -> list[tuple[Kind, str]]:
    """Return what to do about the kinds that were found, in their order."""
    kinds = {each.kind for each in found}
    return [(kind, remedy) for kind, remedy in REMEDIES.items() if kind in kinds]


def _row(problem: Problem) -> tuple[object, ...]:
    return problem.kind, problem.job_id, problem.name, problem.backup_id, problem.message


def uncovered(checks: Sequence[Check]) -> dict[str, list[int]]:
    """Return the ids of the jobs of each project that are not covered, a thousand at most, for XCom."""
    return {each.coverage.project_id: each.coverage.uncovered[:_MAX_IDS] for each in checks if each.coverage}


def write_index(options: CoverageParameters, obs: ObsHook, log: Logger) -> None:
    """Write the page of the catalogue; if it cannot be written, the check decides all the same."""
    try:
        place = page.write_page(Catalogue(obs, options.backup_dir))
    except DliException as error:
        log.warning("The page of the catalogue was not written: %s", error)
    else:
        log.info("The page of the catalogue is %s.", place.url)


def write_report(
    options: CoverageParameters, obs: ObsHook, checks: Sequence[Check], run_id: str | None, log: Logger
) -> str | None:
    """Write the HTML report to OBS and return its place; None if none was required.

    :raises DliException: if it cannot be written; problems come first
    """
    if options.report_dir is None:
        return None
    try:
        return write_page(obs, options.report_dir, "coverage", _page(options, checks, run_id), log)
    except DliException as error:
        raise_for_problems(checks, f"The report was not written: {error}")
        raise


def _page(options: CoverageParameters, checks: Sequence[Check], run_id: str | None) -> Page:
    bad = frozenset(number for number, check in enumerate(checks) if check.problems)
    rows = [
        (check.owner, check.dli_conn_id, f"{check.jobs:,}", f"{check.covered:,}", f"{len(check.problems):,}")
        for check in checks
    ]
    tables = [Table("Projects", ("Project", "Connection", "Jobs", "Covered", "Problems"), rows, bad)]
    head = ("Project", "Kind", "Job", "Name", "Backup", "What")
    for title in ("Problems", "Warnings"):
        found = [(check.owner, *_row(each)) for check in checks for each in getattr(check, title.lower())]
        if found:
            is_bad = frozenset(range(len(found))) if title == "Problems" else frozenset[int]()
            shown = f"{title}: the first {_MAX_ROWS:,} of {len(found):,}" if len(found) > _MAX_ROWS else title
            tables.append(Table(shown, head, found[:_MAX_ROWS], is_bad))
    if remedies := _remedies(each for check in checks for each in (*check.problems, *check.warnings)):
        tables.append(Table("What to do", ("Kind", "Remedy"), remedies))
    facts = {
        "Catalogue": options.backup_dir.url,
        "Required": f"a backup verified at level {options.level}, at most {format_duration(options.max_age)} old",
        "Run": run_id,
    }
    data = {"value": sum(check.covered for check in checks), "good": not bad}
    return Page("Coverage of Flink jobs by backups", not bad, _verdict(checks), facts, tables, data)


def _verdict(checks: Sequence[Check]) -> str:
    """Return the result as a sentence."""
    jobs, covered = sum(check.jobs for check in checks), sum(check.covered for check in checks)
    counts = Counter(each.kind for check in checks for each in check.problems)
    listed = ", ".join(f"{counts[kind]:,} {kind}" for kind in KINDS if counts[kind])
    problems = f"; {pluralize(sum(counts.values()), 'problem')} ({listed})" if counts else ""
    return f"{covered:,} of {pluralize(jobs, 'job')} covered{problems}."


def raise_for_problems(checks: Sequence[Check], note: str = "") -> None:
    """Raise unless there is no problem.

    :param note: a further sentence of the message
    :raises DliFailException: naming the first problems of each kind, and counting all
    :raises DliException: if nothing is wrong but that a project could not be checked this time
    """
    found = [(check.owner, each) for check in checks for each in check.problems]
    if not found:
        return
    order = list(KINDS)
    found.sort(key=lambda each: order.index(each[1].kind))
    listed = format_ids([_line(*each) for each in found], " | ")
    message = f"{_verdict(checks)[:-1]}: {listed}.{note and f' {note}'}"
    failures = [check.failure for check in checks if check.failure]
    kind: type[DliException] = DliFailException
    if len(failures) == len(found) and not all(isinstance(each, DliFailException) for each in failures):
        kind = DliException
    advice = " ".join(dict.fromkeys(remedy for _, remedy in _remedies(each for _, each in found)))
    raise kind(message, advice=advice or None) from worst(failures)


def _line(owner: str, problem: Problem) -> str:
    job = f", job {problem.job_id} {escaped(problem.name or '', _LONGEST)}" if problem.job_id else ""
    backup = f", backup {problem.backup_id}" if problem.backup_id and not job else ""
    return f"{owner}{job}{backup}: {problem.message.rstrip(' .')}"
