"""Verify archives in OBS, in the order in which it happens.

Find each object, read it, check that OBS still has the version that was read, read it again where the network may
have damaged it, report, and fail the task if an archive is not all that was required.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.archive import Expectation, Finding, Report, inspect
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.client import ReplacedError, object_replaced
from airflow_provider_dli.exceptions import DliException, DliFailException, read_parameters, translated
from airflow_provider_dli.formatting import format_ids, pluralize
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters import Level
from airflow_provider_dli.parameters.models import ArchiveSensorParameters, VerifyParameters
from airflow_provider_dli.services.concurrency import in_order
from airflow_provider_dli.services.deadline import Deadline
from airflow_provider_dli.services.expected_jobs import ExpectedJobs
from airflow_provider_dli.services.report import ArchiveReport, log_reports, page_of_archives, write_page
from airflow_provider_dli.triggers.deferral import raise_unless_transient
from airflow_provider_dli.triggers.obs import RESOLUTION, ArchivesTrigger, age_of, is_changing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from logging import Logger

    from airflow_provider_dli.archive.source import Reader
    from airflow_provider_dli.client.obs.objects import ObjectFacts

_OK = 200
_READ_ATTEMPTS = 3
#: seconds by which a write may seem to come after the store's own clock: its machines differ
_CLOCK_MARGIN = 5.0
_MEGA = 1_000_000

_MISSING = "missing"
_IN_TRANSIT = "damaged-on-the-way"
#: after one of these a retry may help
_RETRYABLE = frozenset({_MISSING, _IN_TRANSIT})
#: required and not there, in an archive whose bytes are as they should be
_REQUIREMENTS = ("too-few-entries", "missing-job", "job-not-examined", "more-findings")
_UNKNOWN_LAYOUT = "unknown-layout"


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What each archive is verified for, as operators have it; an expected job must be in one of the archives.

    :param accepts_unexamined: whether an expected job passes that was not found in an archive of which not all was
        examined that may hold it, as of one whose layout is not known
    :param other_jobs: that are searched for, too, and need not be there: see :attr:`.ArchiveReport.absent`
    """

    level: Level = "full"
    expected_jobs: tuple[int | str, ...] = ()
    min_entries: int = 1
    max_age: float = math.inf
    accepts_unexamined: bool = False
    other_jobs: tuple[int | str, ...] = ()


def prepare(operator: object) -> tuple[VerifyParameters, ObsHook]:
    """Return the parameters of an operator, all of them checked, and the hook of its connection."""
    options = read_parameters(VerifyParameters, operator)
    return options, ObsHook(options.dli_conn_id)


def prepare_sensor(sensor: object) -> tuple[ArchiveSensorParameters, ObsHook]:
    """Return the parameters of a sensor, all of them checked, and the hook of its connection."""
    options = read_parameters(ArchiveSensorParameters, sensor)
    return options, ObsHook(options.dli_conn_id)


