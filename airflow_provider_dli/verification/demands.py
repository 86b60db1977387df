"""What is asked of an archive: how much of it is read, what must be in it, how old it may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from airflow_provider_dli.archive import Expectation, Limits
from airflow_provider_dli.client.errors import ConfigurationError

#: ``exists``: OBS has it · ``directory``: its directory was read and is sound · ``full``: every byte was
Level = Literal["exists", "directory", "full"]
LEVELS: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True, slots=True)
class Demands:
    """What is asked of each archive.

    :param level: how much of it is read
    :param expected_jobs: ids or names of jobs, each of which must be in one of the archives
    :param min_entries: fewest entries of each archive, directories not counted
    :param max_age: seconds since it was written, at most; None for any age
    :raises ConfigurationError: naming the field, if one makes no sense, or asks for what the level does not read
    """

    level: Level | str = "full"
    expected_jobs: tuple[int | str, ...] = ()
    min_entries: int = 1
    max_age: float | None = None

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ConfigurationError("level", f"{self.level!r} is no level", f"give one of {', '.join(LEVELS)}")
        if type(self.min_entries) is not int or self.min_entries < 1:
            raise ConfigurationError("min_entries", f"{self.min_entries!r} cannot be", "give 1 or more")
        if self.level == "exists" and (self.expected_jobs or self.min_entries > 1):
            field = "expected_jobs" if self.expected_jobs else "min_entries"
            raise ConfigurationError(field, "cannot be checked at level 'exists'", "give level 'full'")

    @property
    def expectation(self) -> Expectation:
        """Say it as the archive module takes it."""
        return Expectation(jobs=self.expected_jobs, min_entries=self.min_entries)

    @property
    def limits(self) -> Limits:
        """Keep every missing job of a report: several archives are held against each other."""
        return Limits(findings=max(Limits().findings, len(self.expected_jobs)))
