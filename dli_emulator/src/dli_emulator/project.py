"""One project: its jobs, its templates, and what DLI may do for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from dli_emulator.jobs import FlinkJob


@dataclass
class Template:
    """A template of SQL jobs; times are epoch milliseconds."""

    template_id: int
    name: str
    desc: str
    sql_body: str
    job_type: str
    create_time: int
    update_time: int | None = None

    def shown(self) -> dict[str, Any]:
        """Give it as the list shows it."""
        return asdict(self)


@dataclass
class Project:
    """One project.

    :param project_id: its id
    :param name: its name; the region's, unless it is a sub-project
    :param clock: gives epoch seconds
    :param jobs: by id, as they were when they were last looked at; see :meth:`job`
    :param templates: by id
    :param buckets: that DLI was let into
    :param roles: of DLI's agency
    """

    project_id: str
    name: str
    clock: Callable[[], float] = field(repr=False)
    jobs: dict[int, FlinkJob] = field(default_factory=dict, repr=False)
    templates: dict[int, Template] = field(default_factory=dict, repr=False)
    buckets: set[str] = field(default_factory=set)
    roles: list[str] = field(default_factory=list)

    def job(self, job_id: int) -> FlinkJob | None:
        """Give a job as it is now, or None.

        :param job_id: its id
        """
        job = self.jobs.get(job_id)
        if job is not None:
            job.settle(self.clock())
        return job

    def settled_jobs(self) -> list[FlinkJob]:
        """Give all jobs as they are now."""
        now = self.clock()
        jobs = list(self.jobs.values())
        for job in jobs:
            job.settle(now)
        return jobs

    def named(self, name: str) -> FlinkJob | None:
        """Give the job of a name, or None.

        :param name: of the job
        """
        return next((job for job in self.settled_jobs() if job.name == name), None)