class Search:
    """The archives of places, each an object, a directory, or both: polled while they are on their way.

    What is called ``.zip`` is an archive, whether it exists yet or not; a slash at the end marks a directory.
    """

    def __init__(self, hook: ObsHook, places: Sequence[ObsLocation], max_concurrency: int = 1) -> None:
        self._hook = hook
        self._max_concurrency = max_concurrency
        self._places = tuple(dict.fromkeys(places))
        self._facts: dict[ObsLocation, ObjectFacts] = {}
        self._below: dict[ObsLocation, list[ObsLocation]] = {}

    def poll(self) -> None:
        """Look up the objects that are not found yet, and list every directory again: it may be filling."""
        self._find([place for place in self._places if not place.is_directory])
        for place in self._places:
            if not place.is_archive:
                keys = sorted(self._hook.list_keys(place.directory))
                self._below[place] = [ObsLocation(place.bucket, key) for key in keys]

    def missing(self) -> list[ObsLocation]:
        """Return the places of which no archive is known."""
        return [place for place in self._places if not self._archives(place)]

    def found(self, log: Logger) -> dict[ObsLocation, ObjectFacts | None]:
        """Return the archives, and each place without any; log what else is in the directories."""
        for place in self._places:
            if (others := self.others(place)) and self._archives(place):
                shown = format_ids([each.url for each in others])
                log.info("Ignoring %s not called .zip: %s", pluralize(len(others), "object"), shown)
            if inside := [each for each in self._below.get(place, ()) if each.is_archive]:
                also = "also " if place in self._facts else ""
                count = pluralize(len(inside), "archive")
                log.info("%s is %sa directory: verifying %s in it.", place.url, also, count)
        archives = dict.fromkeys(each for place in self._places for each in self._archives(place) or [place])
        listed = {each for below in self._below.values() for each in below if each.is_archive}
        self._find([each for each in archives if each in listed])
        return {each: self._facts.get(each) for each in archives}

    def _find(self, places: Sequence[ObsLocation]) -> None:
        """Look up the objects that are not found yet."""
        wanted = [place for place in places if place not in self._facts]
        for place, facts in zip(wanted, in_order(self._hook.find, wanted, self._max_concurrency), strict=True):
            if facts:
                self._facts[place] = facts

    def others(self, place: ObsLocation) -> list[ObsLocation]:
        """Return the objects in a directory that are no archives, and do not stand for directories."""
        return [each for each in self._below.get(place, ()) if not each.is_archive and not each.is_directory]

    def _archives(self, place: ObsLocation) -> list[ObsLocation]:
        inside = [each for each in self._below.get(place, ()) if each.is_archive]
        return [place, *inside] if place in self._facts else inside


def find_missing(hook: ObsHook, places: Sequence[ObsLocation], log: Logger) -> list[ObsLocation]:
    """Return the places where no archive exists yet, or none is known to since a poll failed."""
    search = Search(hook, places)
    try:
        search.poll()
    except DliException as failure:
        raise_unless_transient(failure)
        log.info("%s Polling again.", failure)  # on the triggerer
    return search.missing()


def wait_trigger(places: Sequence[ObsLocation], conn_id: str, interval: float, **others: Any) -> ArchivesTrigger:  # noqa: ANN401 -- the trigger's
    """Return the trigger that waits for archives."""
    return ArchivesTrigger([str(place) for place in places], conn_id, interval, **others)


def verify_archives(
    hook: ObsHook,
    places: Sequence[ObsLocation],
    options: VerifyOptions,
    log: Logger,
    *,
    max_concurrency: int = 4,
    timeout: float = 0,
    poll_interval: float = 1,
    log_interval: float = 10,
) -> list[ArchiveReport]:
    """Wait for archives, read them, and log what was found.

    :param max_concurrency: archives that are read at a time
    :param timeout: seconds to wait, in all, for archives that do not exist yet, or while OBS does not respond
    :param log_interval: seconds between two lines on the progress
    :returns: the reports, in the order of the places
    :raises DliException: if OBS does not respond, or an archive is replaced again and again while it is read
    """
    began = time.monotonic()
    reports = read_archives(
        hook, places, options, Deadline.within(timeout, poll_interval, log), max_concurrency, log_interval
    )
    log_reports(reports, time.monotonic() - began, log)
    return reports


def read_archives(
    hook: ObsHook,
    places: Sequence[ObsLocation],
    options: VerifyOptions,
    deadline: Deadline,
    max_concurrency: int = 1,
    log_interval: float = 10,
) -> list[ArchiveReport]:
    """Do the same as :func:`verify_archives`, without the log of the reports."""
    log = deadline.log
    search = Search(hook, places, max_concurrency)
    _wait_for(search, deadline)
    found = deadline.poll(partial(search.found, log))
    sizes = [facts.size for facts in found.values() if facts]
    progress = Progress(log, len(sizes), sum(sizes), log_interval)
    jobs = ExpectedJobs(options.expected_jobs, options.other_jobs, accepts_unexamined=options.accepts_unexamined)
    expectation = jobs.expectation(options.min_entries)
    verify = partial(_verify, hook, options=options, expect=expectation, progress=progress, deadline=deadline)
    reports = [
        jobs.note(report) if report else _missing(place, options, search.others(place))
        for place, report in zip(found, in_order(verify, list(found.items()), max_concurrency), strict=True)
    ]
    return jobs.finish(reports)


