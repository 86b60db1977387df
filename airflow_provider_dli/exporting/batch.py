"""What became of one batch of an export: a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_dli.exceptions import DliException, DliFailException


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of one batch.

    :param job_ids: the jobs in it; None for all of the project
    :param zip_file: the archives that they were exported to; none if that failed
    :param error: why it failed, or why jobs of it were left out
    :param left_out: jobs of it that the project no longer has
    :param is_selection: whether those were selected and not named: gone, they are no longer what is selected
    :param transient: whether a retry may help
    :param cause: the error itself
    """

    job_ids: tuple[int, ...] | None
    zip_file: tuple[str, ...] = ()
    error: str | None = None
    left_out: tuple[int, ...] = ()
    is_selection: bool = False
    transient: bool = False
    cause: DliException | None = field(default=None, compare=False, repr=False)

    @classmethod
    def that_failed(cls, job_ids: tuple[int, ...] | None, error: DliException) -> Batch:
        """Make one that is in no archive.

        :param job_ids: the jobs in it
        :param error: why
        """
        return cls(job_ids, error=str(error), transient=not isinstance(error, DliFailException), cause=error)

    @property
    def failed(self) -> tuple[int, ...]:
        """The jobs of it that are in no archive."""
        return self.left_out if self.zip_file else self.job_ids or ()

    @property
    def vanished(self) -> tuple[int, ...]:
        """The jobs of it that were selected and then deleted, which is no failure."""
        return self.left_out if self.is_selection else ()

    @property
    def is_failure(self) -> bool:
        """Whether jobs are in no archive that should be in one."""
        return self.error is not None and not self.vanished

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        ids = None if self.job_ids is None else list(self.job_ids)
        return {"job_ids": ids, "zip_file": list(self.zip_file), "failed": list(self.failed), "error": self.error}
