"""The questions that need jobs of our own: drafts that are never run, and are deleted at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from masking import shape
from points import Outcome, Question, Result, skipped
from reading import jobs_of, proof
from sending import Response, Sender

from airflow_provider_dli.client.flink import create_sql_job, delete_job, delete_jobs, stop_jobs

_STATEMENT = "create table t (a int) with ('connector' = 'datagen'); select * from t"


@dataclass
class Drafts:
    """Makes drafts and deletes them.

    :param sender: whose guard allows jobs of our own
    :param prefix: of their names; of this run alone
    """

    sender: Sender
    prefix: str
    made: list[int] = field(default_factory=list)

    def questions(self) -> list[Question]:
        """Return the questions."""
        return [
            Question(14, "settings of a draft that was created with a statement alone", self.filled_in),
            Question(11, "stop two drafts, which cannot be stopped", self.stop),
            Question(11, "delete a draft, one that is deleted, and another draft", self.delete),
            skipped(
                11, "run several jobs", "would cost money; check the response the next time you run two at once"
            ),
        ]

    def filled_in(self) -> Result:
        """Show what a draft has that was not given."""
        job_id = self._draft("settings")
        detail = self.sender.get(f"/{job_id}").body["job_detail"]
        given = {"job_id", "name", "sql_body", "job_type", "status", "project_id", "user_id", "create_time"}
        settings = {
            **detail.get("job_config", {}),
            **{name: detail[name] for name in detail if name != "job_config"},
        }
        # A number or a flag is a default; of a string its length is enough.
        shown = {
            name: value if isinstance(value, bool | int) else shape(value)
            for name, value in sorted(settings.items())
            if name not in given and value not in (None, "", [], {})
        }
        own = str(job_id) in str(settings.get("checkpoint_path"))
        result = ", ".join(f"{name} {value}" for name, value in shown.items()) or "none"
        return Outcome.DECIDED, f"{result}; checkpoint_path holds the job's id: {'yes' if own else 'no'}", shown

    def stop(self) -> Result:
        """Stop two drafts in one call."""
        response = self.sender.send(stop_jobs([self._draft("stop-1"), self._draft("stop-2")]))
        return (
            Outcome.DECIDED,
            _elements(response, 2),
            proof(self.sender, response) | {"shape": shape(response.body)},
        )

    def delete(self) -> Result:
        """Delete three drafts in one call, the middle of which is gone."""
        ids = [self._draft(f"delete-{number}") for number in range(3)]
        self._delete(ids[1])
        response = self.sender.send(delete_jobs(ids))
        if isinstance(response.body, list):
            flags = [each.get("is_success") for each in response.body if isinstance(each, Mapping)]
        else:
            flags = []
        evidence = proof(self.sender, response) | {"is_success": flags, "shape": shape(response.body)}
        return Outcome.DECIDED, _elements(response, len(ids)), evidence

    def clear_up(self) -> int:
        """Delete every draft that is left, also one without a response; return how many are left."""
        for job in jobs_of(self.sender.get(name=self.prefix, limit=100)):
            if str(job["name"]).startswith(f"{self.prefix}-") and int(job["job_id"]) not in self.made:
                self._made(int(job["job_id"]))
        return sum(not self._delete(job_id) for job_id in list(self.made))

    def _draft(self, name: str) -> int:
        response = self.sender.send(create_sql_job(f"{self.prefix}-{name}", sql_body=_STATEMENT))
        return self._made(int(response.body["job"]["job_id"]))

    def _made(self, job_id: int) -> int:
        self.made.append(job_id)
        self.sender.guard.own.add(job_id)
        return job_id

    def _delete(self, job_id: int) -> bool:
        gone = self.sender.send(delete_job(job_id)).taken or not self.sender.get(f"/{job_id}").taken
        if gone:
            self.made.remove(job_id)
        return gone


def _elements(response: Response, ids: int) -> str:
    form = f"an array of {len(response.body)}" if isinstance(response.body, list) else "one object"
    return f"{ids} ids, status {response.status}: {form}"
