"""Do a deed to jobs, each once, whatever becomes of answers and of the task."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_dli.client.flink.status import snapshot_after, snapshot_of
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.lifecycle.looking import find
from airflow_provider_dli.lifecycle.notes import Notes
from airflow_provider_dli.lifecycle.outcome import Done, checked
from airflow_provider_dli.services.reconcile import call_with_reconciliation, refused_after_lost_response
from airflow_provider_dli.wording import TaskLogger

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.client.flink.status import JobSnapshot
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.lifecycle.deeds import Deed
    from airflow_provider_dli.task_state import RequestLog

__all__ = ["Doing", "Done", "checked"]

_GLANCE = 0.5
#: seconds in which what was accepted may still not show
_GRACE = 10.0


class Doing:
    """Asks, job by job.

    Before a job is asked, its mark is kept: a later try sees by it whether the request of an earlier one was
    carried out.

    :param hook: asks the service
    :param deed: what is asked
    :param memory: of the task, under a key of the deed's own
    :param settling_time: seconds in which a job may still show no sign of a request whose answer was lost
    :param log: of the task
    :param recalls: whether jobs may have been requested by an earlier attempt, which get time to show it
    """

    def __init__(
        self,
        hook: DliHook,
        deed: Deed,
        memory: RequestLog,
        settling_time: float,
        log: TaskLogger,
        *,
        recalls: bool = True,
    ) -> None:
        self._hook = hook
        self._deed = deed
        self.memory = memory
        self._settling_time = settling_time
        self._log = log
        self.notes = Notes(memory)
        # What an earlier attempt requested gets its time from here on: no clock of another machine counts.
        self._patient_until = time.monotonic() + (settling_time if recalls else 0.0)
        if self.notes.expired:
            listed = ", ".join(map(str, self.notes.expired))
            log.warning(
                "A day ago or more, %s was requested of job %s; its outcome is not known.", deed.name, listed
            )

    def do(self, jobs: dict[int, FlinkJob], done: Done | None = None) -> Done:
        """Do it to each job that needs it; a job that fails does not stop the others.

        Where the identity itself is refused, the others are not asked: each would be refused, and a key be locked.

        :param jobs: as they are
        :param done: takes what comes of it, for whoever must know before the end
        """
        done, ids = done or Done(), list(jobs)
        for number, job_id in enumerate(ids):
            try:
                self._do_one(job_id, jobs[job_id], done)
            except DliException as error:
                if done.fail(job_id, error, ids[number + 1 :]):
                    break
        return done

    def check_effect(self, jobs: dict[int, FlinkJob], done: Done, patience: float = _GRACE) -> None:
        """Check that each job shows what was done to it: a response that it was is only that.

        :param jobs: those it was done to
        :param done: takes those that do not show it
        :param patience: seconds that all of them together get for it
        """
        until = time.monotonic() + patience
        for job_id in [job_id for job_id in jobs if job_id not in done.failed]:
            job, mark = jobs[job_id], done.marks.get(job_id) or snapshot_of(jobs[job_id])
            try:
                if not self._shows(job_id, mark, until, done):
                    done.failed[job_id] = DliException(
                        f"{self._deed.name} of job {job_id} {job.name} was accepted, and it does not show after "
                        f"{patience:.0f} s.",
                        advice="Look at the job in the console; the next attempt requests it again.",
                    )
            except DliException as error:
                done.failed[job_id] = error

    def _do_one(self, job_id: int, job: FlinkJob, done: Done) -> None:
        if (mark := self.notes.of(job_id)) is not None:
            done.asked = max(done.asked, self._hook.service_time())
            if self._shows(job_id, mark, self._patient_until, done):
                self._log.info("Job %d %s: %s was requested before.", job_id, job.name, self._deed.name)
                return
            self._log.info(
                "Job %d %s shows nothing of an earlier request for %s; sending it again.",
                job_id,
                job.name,
                self._deed.name,
            )
        elif not self._deed.needed(job):
            self._leave_alone(job, done)
            return
        self._ask(job, done)

    def _leave_alone(self, job: FlinkJob, done: Done) -> None:
        told = f"Job {job.job_id} {job.name} {self._deed.done}: {job.status}."
        if self._deed.later(job):
            self._put_off(job.job_id, told, done)
            return
        self._log.info("%s", told)
        if self._deed.under_way(job):
            done.marks[job.job_id] = snapshot_of(job)

    def _put_off(self, job_id: int, why: str, done: Done) -> None:
        """Leave a job to whoever waits for it; where nobody does, it has failed."""
        if not self._deed.patient:
            raise DliException(f"{why} It was not asked; try again, or have the task wait.")
        done.later.append(job_id)
        self._log.info("%s It is asked as soon as it can be.", why)

    def _ask(self, job: FlinkJob, done: Done) -> None:
        job_id = job.job_id

        def look(error: DliException) -> bool | None:
            self._log.info("%s Checking the job for the outcome.", error)
            until = time.monotonic() + self._settling_time
            return self._shows(job_id, done.marks[job_id], until, done) or None

        answer = call_with_reconciliation(lambda: self._asked(job, done), look, self._log)
        if isinstance(answer, DliException) and not self._is_untimely(job_id, done.marks[job_id], answer, done):
            raise (
                refused_after_lost_response(answer) if self.notes.is_open(job_id) else answer
            ) from answer.__cause__

    def _asked(self, job: FlinkJob, done: Done) -> DliException | bool:
        """Ask; True, or the service's no, which the caller judges: that may ask the service in its turn."""
        job_id, call = job.job_id, self._deed.call(job.job_id)
        settings = {name: value for name, value in (call.body or {}).items() if name != "job_ids"}
        self._log.info(
            "Requesting %s of job %d %s in project %s, %s%s.",
            self._deed.name,
            job_id,
            job.name,
            self._hook.project_id,
            self._hook.account.region,
            "".join(f", {name}={value}" for name, value in settings.items()),
        )
        # Of several requests the first counts whose outcome is not known: its mark stays.
        done.marks[job_id] = self.notes.begin(job_id, snapshot_of(job))
        done.asked = self._hook.service_time()
        try:
            answer = self._hook.run(call)
        except DliException as error:
            if error.outcome_unknown:
                raise
            self._log.info("Job %d: %s was refused: %s", job_id, self._deed.name, error)
            self.notes.cancel(job_id)
            return error
        self._log.info("Job %d: %s was accepted. %s", job_id, self._deed.name, answer.message)
        self.notes.confirm(job_id)
        self._catch_sight(job_id, done.marks[job_id], done)
        return True

    def _catch_sight(self, job_id: int, mark: JobSnapshot, done: Done) -> None:
        """Stay with a job until it shows what will be gone at the next look, which may be in a minute."""
        if not self._deed.fleeting:
            return
        try:
            self._shows(job_id, mark, time.monotonic() + self._settling_time, done)
        except DliException as error:
            self._log.info("%s It was asked all the same.", error)

    def _is_untimely(self, job_id: int, mark: JobSnapshot, error: DliException, done: Done) -> bool:
        """Tell whether a job was refused for having changed since it was looked at, and is dealt with."""
        if getattr(error.error, "code", None) not in self._deed.refusals:
            return False
        job = find(self._hook, job_id)
        if job and self._deed.later(job):
            del done.marks[job_id]
            self._put_off(job_id, f"Job {job_id} {job.name} is {job.status}. {error}", done)
            return True
        over = self._deed.happened(None, mark) if job is None else not self._deed.needed(job)
        if over:
            self._log.info("Job %d %s. %s", job_id, self._deed.done, error)
        return over

    def _shows(self, job_id: int, mark: JobSnapshot, until: float, done: Done) -> bool:
        """Whether a job shows that it was requested; poll it as long as that may take.

        :param until: by this machine's monotonic clock
        """
        while True:
            job = find(self._hook, job_id)
            if self._deed.happened(job, mark):
                done.marks[job_id] = snapshot_after(mark, job) if job and self._deed.fleeting else mark
                if done.marks[job_id] != mark:
                    self.notes.saw(job_id, done.marks[job_id])
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(_GLANCE, left))
