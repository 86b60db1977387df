"""Find archives and read them, whatever happens on the way."""

from __future__ import annotations

import math
import time
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_dli.archive import Finding, Report, inspect
from airflow_provider_dli.client.obs.asking import ReplacedError, changed
from airflow_provider_dli.exceptions import DliException, translated
from airflow_provider_dli.verification.judgement import MISSING, together
from airflow_provider_dli.verification.progress import Progress
from airflow_provider_dli.verification.readings import compare_readings, is_doubtful, told
from airflow_provider_dli.verification.report import ArchiveReport, defect
from airflow_provider_dli.verification.telling import tell
from airflow_provider_dli.verification.waiting import Found, look, wait_for
from airflow_provider_dli.wording import Logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.client.obs.objects import ObjectFacts
    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.verification.demands import Demands

_OK = 200
_MOST_TRIES = 3
_RESOLUTION = 1.0
#: seconds by which a write may seem to come after the store's own clock: its machines differ
_MARGIN = 5.0


class Verification:
    """Verifies archives: waits for all of them out of one budget of time, then reads one after the other.

    :param hook: reads OBS
    :param demands: what is asked of each
    :param log: where to tell
    :param tell_every: seconds between two lines about how far it is
    """

    def __init__(self, hook: ObsHook, demands: Demands, log: Logger, tell_every: float = 10.0) -> None:
        self._tell_every = tell_every
        self.hook = hook
        self._demands = demands
        self._log = log

    def run(self, places: Sequence[ObsLocation], timeout: float, poll_interval: float) -> list[ArchiveReport]:
        """Wait for archives and read them.

        :param places: where they should be
        :param timeout: seconds to wait, in all, for those that are not there yet
        :param poll_interval: seconds between two looks
        :returns: a report on each
        :raises DliException: if OBS does not answer, or an archive is replaced again and again while it is read
        """
        found = wait_for(self.hook, places, timeout, poll_interval, self._log)
        began = time.monotonic()
        size = sum(facts.size for facts in found.values())
        progress = Progress(self._log, len(found), size, self._tell_every)
        reports = together([self._verify(place, found.get(place), progress) for place in places])
        tell(reports, time.monotonic() - began, self._log)
        return reports

    def missing(self, places: Sequence[ObsLocation]) -> list[ObsLocation]:
        """Give the archives that are not there yet, or not known to be since a look failed.

        :param places: where they should be
        :raises DliFailException: if no other look can go better
        """
        found: Found = {}
        look(self.hook, places, found, self._log)
        return [place for place in places if place not in found]

    def unsettled(self, places: Sequence[ObsLocation], settle_time: float) -> list[ObsLocation]:
        """Give the archives that are not there yet, or were written a moment ago.

        :param places: where they should be
        :param settle_time: seconds for which they must not have changed
        """
        found = {place: self.hook.find(place) for place in places}
        return [place for place, facts in found.items() if facts is None or self._age(facts) < settle_time]

    def _verify(self, place: ObsLocation, facts: ObjectFacts | None, progress: Progress) -> ArchiveReport:
        """Read one archive: from the start again where it was replaced, once more where it arrived damaged."""
        level, before, tries_left = self._demands.level, progress.position, _MOST_TRIES
        first: Report | None = None
        while facts is not None:
            report, failure = self._read(place, facts, progress) if level != "exists" else (None, None)
            if failure:
                tries_left -= 1
                if not tries_left:
                    raise failure
                self._log.info("%s Starting again.", failure)
                facts, first = self.hook.find(place), None
            elif report and first is None and is_doubtful(facts, report):
                self._log.info("%s arrived damaged: %s. Reading it once more.", place.url, told(report))
                first = report
            else:
                progress.finished(facts.size, before)
                return ArchiveReport(place, level, facts, report, tuple(self._defects(facts, report, first)))
        return ArchiveReport(place, level, defects=(_MISSING,))

    def _read(
        self, place: ObsLocation, facts: ObjectFacts, progress: Progress
    ) -> tuple[Report | None, DliException | None]:
        """Read it; no report, but what to raise in the end, where it was replaced or deleted meanwhile."""
        demands = self._demands
        try:
            with translated(), self.hook.open(place, facts) as reader:
                report = inspect(
                    progress.reading(reader),
                    level="full" if demands.level == "full" else "directory",
                    md5=facts.md5 is not None,
                    expect=demands.expectation,
                    limits=demands.limits,
                )
                # After the last byte: what arrived is only then what OBS has, if OBS still has it.
                if not facts.is_same(self.hook.find(place)):
                    raise changed(place, _OK, "AnotherVersion")
        except DliException as error:
            if not isinstance(error.error, ReplacedError):
                raise
            return None, error
        return report, None

    def _defects(self, facts: ObjectFacts, report: Report | None, first: Report | None) -> list[Finding]:
        found = []
        if not facts.size and report is None:
            found.append(defect("empty-file", "the object has no bytes"))
        if report:
            found += compare_readings(facts, report, first)
        age = self._age(facts)
        if age > self._demands.max_age:
            found.append(
                defect(
                    "too-old", f"it was written {age:,.0f} s ago, at most {self._demands.max_age:,.0f} are allowed"
                )
            )
        # A time that has not come proves no age.
        if age < -_MARGIN - _RESOLUTION and math.isfinite(self._demands.max_age):
            found.append(
                defect("not-yet-written", f"it was written at {facts.last_modified}, later than the clock of OBS")
            )
        return found

    def _age(self, facts: ObjectFacts) -> float:
        """Return the seconds that have passed for certain since it was written, by the store's clock.

        OBS cuts the time of the last write to whole seconds.
        """
        written = datetime.fromisoformat(facts.last_modified).timestamp()
        return self.hook.service_time() - written - _RESOLUTION


_MISSING = defect(MISSING, "there is no such object in the bucket")
