"""What is asked of an archive: how much of it is read, what must be in it, how old it may be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from airflow_provider_dli.archive import Expectation, Limits
from airflow_provider_dli.parameters import Level


@dataclass(frozen=True, slots=True)
class Demands:
    """What is asked of each archive.

    :param level: how much of it is read
    :param expected_jobs: ids or names of jobs, each of which must be in one of the archives
    :param min_entries: fewest entries of each archive, directories not counted
    :param max_age: seconds since it was written, at most
    """

    level: Level = "full"
    expected_jobs: tuple[int | str, ...] = ()
    min_entries: int = 1
    max_age: float = math.inf

    @property
    def expectation(self) -> Expectation:
        """Say it as the archive module takes it."""
        return Expectation(jobs=self.expected_jobs, min_entries=self.min_entries)

    @property
    def limits(self) -> Limits:
        """Keep every missing job of a report: several archives are held against each other."""
        return Limits(findings=max(Limits().findings, len(self.expected_jobs)))
