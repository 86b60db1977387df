"""What came of a deed, job by job, and what that makes of the task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_dli.exceptions import DliException, DliFailException, group_by_reason, worst
from airflow_provider_dli.wording import counted

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink.status import JobSnapshot
    from airflow_provider_dli.lifecycle.deeds import Deed

_FEW = 20


@dataclass
class Done:
    """What came of a deed.

    :param marks: each job that was asked, and how it was before
    :param asked: when one was last requested, epoch seconds by the clock of DLI
    :param later: each job that can be asked only later
    :param failed: why it failed, for each job that it did
    """

    marks: dict[int, JobSnapshot] = field(default_factory=dict)
    asked: float = 0.0
    later: list[int] = field(default_factory=list)
    failed: dict[int, DliException] = field(default_factory=dict)

    def fail(self, job_id: int, error: DliException, rest: Iterable[int]) -> bool:
        """Note that it failed for a job; whether that ends it, since it would fail for the rest as well.

        :param job_id: the job
        :param error: why
        :param rest: jobs that come after it
        """
        self.failed[job_id] = error
        if not error.refuses_identity:
            return False
        left_out = f"not asked, since it would be refused as job {job_id} was"
        self.failed |= {each: DliFailException(left_out) for each in rest}
        return True


def checked(done: Done, jobs: Sequence[int], deed: Deed) -> None:
    """Pass if the deed was done to every job.

    :param done: what came of it
    :param jobs: all that it was for
    :param deed: what it was
    :raises DliException: naming each that failed and why, and what was done to the others
    """
    if not done.failed:
        return
    if len(jobs) == 1:
        raise next(iter(done.failed.values()))
    errors = list(done.failed.values())
    # Where the identity is refused, a retry would only lock the key, whatever else went wrong.
    refused = any(each.refuses_identity for each in errors)
    hopeless = refused or all(isinstance(each, DliFailException) for each in errors)
    failed = f"{deed.name}: {len(errors)} of {counted(len(jobs), 'job')} failed: {_listed(done.failed)}."
    kind = DliFailException if hopeless else DliException
    raise kind(f"{failed} {_rest(done, jobs)}") from worst(errors)


def _listed(failed: dict[int, DliException]) -> str:
    """Say why each failed, and once what several have in common; without a full stop."""
    reasons = group_by_reason((job_id, str(error)) for job_id, error in failed.items())
    told = [f"job{'s' * (len(ids) > 1)} {_ids(ids)}: {why}" for why, ids in reasons]
    return " | ".join(told).rstrip(".")


def _rest(done: Done, jobs: Sequence[int]) -> str:
    later = f" It is not yet asked of {_ids(done.later)}." if done.later else ""
    others = [job_id for job_id in jobs if job_id not in done.failed and job_id not in done.later]
    if not others:
        return f"It was asked of no other.{later}"
    return f"It was asked of, or is not needed by, the other {len(others):,}: {_ids(others)}.{later}"


def _ids(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids[:_FEW])) + (" …" if len(ids) > _FEW else "")
