"""Do a deed to jobs, each once, whatever becomes of answers and of the task."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.errors import AuthenticationError, PermissionDeniedError
from airflow_provider_dli.client.flink.watching import mark_of
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.lifecycle.looking import find
from airflow_provider_dli.wording import Logger, counted

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.lifecycle.deeds import Deed, Mark
    from airflow_provider_dli.memory import TaskMemory

_MOST_ASKS = 3
_GLANCE = 0.5


@dataclass
class Done:
    """What came of a deed.

    :param marks: each job that was asked, and how it was before
    :param asked: epoch seconds of the last time one was asked
    :param failed: why it failed, for each job that it did
    """

    marks: dict[int, Mark] = field(default_factory=dict)
    asked: float = 0.0
    failed: dict[int, DliException] = field(default_factory=dict)


class Doing:
    """Asks, job by job.

    Before a job is asked, its mark is kept: a later try sees by it whether the request of an earlier one was
    carried out.

    :param hook: asks the service
    :param deed: what is asked
    :param memory: of the task
    :param settling_time: seconds in which a job may still show no sign of a request whose answer was lost
    :param log: where to tell
    """

    def __init__(self, hook: DliHook, deed: Deed, memory: TaskMemory, settling_time: float, log: Logger) -> None:
        self._hook = hook
        self._deed = deed
        self.memory = memory
        self._settling_time = settling_time
        self._log = log
        kept = memory.recall()
        self._kept: dict[str, Any] = kept if kept.get("deed") == deed.name else {"deed": deed.name, "jobs": {}}

    def do(self, jobs: dict[int, FlinkJob]) -> Done:
        """Do it to each job that needs it; a job that fails does not stop the others.

        :param jobs: as they are
        :raises DliException: if the identity is refused or a right is missing: all others would fail too
        """
        done = Done()
        for job_id, job in jobs.items():
            try:
                self._do_one(job_id, job, done)
            except DliException as error:
                if isinstance(error.error, AuthenticationError | PermissionDeniedError):
                    raise
                done.failed[job_id] = error
        return done

    def _do_one(self, job_id: int, job: FlinkJob, done: Done) -> None:
        asked_before = self._kept["jobs"].get(str(job_id))
        if asked_before:
            mark, moment = asked_before
            done.asked = max(done.asked, moment)
            if self._shows(job_id, mark, moment):
                self._log.info(
                    "Job %d %s: an earlier try has asked for it (%s).", job_id, job.name, self._deed.name
                )
                done.marks[job_id] = mark
                return
        elif not self._deed.needed(job):
            self._log.info("Job %d %s %s: %s.", job_id, job.name, self._deed.done, job.status)
            return
        mark = mark_of(job)
        done.marks[job_id] = mark
        self._ask(job_id, mark, done)

    def _ask(self, job_id: int, mark: Mark, done: Done) -> None:
        for asks_left in reversed(range(_MOST_ASKS)):
            done.asked = time.time()
            self._keep(job_id, mark, done.asked)
            try:
                self._hook.run(self._deed.call(job_id))
            except DliException as error:
                if not error.outcome_unknown:
                    self._drop(job_id)
                    raise
                self._log.info("%s Looking at the job for what became of it.", error)
                if self._shows(job_id, mark, done.asked):
                    return
                if not (asks_left and error.worth_repeating):
                    raise
            else:
                return

    def _shows(self, job_id: int, mark: Mark, asked: float) -> bool:
        """Tell whether a job shows that it was asked; wait for it as long as it may take."""
        while True:
            if self._deed.happened(find(self._hook, job_id), mark):
                return True
            left = asked + self._settling_time - time.time()
            if left <= 0:
                return False
            time.sleep(min(_GLANCE, left))

    def _keep(self, job_id: int, mark: Mark, asked: float) -> None:
        self._kept["jobs"][str(job_id)] = [mark, asked]
        self.memory.keep(self._kept)

    def _drop(self, job_id: int) -> None:
        del self._kept["jobs"][str(job_id)]
        self.memory.keep(self._kept)


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
    listed = " | ".join(f"job {job_id}: {error}" for job_id, error in done.failed.items())
    kind = DliFailException if all(isinstance(e, DliFailException) for e in done.failed.values()) else DliException
    rest = len(jobs) - len(done.failed)
    raise kind(
        f"{deed.name}: {len(done.failed)} of {counted(len(jobs), 'job')} failed: {listed}. "
        f"It was asked of, or is not needed by, the other {rest:,}."
    )
