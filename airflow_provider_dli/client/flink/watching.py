"""What has been seen of jobs on their way to a goal, and what it means. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_dli.client.flink.jobs import FlinkJob
from airflow_provider_dli.client.flink.states import RESTARTS, SAVING, Goal, Verdict, may_stop, verdict

Mark = list[Any]


def mark_of(job: FlinkJob) -> Mark:
    """Give what of a job changes when it is run, stopped or saved; plain JSON, to be kept.

    :param job: as list or detail show it
    """
    return [job.status, job.start_time or None, job.savepoint_path or None]


def mark_after(mark: Mark, job: FlinkJob) -> Mark:
    """Give the mark of a job with what a later look no longer shows: that it was saved, or came to an exception.

    :param mark: that it had before it was asked
    :param job: as it is now
    """
    return [job.status, *mark[1:]] if job.status in (RESTARTS, SAVING) else mark


def shows_savepoint(job: FlinkJob, mark: Mark) -> bool:
    """Tell whether a job shows that a savepoint was made of it.

    Its ``savepoint_path`` is another one; or it was saved and runs on: what the path becomes where a savepoint
    is made in the directory of the one before, the manual does not say.

    :param job: as it is now
    :param mark: that it had before it was asked, see :func:`mark_after`
    """
    status, _, path = mark
    if job.status == SAVING:
        return False
    return (job.savepoint_path or None) not in (None, path) or (status == SAVING and job.status == "job_running")


def restarts(job: FlinkJob) -> bool:
    """Tell whether a job starts again by itself after an exception.

    :param job: as the detail shows it
    """
    config = job.raw.get("job_config")
    return isinstance(config, Mapping) and bool(config.get("restart_when_exception"))


def is_stoppable(job: FlinkJob) -> bool:
    """Tell whether a job is to be asked to stop: it runs, may come to run by itself, or failed to stop.

    :param job: as the detail shows it
    """
    return may_stop(job.status, restarts=restarts(job))


@dataclass
class Watch:
    """Jobs on their way to a goal.

    :param job_ids: the jobs
    :param goal: where they shall come to
    :param before: the marks of jobs before they were asked to move. While a job bears its mark still, it has not
        moved: DLI goes on showing the status of before for a while
    :param asked: epoch seconds at which they were asked
    :param grace: seconds after that in which a job may bear its mark still
    :param must_move: whether they were asked, and it is a failure to bear it for longer, though its status may be
        no bad one. If not, what is seen of a job at first is its mark: it may be the end of the run before
    """

    job_ids: Sequence[int]
    goal: Goal
    before: dict[int, Mark] = field(default_factory=dict)
    asked: float = 0.0
    grace: float = 0.0
    must_move: bool = True
    seen: dict[int, FlinkJob | None] = field(default_factory=dict)

    def see(self, job_id: int, job: FlinkJob | None) -> None:
        """Take down what was seen of a job.

        :param job_id: its id
        :param job: as it is; None if it does not exist
        """
        self.seen[job_id] = job
        if job is None:
            return
        if not self.must_move:
            self.before.setdefault(job_id, mark_of(job))
        elif self.goal in ("stopped", "saved") and job_id in self.before:
            self.before[job_id] = mark_after(self.before[job_id], job)

    def verdict(self, job_id: int, now: float) -> Verdict:
        """Tell how it is with a job.

        :param job_id: its id
        :param now: epoch seconds
        """
        if job_id not in self.seen:
            return Verdict.WAIT
        job = self.seen[job_id]
        if job is None:
            return Verdict.FAILED
        if self.goal == "saved" and job_id in self.before and shows_savepoint(job, self.before[job_id]):
            return Verdict.REACHED
        if self._unmoved(job):
            if now < self.asked + self.grace:
                return Verdict.WAIT
            if self.must_move:
                return Verdict.FAILED
        return verdict(job.status, self.goal, restarts=restarts(job))

    def waiting(self, now: float) -> list[int]:
        """Give the jobs that are on their way still; none as soon as one has failed, for then it is over."""
        verdicts = {job_id: self.verdict(job_id, now) for job_id in self.job_ids}
        if Verdict.FAILED in verdicts.values():
            return []
        return [job_id for job_id, each in verdicts.items() if each is Verdict.WAIT]

    def due(self, now: float) -> list[int]:
        """Give the jobs that could not be asked when they were to be, or came back since, and can be asked now."""
        jobs = [self.seen.get(job_id) for job_id in self.waiting(now) if self.must_move]
        return [job.job_id for job in jobs if job and self._is_due(job)]

    def failures(self, now: float) -> dict[int, str]:
        """Tell of each job that has failed how."""
        failed = [job_id for job_id in self.job_ids if self.verdict(job_id, now) is Verdict.FAILED]
        return {job_id: self._how(job_id) for job_id in failed}

    def _how(self, job_id: int) -> str:
        job = self.seen[job_id]
        if job is None:
            return "the project has no such job"
        words = f" ({job.status_desc})" if job.status_desc else ""
        lacks = ", and shows no new savepoint" if self.goal == "saved" else ""
        if self.must_move and self._unmoved(job):
            return f"still {job.status}{words} after {self.grace:.0f} s{lacks}"
        return f"{job.status}{words}{lacks}"

    def _is_due(self, job: FlinkJob) -> bool:
        mark = self.before.get(job.job_id)
        if self.goal == "saved":
            return mark is None and job.status == "job_running"
        # What was asked of it has ended with the run that the exception ended.
        unasked = mark is None or mark[0] == RESTARTS
        return self.goal == "stopped" and restarts(job) and unasked and may_stop(job.status)

    def _unmoved(self, job: FlinkJob) -> bool:
        mark = self.before.get(job.job_id)
        if mark is None or self.goal == "stopped":
            return False
        if self.goal == "saved":
            return job.status == "job_running"
        if mark != mark_of(job):
            return False
        # Who did not ask cannot know that a job will move: where it is may be where it was to come to.
        return self.must_move or verdict(job.status, self.goal) is not Verdict.REACHED
