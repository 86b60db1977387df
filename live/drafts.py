"""The questions that need jobs of our own: drafts that are never run, and are deleted at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from asking import Answer, Asker
from masking import shape
from points import Outcome, Question, Told, skipped
from reading import jobs_of, told

from airflow_provider_dli.client.flink import create_sql_job, delete_job, delete_jobs, stop_jobs

_STATEMENT = "create table t (a int) with ('connector' = 'datagen'); select * from t"


@dataclass
class Drafts:
    """Makes drafts and deletes them.

    :param asker: whose guard allows jobs of our own
    :param prefix: of their names; of this run alone
    """

    asker: Asker
    prefix: str
    made: list[int] = field(default_factory=list)

    def questions(self) -> list[Question]:
        """Give the questions."""
        return [
            Question(11, "stop two drafts, which cannot be stopped", self.stop),
            Question(11, "delete a draft, one that is deleted, and another draft", self.delete),
            skipped(
                11, "run several jobs", "would cost money; look at the answer the next time you run two at once"
            ),
        ]

    def stop(self) -> Told:
        """Stop two drafts in one call."""
        answer = self.asker.send(stop_jobs([self._draft("stop-1"), self._draft("stop-2")]))
        return Outcome.SETTLED, _elements(answer, 2), told(self.asker, answer) | {"shape": shape(answer.body)}

    def delete(self) -> Told:
        """Delete three drafts in one call, the middle of which is gone."""
        ids = [self._draft(f"delete-{number}") for number in range(3)]
        self._delete(ids[1])
        answer = self.asker.send(delete_jobs(ids))
        if isinstance(answer.body, list):
            flags = [each.get("is_success") for each in answer.body if isinstance(each, Mapping)]
        else:
            flags = []
        evidence = told(self.asker, answer) | {"is_success": flags, "shape": shape(answer.body)}
        return Outcome.SETTLED, _elements(answer, len(ids)), evidence

    def clear_up(self) -> int:
        """Delete every draft that is left, also one whose making had no answer; how many could not be deleted."""
        for job in jobs_of(self.asker.get(name=self.prefix, limit=100)):
            if str(job["name"]).startswith(f"{self.prefix}-") and int(job["job_id"]) not in self.made:
                self._made(int(job["job_id"]))
        return sum(not self._delete(job_id) for job_id in list(self.made))

    def _draft(self, name: str) -> int:
        answer = self.asker.send(create_sql_job(f"{self.prefix}-{name}", sql_body=_STATEMENT))
        return self._made(int(answer.body["job"]["job_id"]))

    def _made(self, job_id: int) -> int:
        self.made.append(job_id)
        self.asker.guard.own.add(job_id)
        return job_id

    def _delete(self, job_id: int) -> bool:
        gone = self.asker.send(delete_job(job_id)).taken or not self.asker.get(f"/{job_id}").taken
        if gone:
            self.made.remove(job_id)
        return gone


def _elements(answer: Answer, ids: int) -> str:
    form = f"an array of {len(answer.body)}" if isinstance(answer.body, list) else "one object"
    return f"{ids} ids, status {answer.status}: {form}"
