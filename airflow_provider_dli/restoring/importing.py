"""Import jobs so that it is known what became of each, whatever becomes of answers and of the task."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client import flink
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.tables import text_table
from airflow_provider_dli.wording import Logger, counted

if TYPE_CHECKING:
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.memory import TaskMemory

_MOST_ASKS = 3
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one job of an archive.

    :param old_job_id: the id it has in the archive
    :param new_job_id: the id it has now; None if it was not imported, or its id is not known
    :param name: its name now; None if the project has no such job
    :param created: whether it was not there before
    :param adopted: whether an earlier request, whose answer was lost, imported it
    :param remark: the service's words
    """

    old_job_id: int
    new_job_id: int | None
    name: str | None
    created: bool
    adopted: bool
    remark: str

    @property
    def clashes(self) -> bool:
        """Whether it was left out, since a job of its name exists."""
        return self.new_job_id is None and not self.adopted

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        names = ("old_job_id", "new_job_id", "name", "created", "adopted", "remark")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What became of an import.

    :param jobs: each job of the archives
    :param created: ids of the jobs that the project did not have before, those without a place in ``jobs`` too
    :param archives: what it imported from, each ``bucket/key``
    """

    jobs: tuple[Imported, ...]
    created: tuple[int, ...]
    archives: tuple[str, ...] = ()


class Importing:
    """Imports, asked for until its outcome is known.

    Before it asks, it takes down which jobs the project has. So a later try knows which came since: when a request
    whose answer was lost, or whose task was killed, has imported jobs, asking again clashes with them.

    :param hook: asks the service
    :param memory: of the task
    :param settling_time: seconds in which jobs may still appear after an answer was lost
    :param log: where to tell
    """

    def __init__(self, hook: DliHook, memory: TaskMemory, settling_time: float, log: Logger) -> None:
        self._hook = hook
        self._memory = memory
        self._settling_time = settling_time
        self._log = log

    def run(self, place: ObsLocation, *, is_cover: bool) -> ImportOutcome:
        """Import.

        :param place: an archive, or a directory of archives
        :param is_cover: whether to replace jobs of the same names
        :raises DliException: if the service refuses, or the outcome stays unknown
        """
        before, resumed = self._before(place)
        result = self._asked(place, before, is_cover=is_cover, resumed=resumed)
        names = self._names()
        created = tuple(job_id for job_id in names if job_id not in before)
        told = {each.new_job_id for each in result.job_mapping}
        lost = [job_id for job_id in created if job_id not in told]
        clashes = sum(each.new_job_id is None for each in result.job_mapping)
        # Jobs that appeared and have no place in the answer are those that the lost request imported. Others may
        # make jobs meanwhile: only if there are enough of them can they account for the clashes.
        adopted = bool(lost) and clashes <= len(lost)
        jobs = tuple(_imported(each, names, before, adopted=adopted) for each in result.job_mapping)
        return ImportOutcome(jobs, created)

    def _before(self, place: ObsLocation) -> tuple[set[int], bool]:
        kept = self._memory.recall()
        if kept.get("zip_file") == str(place):
            self._log.info("An earlier try ended while it was importing %s.", place.url)
            return set(kept["before"]), True
        before = set(self._names())
        self._memory.keep({"zip_file": str(place), "before": sorted(before)})
        return before, False

    def _asked(self, place: ObsLocation, before: set[int], *, is_cover: bool, resumed: bool) -> flink.ImportResult:
        if resumed:
            self._settle(before)
        for asks_left in reversed(range(_MOST_ASKS)):
            try:
                return self._hook.import_flink_jobs(str(place), is_cover=is_cover)
            except DliException as error:
                if not error.outcome_unknown:
                    self._memory.forget()
                    raise
                if not asks_left:
                    raise
                self._log.info("%s Looking at the project for what became of it.", error)
                self._settle(before)
        raise AssertionError("the last try returns or raises")

    def _settle(self, before: set[int]) -> None:
        """Wait until jobs have appeared and no more do, or the time for that is up."""
        deadline = time.monotonic() + self._settling_time
        seen: set[int] = set()
        while time.monotonic() < deadline:
            now = set(self._names()) - before
            if now and now == seen:
                self._log.info("%s appeared since it was asked.", counted(len(now), "job"))
                return
            seen = now
            time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))

    def _names(self) -> dict[int, str]:
        return {job.job_id: job.name for job in self._hook.list_flink_jobs()}


def tell(jobs: Sequence[Imported], log: Logger) -> None:
    """Tell as a table what became of each job.

    :param jobs: what became of each
    :param log: where to tell
    """
    rows = [(each.old_job_id, each.new_job_id, each.name, each.remark) for each in jobs[:_SHOWN]]
    for line in text_table(("old id", "new id", "name", "remark"), rows):
        log.info("  %s", line)
    if len(jobs) > _SHOWN:
        log.info("  … and %s more", counted(len(jobs) - _SHOWN, "job"))


def _imported(each: flink.JobMapping, names: dict[int, str], before: set[int], *, adopted: bool) -> Imported:
    new = each.new_job_id
    if new is None:
        remark = "imported by a request whose answer was lost; its new id is not told" if adopted else each.remark
        return Imported(each.old_job_id, None, None, adopted, adopted, remark)
    return Imported(each.old_job_id, new, names.get(new), new not in before, False, each.remark)  # noqa: FBT003 -- a field
