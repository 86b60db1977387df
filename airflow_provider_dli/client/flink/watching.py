"""What has been seen of jobs on their way to a goal, and what it means. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_dli.client.flink.jobs import FlinkJob
from airflow_provider_dli.client.flink.states import Goal, Verdict, verdict


def mark_of(job: FlinkJob) -> list[Any]:
    """Give what of a job changes when it is run, stopped or saved; plain JSON, to be kept.

    :param job: as list or detail show it
    """
    return [job.status, job.start_time or None, job.savepoint_path or None]


@dataclass
class Watch:
    """Jobs on their way to a goal.

    :param job_ids: the jobs
    :param goal: where they shall come to
    :param before: the marks of jobs before they were asked to move. While a job bears its mark still, it has not
        moved: DLI goes on showing the status of before for a while
    :param asked: epoch seconds at which they were asked
    :param grace: seconds after that in which a job may bear its mark still
    :param must_move: whether it is a failure to bear it for longer, though its status may be no bad one
    """

    job_ids: Sequence[int]
    goal: Goal
    before: Mapping[int, list[Any]] = field(default_factory=dict)
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
        if self.goal != "stopped" and self._unmoved(job):
            if now < self.asked + self.grace:
                return Verdict.WAIT
            if self.must_move:
                return Verdict.FAILED
        return verdict(job.status, self.goal, restarts=_restarts(job))

    def waiting(self, now: float) -> list[int]:
        """Give the jobs that are on their way still; none as soon as one has failed, for then it is over."""
        verdicts = {job_id: self.verdict(job_id, now) for job_id in self.job_ids}
        if Verdict.FAILED in verdicts.values():
            return []
        return [job_id for job_id, each in verdicts.items() if each is Verdict.WAIT]

    def failures(self, now: float) -> dict[int, str]:
        """Tell of each job that has failed how."""
        failed = [job_id for job_id in self.job_ids if self.verdict(job_id, now) is Verdict.FAILED]
        return {job_id: self._how(job_id) for job_id in failed}

    def _how(self, job_id: int) -> str:
        job = self.seen[job_id]
        if job is None:
            return "the project has no such job"
        words = f" ({job.status_desc})" if job.status_desc else ""
        if self.must_move and self.goal != "stopped" and self._unmoved(job):
            return f"still {job.status}{words} after {self.grace:.0f} s"
        return f"{job.status}{words}"

    def _unmoved(self, job: FlinkJob) -> bool:
        mark = self.before.get(job.job_id)
        if mark is None or mark != mark_of(job):
            return False
        # Who did not ask cannot know that a job will move: where it is may be where it was to come to.
        return self.must_move or verdict(job.status, self.goal) is not Verdict.REACHED


def _restarts(job: FlinkJob) -> bool:
    config = job.raw.get("job_config")
    return isinstance(config, Mapping) and bool(config.get("restart_when_exception"))
