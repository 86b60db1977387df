"""The requests of a task for jobs, over its attempts: each with the state that the job had before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink.status import JobSnapshot
    from airflow_provider_dli.task_state import RequestLog

#: jobs of a record; a record is written anew for each of its jobs, so the bytes grow with the number of jobs
_PER_RECORD = 20


class Notes:
    """The jobs that were requested: each with the state it had before the first request of unknown outcome.

    The outcome of a later request ends nothing of an earlier one: a refusal takes back its own request alone.

    :param log: of the task, under a key of the action's own
    """

    def __init__(self, log: RequestLog) -> None:
        self._log = log
        #: jobs of requests that are more than a day old and have no known outcome: they are reported, and over
        self.expired: list[int] = []
        if log.records and not log.is_recent:
            noted = [(int(job_id), note) for record in log.records for job_id, note in record["jobs"].items()]
            self.expired = [job_id for job_id, note in noted if note[1]]
            log.clear()
        self._places = {
            int(job_id): number for number, record in enumerate(log.records) for job_id in record["jobs"]
        }

    @property
    def job_ids(self) -> set[int]:
        """The jobs that this or an earlier attempt has requested."""
        return set(self._places)

    def of(self, job_id: int) -> JobSnapshot | None:
        """Return the state of a job before it was requested; None if it was not.

        :param job_id: its id
        """
        return self._note(job_id)[0] if job_id in self._places else None

    def is_open(self, job_id: int) -> bool:
        """Whether a request for a job has no known outcome.

        :param job_id: its id
        """
        return job_id in self._places and self._note(job_id)[1] > 0

    def begin(self, job_id: int, mark: JobSnapshot) -> JobSnapshot:
        """Keep that a request is about to be sent; return the state that its outcome is compared with.

        :param job_id: its id
        :param mark: its state now
        """
        if job_id in self._places:
            self._note(job_id)[1] += 1
        else:
            self._add(job_id, [mark, 1, False])
        self._log.update(self._places[job_id])
        return self._note(job_id)[0]  # type: ignore[no-any-return]  # as it was kept

    def confirm(self, job_id: int) -> None:
        """Take down that the response of the last request came; written with the next one.

        :param job_id: its id
        """
        note = self._note(job_id)
        note[1:] = [note[1] - 1, True]

    def cancel(self, job_id: int) -> None:
        """Keep that the last request surely did nothing.

        :param job_id: its id
        """
        note = self._note(job_id)
        note[1] -= 1
        number = self._places[job_id]
        if note[1:] == [0, False]:
            del self._log.records[number]["jobs"][str(job_id)], self._places[job_id]
        self._log.update(number)

    def saw(self, job_id: int, mark: JobSnapshot) -> None:
        """Keep what a later look may no longer show.

        :param job_id: its id
        :param mark: its state before the request, with that
        """
        self._note(job_id)[0] = mark
        self._log.update(self._places[job_id])

    def _add(self, job_id: int, note: list[Any]) -> None:
        records = self._log.records
        if not records or len(records[-1]["jobs"]) >= _PER_RECORD:
            self._log.add({"jobs": {}})
        records[-1]["jobs"][str(job_id)] = note
        self._places[job_id] = len(records) - 1

    def _note(self, job_id: int) -> list[Any]:
        return self._log.records[self._places[job_id]]["jobs"][str(job_id)]  # type: ignore[no-any-return]  # likewise