def _wait_for(search: Search, deadline: Deadline) -> None:
    """Wait until each place has an archive or the time is over."""
    is_logged = False
    while True:
        deadline.poll(search.poll)
        missing = [place.url for place in search.missing()]
        if not missing or deadline.left <= 0:
            return
        if not is_logged:
            count = f"{len(missing)} archives: " if len(missing) > 1 else ""
            deadline.log.info("Waiting up to %.0f s for %s%s.", deadline.left, count, format_ids(missing))
            is_logged = True
        deadline.sleep()


def _verify(
    hook: ObsHook,
    archive: tuple[ObsLocation, ObjectFacts | None],
    *,
    options: VerifyOptions,
    expect: Expectation,
    progress: Progress,
    deadline: Deadline,
) -> ArchiveReport | None:
    """Read one archive: again if it was replaced or OBS failed meanwhile, a second time if it arrived damaged.

    :returns: None if there is none
    """
    place, facts = archive
    log, attempts_left = deadline.log, _READ_ATTEMPTS
    first: Report | None = None
    while facts is not None:
        try:
            report = (
                _read(hook, place, facts, options.level, expect, progress) if options.level != "exists" else None
            )
        except DliException as failure:
            attempts_left -= 1
            if not attempts_left:
                raise
            if not isinstance(failure.error, ReplacedError):
                raise_unless_transient(failure, deadline.left)
            log.info("%s Reading it again from the start.", failure)
            facts, first = deadline.poll(partial(hook.find, place)), None
            continue
        if report and first is None and (_is_damaged(report) or _differs_from_etag(facts, report)):
            log.info("%s arrived damaged: %s. Reading it a second time.", place.url, _problems(report))
            first = report
            continue
        progress.finish(place, facts.size)
        findings = [*_reading_findings(facts, report, first), *_age_findings(hook, facts, options.max_age)]
        return ArchiveReport(place, options.level, facts, report, tuple(findings))
    return None


def _missing(place: ObsLocation, options: VerifyOptions, others: Sequence[ObsLocation]) -> ArchiveReport:
    """Return the report on a place where there is no archive."""
    problem = "there is no such object in the bucket"
    if others:
        names = format_ids([each.key for each in others])
        problem = f"the directory has {pluralize(len(others), 'object')}, none called .zip: {names}"
    elif place.is_directory:
        problem = "there is no archive in the directory"
    elif not place.is_archive:
        problem += ", nor a directory with archives"
    return ArchiveReport(place, options.level, object_findings=(_defect(_MISSING, problem),))


def _read(
    hook: ObsHook, place: ObsLocation, facts: ObjectFacts, level: Level, expect: Expectation, progress: Progress
) -> Report:
    """Read an archive and check that it still is what OBS has.

    :raises DliException: with a :class:`ReplacedError` if it was replaced or deleted meanwhile
    """
    with translated(), hook.open(place, facts) as reader:
        report = inspect(
            progress.count(place, reader),
            level="full" if level == "full" else "directory",
            md5=facts.md5 is not None,
            expect=expect,
            reports_missing=False,
        )
        # After the last byte: only if OBS still has this version is what arrived what OBS has.
        if not facts.is_same(hook.find(place)):
            raise object_replaced(place, _OK, "AnotherVersion")
    return report


def _defect(code: str, message: str) -> Finding:
    return Finding(code, "error", message)


def _note(code: str, message: str) -> Finding:
    return Finding(code, "warning", message)


def _is_damaged(report: Report) -> bool:
    return any(finding.code not in _REQUIREMENTS for finding in report.errors)


