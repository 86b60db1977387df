"""Which archives a drill takes: so that every job has its turn within a window, whatever was drilled before."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.backups.manifest import equal_jobs
from airflow_provider_dli.backups.state import READING_TIME
from airflow_provider_dli.formatting import format_duration, pluralize

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.backups.catalogue import Catalogue
    from airflow_provider_dli.backups.manifest import Run
    from airflow_provider_dli.backups.state import Backup


@dataclass(frozen=True, slots=True)
class PastDrills:
    """What earlier drills have found, as the records of all backups of a project show it."""

    #: when a job was last found equal
    drilled: Mapping[int, datetime]
    #: that this run has found equal, in an earlier attempt
    by_this_run: frozenset[int]
    #: when the last drill of another run was
    last: datetime | None


def ids_by_archive(backup: Backup, jobs: Collection[int]) -> dict[str, list[int]]:
    """Return which jobs are in each archive; where the manifest does not have it, they may all be in each."""
    archives = backup.manifest.archives if backup.manifest else ()
    return {each.name: sorted(jobs if each.job_ids is None else {*each.job_ids} & {*jobs}) for each in archives}


def choose(
    archives: Mapping[str, Sequence[int]], drilled: Mapping[int, datetime], sample: int, seed: str
) -> dict[str, Sequence[int]]:
    """Return the archives to drill: those with the jobs that were drilled longest ago, or never.

    :param archives: ids of the jobs in each
    :param drilled: when a job was last found equal
    :param sample: jobs to drill, at least, as far as there are
    :param seed: by which the order of equals is random, and the same for each attempt of a run
    """
    names = sorted(name for name, ids in archives.items() if ids)
    random.Random(seed).shuffle(names)  # noqa: S311 -- an order, no secret

    def last(job_id: int) -> float:
        return drilled[job_id].timestamp() if job_id in drilled else -math.inf

    names.sort(key=lambda name: min(map(last, archives[name])))
    chosen: dict[str, Sequence[int]] = {}
    for name in names:
        if sum(map(len, chosen.values())) >= sample:
            break
        chosen[name] = archives[name]
    return chosen


def past_drills(catalogue: Catalogue, backups: Sequence[Backup], run: Run | None) -> PastDrills:
    """Read the records of all drills."""
    drilled: dict[int, datetime] = {}
    by_this_run, others = set(), []
    recently = catalogue.now() - READING_TIME
    for backup in backups:
        for record in backup.of_kind("drill"):
            content = catalogue.read_record(backup, record)
            equal = equal_jobs(content)
            for job_id in equal:
                drilled[job_id] = max(record.at, drilled.get(job_id, record.at))
            if not _is_of(content, run):
                others.append(record.at)
            elif record.at > recently:
                # A task that is cleared days later drills again.
                by_this_run |= equal
    return PastDrills(drilled, frozenset(by_this_run), max(others, default=None))


def _is_of(content: Mapping[str, Any], run: Run | None) -> bool:
    return run is not None and content.get("run") == run.model_dump()


def warn_of_pace(past: PastDrills, window: float, jobs: int, drilled: int, now: datetime, log: Logger) -> None:
    """Warn if drills as often as the last two take longer for all jobs than the window.

    :param window: seconds
    :param jobs: all of them
    :param drilled: in this drill
    """
    if past.last is None or past.last >= now:
        return
    between = (now - past.last).total_seconds()
    needed = -(-jobs // max(1, int(window / between)))
    if drilled < needed:
        log.warning(
            "The last drill was %s ago. At this pace it takes longer than drill_window, %s, to drill %s: give "
            "sample=%d, or drill more often.",
            *(format_duration(between), format_duration(window), pluralize(jobs, "job"), needed),
        )
