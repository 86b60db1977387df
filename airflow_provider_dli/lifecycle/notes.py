"""What a task notes of each job before it asks it, for the try after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink.watching import Mark
    from airflow_provider_dli.memory import TaskMemory


class Notes:
    """The jobs that were asked: the mark that each had before, and when.

    :param memory: of the task, under a key of the deed's own
    """

    def __init__(self, memory: TaskMemory) -> None:
        self._memory = memory
        self._jobs: dict[str, Any] = memory.recall().get("jobs", {})

    @property
    def job_ids(self) -> set[int]:
        """The jobs that this or an earlier try has asked."""
        return {int(job_id) for job_id in self._jobs}

    def of(self, job_id: int) -> tuple[Mark, float] | None:
        """Give what was noted of a job.

        :param job_id: its id
        """
        noted = self._jobs.get(str(job_id))
        return (noted[0], noted[1]) if noted else None

    def keep(self, job_id: int, mark: Mark, asked: float) -> None:
        """Note that a job is asked.

        :param job_id: its id
        :param mark: that it has
        :param asked: epoch seconds
        """
        self._jobs[str(job_id)] = [mark, asked]
        self._write()

    def drop(self, job_id: int) -> None:
        """Forget a job that surely was not asked.

        :param job_id: its id
        """
        del self._jobs[str(job_id)]
        self._write()

    def _write(self) -> None:
        self._memory.keep({"jobs": self._jobs})