def _differs_from_etag(facts: ObjectFacts, report: Report) -> bool:
    return report.md5 is not None and facts.md5 is not None and report.md5 != facts.md5


def _problems(report: Report) -> str:
    return ", ".join(dict.fromkeys(finding.code for finding in report.errors)) or "its MD5 is not the ETag"


def _reading_findings(facts: ObjectFacts, report: Report | None, first: Report | None) -> list[Finding]:
    """Return what one or two readings of an archive show of the object; the second one decides."""
    if report is None:
        return [] if facts.size else [_defect("empty-file", "the object has no bytes")]
    found = []
    if first and (first.sha256, first.findings) != (report.sha256, report.findings):
        message = f"two readings of one version differ; the first showed: {_problems(first)}; the second"
        if _is_damaged(report) or (_differs_from_etag(facts, report) and not _is_damaged(first)):
            found.append(_defect(_IN_TRANSIT, f"{message}: {_problems(report)}"))
        else:
            found.append(_note(_IN_TRANSIT, f"{message} is intact"))
    elif _is_damaged(report):
        found.append(_note("damaged-in-obs", "two readings gave the same bytes: it was not damaged in transit"))
    if _differs_from_etag(facts, report):
        # If every CRC is right the ETag is not an MD5: the object is encrypted, whether OBS reports it or not.
        found.append(_note("etag-mismatch", f"the ETag is {facts.md5}, the MD5 of the bytes {report.md5}"))
    return found


def _age_findings(hook: ObsHook, facts: ObjectFacts, max_age: float) -> list[Finding]:
    age = age_of(hook, facts)
    if age > max_age:
        return [_defect("too-old", f"it was written {age:,.0f} s ago, max_age is {max_age:,.0f} s")]
    # A time in the future proves no age.
    if age < -_CLOCK_MARGIN - RESOLUTION and math.isfinite(max_age):
        return [
            _defect("not-yet-written", f"it was written at {facts.last_modified}, after the time of OBS's clock")
        ]
    return []


def write_report(
    hook: ObsHook, options: VerifyParameters, reports: Sequence[ArchiveReport], run_id: str | None, log: Logger
) -> str | None:
    """Write the HTML report to OBS and return its place; None if none was required.

    :raises DliException: if it cannot be written; failed archives come first
    """
    if options.report_dir is None:
        return None
    page = page_of_archives(reports, {"Run": run_id, "Level": options.level}, missing_jobs(reports))
    try:
        return write_page(hook, options.report_dir, "verify", page, log)
    except DliException as error:
        raise_for_failures(reports, f"The report was not written: {error}")
        raise


def missing_jobs(reports: Sequence[ArchiveReport]) -> list[int | str]:
    """Return the expected jobs that were found in none of the archives, ids as numbers."""
    missing = next((report.missing for report in reports if report.missing), ())
    return [int(job) if job.isdecimal() else job for job in missing]


def raise_for_failures(reports: Sequence[ArchiveReport], note: str = "") -> None:
    """Raise if an archive is not all that was required.

    :param note: a further sentence of the message
    :raises DliFailException: with every defect of every archive, if one is damaged
    :raises DliException: if some only do not exist, or were damaged in transit: a retry may help
    """
    failed = [report for report in reports if not report.verified]
    if not failed:
        return
    is_damaged = any(_RETRYABLE.isdisjoint(finding.code for finding in report.errors) for report in failed)
    is_missing = any(finding.code == _MISSING for report in failed for finding in report.errors)
    kind = DliFailException if is_damaged else DliException
    is_intact = all(finding.code in _REQUIREMENTS for report in failed for finding in report.errors)
    is_unknown = not any(report.report and _is_damaged(report.report) for report in failed) and any(
        finding.code == _UNKNOWN_LAYOUT for report in failed for finding in report.findings
    )
    advice = (
        "Nothing is damaged: verify without expected_jobs, and send back the fingerprint in the report"
        " (the page Check your account of this provider's documentation)."
        if is_unknown
        else "Nothing is damaged, and exporting again with the same key may change nothing: check that it may"
        " export each of these jobs (the page Permissions of this provider's documentation), and that job ids are"
        " found in your archives."
        if is_intact
        else "Keep the archive as evidence and export again."
        if is_damaged
        else "Check whether the export wrote to this bucket, or increase the timeout."
        if is_missing
        else "Check what is between OBS and this machine, such as a proxy, and retry the task."
    )
    # A job that is in none of the archives is wrong with all of them.
    places: dict[str, list[str]] = {}
    for report in failed:
        places.setdefault(report.problem, []).append(report.place.url)
    listed = format_ids([f"{format_ids(urls)}: {problem}" for problem, urls in places.items()], " | ")
    message = f"{len(failed):,} of {pluralize(len(reports), 'archive')} failed verification: {listed}."
    raise kind(f"{message} {note}" if note else message, advice=advice)


