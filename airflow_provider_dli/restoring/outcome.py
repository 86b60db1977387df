"""What became of the jobs of an archive: from the service's answer, and from the project's list."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.tables import text_table
from airflow_provider_dli.wording import Logger, counted

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink import JobMapping

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
    :param created: ids of the jobs that it made; where an answer was lost, those that may be its own too
    :param archives: what it imported from, each ``bucket/key``
    :param appeared: id to name of all jobs that the project did not have before
    """

    jobs: tuple[Imported, ...]
    created: tuple[int, ...]
    archives: tuple[str, ...] = ()
    appeared: Mapping[int, str] = field(default_factory=dict)

    @property
    def not_in_response(self) -> list[int]:
        """Ids of jobs that appeared, and that neither the response names nor a lost one accounts for."""
        return [job_id for job_id in self.appeared if job_id not in self.created]


def outcome_of(
    answer: Sequence[JobMapping], names: Mapping[int, str], before: Collection[int], *, unknown: bool
) -> ImportOutcome:
    """Tell what became of an import.

    :param answer: what the service says of each job
    :param names: id to name of the jobs that the project has
    :param before: ids of those that it had before anything was asked
    :param unknown: whether a request was sent whose answer is not known
    """
    told = {each.new_job_id for each in answer}
    lost = {job_id for job_id in names if job_id not in before and job_id not in told}
    clashes = sum(each.new_job_id is None for each in answer)
    # Where an answer is not known, jobs that appeared and have no place in the answer may be what that request
    # imported. Others may make jobs meanwhile: only if there are enough of them can they account for the clashes.
    adopted = unknown and 0 < clashes <= len(lost)
    # Where nothing clashes, no request before this one has imported anything: what appeared is somebody else's.
    ours = told | lost if unknown and clashes else told
    created = tuple(job_id for job_id in names if job_id in ours and job_id not in before)
    jobs = tuple(_imported(each, names, before, adopted=adopted) for each in answer)
    appeared = {job_id: name for job_id, name in names.items() if job_id not in before}
    return ImportOutcome(jobs, created, appeared=appeared)


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


def tell_unnamed(outcome: ImportOutcome, log: Logger) -> None:
    """Warn of new jobs that the response does not name: of this import, or somebody else's.

    :param outcome: of the import
    :param log: where to tell
    """
    unnamed = outcome.not_in_response
    if unnamed:
        shown = ", ".join(f"{job_id} {outcome.appeared[job_id]}" for job_id in unnamed[:_SHOWN])
        log.warning(
            "New in the project since before the import, and not in its response: %s%s. They may be of it, "
            "or made by others.",
            shown,
            " …" if len(unnamed) > _SHOWN else "",
        )


def _imported(each: JobMapping, names: Mapping[int, str], before: Collection[int], *, adopted: bool) -> Imported:
    new = each.new_job_id
    if new is None:
        remark = "imported by a request whose answer was lost; its new id is not told" if adopted else each.remark
        return Imported(each.old_job_id, None, None, adopted, adopted, remark)
    return Imported(each.old_job_id, new, names.get(new), new not in before, False, each.remark)  # noqa: FBT003 -- a field
