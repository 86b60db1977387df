"""What a task remembers of an import over its tries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.flink import JobMapping

if TYPE_CHECKING:
    from airflow_provider_dli.task_state import TaskState

#: which wish the answer is to; without it, the answer only tells whose the jobs are
_ANSWERS = "is_cover"


class Journal:
    """What is known of one import: as an earlier try left it, and as it comes to be known.

    :param memory: of the task
    :param zip_file: what is imported
    :param version: tells these archives from others that were under the same names
    """

    def __init__(self, memory: TaskState, zip_file: str, version: str) -> None:
        self._memory = memory
        self._what = {"zip_file": zip_file, "version": version}
        kept = memory.load()
        #: whether an earlier try of the task has begun this import
        self.resumed = all(kept.get(name) == value for name, value in self._what.items())
        #: an import of something else whose outcome is not known: what it was of, and the jobs before it
        self.abandoned: tuple[str, frozenset[int]] | None = None
        if not self.resumed and kept.get("unknown"):
            self.abandoned = (str(kept.get("zip_file")), frozenset(kept.get("before", ())))
        kept = kept if self.resumed else {}
        #: ids of the jobs that the project had before anything was asked
        self.before: Collection[int] = frozenset(kept.get("before", ()))
        #: what the service said became of each job; empty until it has
        self.answer = tuple(JobMapping(*each) for each in kept.get("answer", ()))
        #: whether a request was sent whose answer is not known
        self.unknown: bool = kept.get("unknown", False)
        self._is_cover: bool | None = kept.get(_ANSWERS)

    @property
    def accounted(self) -> frozenset[int]:
        """Ids of the jobs whose origin is known: those that were there before, and those of the answer."""
        return frozenset(self.before) | {each.new_job_id for each in self.answer if each.new_job_id is not None}

    def asking(self) -> None:
        """Take down that it is asked for now: from here on, a try that ends leaves an answer unknown."""
        self._keep(unknown=True)

    def answered(self, answer: Sequence[JobMapping], *, is_cover: bool) -> None:
        """Take down the answer; what an earlier one has told of a job that now clashes holds still.

        :param answer: what the service says of each job
        :param is_cover: whether it was asked to replace jobs
        """
        told = {each.old_job_id: each for each in self.answer if each.new_job_id is not None}
        self.answer = tuple(
            told.get(each.old_job_id, each) if each.new_job_id is None else each for each in answer
        )
        self._is_cover = is_cover
        self._keep(unknown=self.unknown)

    def refused(self) -> None:
        """Take down that the last request did nothing; forget all if no request before it did anything."""
        if self.unknown or self.answer:
            self._keep(unknown=self.unknown)
        else:
            self._memory.clear()

    def settles(self, names: Collection[int], *, is_cover: bool) -> bool:
        """Tell whether there is nothing left to ask: an answer has come that names each job, and all are there.

        :param names: ids of the jobs that the project has
        :param is_cover: whether jobs are to be replaced: an answer to the other wish is none to this one
        """
        is_same = bool(self.answer) and self._is_cover == is_cover
        return is_same and all(each.new_job_id in names for each in self.answer)

    def _keep(self, *, unknown: bool) -> None:
        kept: dict[str, Any] = {**self._what, "before": sorted(self.before), "unknown": unknown}
        if self.answer:
            rows = [[each.old_job_id, each.new_job_id, each.remark] for each in self.answer]
            kept |= {"answer": rows, _ANSWERS: self._is_cover}
        self._memory.save(kept)


def close(memory: TaskState) -> None:
    """Take down that an import came to a good end: whoever has the task run again wants it asked anew.

    What it imported is remembered: should the process die before Airflow knows of the success, the next try must
    know that the jobs it finds there are those of this one.

    :param memory: of the task
    """
    memory.save({name: value for name, value in memory.load().items() if name != _ANSWERS})