def is_damaged_in_transit(report: ArchiveReport) -> bool:
    """Return whether an archive did not arrive as it is in OBS, so that nothing is known of it."""
    return any(finding.code == _IN_TRANSIT for finding in report.errors)


def find_changing(hook: ObsHook, places: Sequence[ObsLocation], inactivity_period: float) -> list[ObsLocation]:
    """Return the archives that do not exist yet, or have changed within the last seconds.

    :raises DliFailException: if one is a directory
    """
    found = {place: hook.find(place) for place in places}
    for place, facts in found.items():
        if facts is None and not place.is_archive and hook.has_objects(place):
            raise DliFailException(
                f"zip_file: {place.url} is a directory, not an archive",
                advice="Give bucket/key of each archive in it, or the directory to DliVerifyFlinkExportOperator.",
            )
    return [
        place for place, facts in found.items() if facts is None or is_changing(hook, facts, inactivity_period)
    ]


class Progress:
    """Log from time to time how much has been read and how long the rest will take. Threads may share it.

    :param archives: how many there are to read
    :param size: bytes of all of them together
    :param interval: seconds between two lines
    """

    def __init__(
        self, log: Logger, archives: int, size: int, interval: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._archives = archives
        self._size = size
        self._interval = interval
        self._clock = clock
        self._began = self._logged = clock()
        self._finished_archives = self._finished_bytes = 0
        #: bytes of each archive that is being read, or was not read to its end
        self._read: dict[ObsLocation, int] = {}
        self._lock = threading.Lock()

    def count(self, place: ObsLocation, reader: Reader) -> Reader:
        """Return a reader that counts the bytes of an archive from its start."""
        with self._lock:
            self._read[place] = 0
        return _CountingReader(reader, partial(self.add, place))

    def finish(self, place: ObsLocation, size: int) -> None:
        """Count an archive as read, however much of it was read and how often."""
        with self._lock:
            self._finished_archives += 1
            self._finished_bytes += size
            self._read.pop(place, None)

    def add(self, place: ObsLocation, size: int) -> None:
        """Count bytes of an archive that were read."""
        with self._lock:
            self._read[place] = self._read.get(place, 0) + size
            now = self._clock()
            if now - self._logged < self._interval:
                return
            self._logged = now
            read = self._finished_bytes + sum(self._read.values())
        rate = read / (now - self._began) if now > self._began else 0.0
        left = max(0, self._size - read) / rate if rate else 0.0
        self._log.info(
            "Read %.0f of %.0f MB, finished %d of %s; %.1f MB/s, about %.0f s left.",
            read / _MEGA,
            self._size / _MEGA,
            self._finished_archives,
            pluralize(self._archives, "archive"),
            rate / _MEGA,
            left,
        )


class _CountingReader:
    def __init__(self, reader: Reader, count: Callable[[int], None]) -> None:
        self._reader = reader
        self._count = count
        self.tell, self.seek = reader.tell, reader.seek

    def read(self, size: int, /) -> bytes:
        data = self._reader.read(size)
        self._count(len(data))
        return data
