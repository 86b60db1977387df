"""Green or red, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_dli.exceptions import DliException, DliFailException, group_by_reason, worst
from airflow_provider_dli.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_dli.exporting.batch import Batch
    from airflow_provider_dli.exporting.plan import Plan
    from airflow_provider_dli.wording import TaskLogger


def judge(batches: Sequence[Batch], plan: Plan, *, allow_partial: bool, log: TaskLogger) -> None:
    """Pass if every job is in an archive, or, where that is allowed, any.

    :param batches: what became of each
    :param plan: what was to be done
    :param allow_partial: whether what succeeded is enough
    :param log: where to tell
    :raises DliException: naming what failed and why; the batch's own error where there is but one
    """
    bad = [batch for batch in batches if batch.is_failure]
    if not bad or (allow_partial and any(batch.zip_file for batch in batches)):
        for why, failed in _by_reason(bad):
            log.warning("Not exported: %s: %s", _named(failed), why)
        return
    if len(batches) == 1 and bad[0].cause is not None:
        raise bad[0].cause
    raise _failure(bad, plan) from worst(batch.cause for batch in bad if batch.cause)


def _failure(bad: Sequence[Batch], plan: Plan) -> DliException:
    failed = sum(len(batch.failed) for batch in bad)
    why = " | ".join(f"{_named(failed)}: {why}" for why, failed in _by_reason(bad))
    # A retry sends only what is missing.
    kind = DliException if any(batch.transient for batch in bad) else DliFailException
    return kind(
        f"{counted(failed, 'job')} not exported to {plan.directory.url}: {why.rstrip('.')}. "
        "What succeeded is kept: the XCom zip_file lists its archives, failed the jobs."
    )


def _by_reason(bad: Sequence[Batch]) -> list[tuple[str, list[Batch]]]:
    """Group batches by why they failed: a refusal of all of them is said once."""
    return group_by_reason((batch, batch.error or "") for batch in bad)


def _named(batches: Sequence[Batch]) -> str:
    ids = [job_id for batch in batches for job_id in batch.failed]
    several = f" ({len(batches):,} batches)" if len(batches) > 1 else ""
    return f"jobs {', '.join(map(str, ids[:_SHOWN]))}{' …' if len(ids) > _SHOWN else ''}{several}"


_SHOWN = 10
