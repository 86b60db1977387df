"""The state of the emulated service: projects, jobs, templates, keys, faults and request log. Knows no HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from secrets import token_hex
from typing import Any

from dli_emulator.faults import Faults
from dli_emulator.flink_job import FIRST_ID, SCALING, FlinkJob, sample_jobs
from dli_emulator.keys import Agency, Clock, KeyRing, TrustAgency, User, id_of_name
from dli_emulator.policies import Policy
from dli_emulator.request_log import RequestLog
from dli_emulator.settings import Settings

__all__ = [
    "DEFAULT_AGENCY",
    "DEFAULT_OIDC_AGENCY",
    "DEFAULT_TRUST_AGENCY",
    "Identity",
    "Project",
    "Settings",
    "State",
    "Template",
]

DEFAULT_PROJECT_ID = "48cc2c48765f481480c7db940d6409d1"
DEFAULT_USER = "emulator-user"
DEFAULT_DOMAIN = "emulator-domain"
#: what a user can be granted for one job
PRIVILEGES = ("GET", "UPDATE", "DELETE", "START", "STOP", "EXPORT")
DEFAULT_AGENCY = Agency("emulator-agency", "granting-domain")
_GRANTING_ID = id_of_name(DEFAULT_AGENCY.domain)
#: the agency of that account which the account's keys may assume by its URN
DEFAULT_TRUST_AGENCY = TrustAgency(f"iam::{_GRANTING_ID}:agency:{DEFAULT_AGENCY.name}")
#: and the one that an identity provider's tokens may
DEFAULT_OIDC_AGENCY = TrustAgency(
    f"iam::{_GRANTING_ID}:agency:emulator-oidc-agency", f"iam::{_GRANTING_ID}:oidcProvider:emulator-idp"
)


@dataclass(frozen=True)
class Identity:
    """Who owns the projects: the account, its user and its permanent key.

    :param access_key: permanent key (AK)
    :param secret_key: its secret (SK)
    :param password: of the IAM user
    :param region: region id, also the project's name
    :param project_id: the first project
    :param user: IAM user name
    :param domain: account name
    """

    access_key: str
    secret_key: str = field(repr=False)
    password: str = field(default="emulator-password", repr=False)
    region: str = "cn-north-4"
    project_id: str = DEFAULT_PROJECT_ID
    user: str = DEFAULT_USER
    domain: str = DEFAULT_DOMAIN


class State:
    """Everything that the service remembers.

    :param identity: whom it belongs to
    :param jobs: how many sample jobs there are, or the jobs themselves
    :param settings: choices where the manual is unclear
    :param operations: names that a fault may be set for
    :param clock: gives epoch seconds
    """

    def __init__(
        self,
        identity: Identity,
        jobs: int | Iterable[FlinkJob] = 0,
        settings: Settings | None = None,
        operations: Iterable[str] = (),
        clock: Clock = time.time,
    ) -> None:
        self.identity = identity
        self.clock = clock
        self.log = RequestLog()
        self.faults = Faults(operations)
        self._first_jobs = jobs if isinstance(jobs, int) else deepcopy(list(jobs))
        self._first_settings = settings or Settings()
        #: counts the resets; what was begun before one must not finish after it
        self.generation = 0
        self._last_stamp = 0
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Make the state as it was at first: jobs, keys, settings; no faults, no requests, no lock-outs."""
        self.generation += 1
        self.settings = replace(self._first_settings)
        self.keys = KeyRing(self.clock)
        self.keys.add_key(self.identity.access_key, self.identity.secret_key)
        self.keys.agencies.add(DEFAULT_AGENCY)
        for agency in (DEFAULT_TRUST_AGENCY, DEFAULT_OIDC_AGENCY):
            self.keys.trust_agencies[agency.urn] = agency
        home = Project(self.identity.project_id, self.identity.region, self.clock)
        #: by id; IAM lists them, and the account may use them all
        self.projects = {home.project_id: home}
        #: session tokens of the metadata service, and when each ends
        self.metadata_tokens: dict[str, float] = {}
        #: the account's administrator, to whom all keys belong that are not another user's
        self.administrator = User(self.identity.user, self.identity.password, self.identity.domain)
        self.keys.users[self.administrator.name] = self.administrator
        #: places ``bucket/key`` of objects that are encrypted, whose ETag is therefore not their MD5
        self.encrypted: set[str] = set()
        self._privileges: dict[tuple[str, int], set[str]] = {}
        home.jobs = {job.job_id: job for job in self._fresh_jobs()}
        self._last_id = max(home.jobs, default=FIRST_ID - 1)
        self.faults.clear()
        self.log.clear()

    @property
    def jobs(self) -> dict[int, FlinkJob]:
        """The jobs of the first project, by id, with the status that was last updated."""
        return self.projects[self.identity.project_id].jobs

    def job(self, job_id: int) -> FlinkJob | None:
        """Return a job as it is now, of whichever project; None if there is none.

        :param job_id: its id
        """
        found = (project.job(job_id) for project in self.projects.values())
        return next((job for job in found if job is not None), None)

    def add_user(self, name: str, *policies: Mapping[str, Any], is_admin: bool = False) -> User:
        """Add a user of the account, with an access key and a password, or replace its policies.

        :param name: its name, such as that of the owner of a job
        :param policies: documents of what it may do, of version 1.1 or 5.0
        :param is_admin: whether it may do all
        :raises ValueError: if a document is not a valid policy
        """
        read = None if is_admin else tuple(Policy.read(each) for each in policies)
        is_known = name in self.keys.users
        user = User(name, f"{name}-{token_hex(4)}", self.identity.domain, read)
        if is_known:
            user = replace(self.keys.users[name], policies=read)
        else:
            self.keys.add_key(f"USER{token_hex(8).upper()}", token_hex(20), user=name)
        self.keys.users[name] = user
        return user

    def user_of(self, name: str | None) -> User:
        """Return a user as it is now; the account's administrator for None and for one that was removed.

        :param name: its name
        """
        return self.keys.users.get(name or "", self.administrator)

    def grant(self, user: str, job_id: int, *privileges: str) -> None:
        """Let a user act on a job that belongs to somebody else, as with *Permissions* on the console.

        :param user: its name
        :param job_id: id of the job
        :param privileges: of ``PRIVILEGES``; none takes back what was granted
        :raises ValueError: if there is no such user, job or privilege
        """
        unknown = sorted(set(privileges) - set(PRIVILEGES))
        if unknown or user not in self.keys.users or self.job(job_id) is None:
            raise ValueError(
                f"there is no user {user!r}, job {job_id}, or privilege {', '.join(unknown) or 'of these'}; "
                f"privileges are {', '.join(PRIVILEGES)}"
            )
        self._privileges[user, job_id] = set(privileges)

    def privileges(self, user: str, job_id: int) -> set[str]:
        """Return what was granted to a user for a job.

        :param user: its name
        :param job_id: id of the job
        """
        return self._privileges.get((user, job_id), set())

    def add_project(self, name: str, project_id: str | None = None, jobs: int = 0) -> Project:
        """Add a project that the account may use too.

        :param name: its name; a sub-project of a region is called ``region_name``
        :param project_id: its id; made from the name if None
        :param jobs: how many sample jobs it has, of the same names as those of the first project
        :raises ValueError: if there is such a project already
        """
        number = project_id or id_of_name(name)
        if number in self.projects or any(project.name == name for project in self.projects.values()):
            raise ValueError(f"there is a project {name!r} or one with the id {number} already")
        project = self.projects[number] = Project(number, name, self.clock)
        for sample in sample_jobs(jobs, number):
            job = replace(sample, job_id=self.next_id())
            project.jobs[job.job_id] = job
        return project

    def add_job(self, in_project: str | None = None, **fields: Any) -> FlinkJob:  # noqa: ANN401 - fields of FlinkJob
        """Add a job to a project, with the next free id unless one is given.

        :param in_project: id of the project; None for the first
        :param fields: those of ``FlinkJob``
        """
        project = self.projects[in_project or self.identity.project_id]
        number = fields.pop("job_id", None) or self.next_id()
        now = int(self.clock() * 1000)
        given: dict[str, Any] = {"job_id": number, "create_time": now, "project_id": project.project_id}
        job = FlinkJob(**given | fields)
        project.jobs[job.job_id] = job
        return job

    def scale(self, job_id: int) -> None:
        """Have dynamic scaling stop a running job and start it again with other resources, which nobody requested.

        INVENTED: the order of the statuses; that each of them is one that a waiting client can meet is documented.

        :param job_id: id of the job
        :raises ValueError: if it does not run
        """
        job = self.job(job_id)
        if job is None or job.status != "job_running":
            raise ValueError(f"there is no running job {job_id}: {job.status if job else 'it does not exist'}")
        job.begin(SCALING, self.clock(), self.settings.step_seconds)

    def next_id(self) -> int:
        """Return an id that no job or template has had."""
        with self._lock:
            taken = max((job_id for project in self.projects.values() for job_id in project.jobs), default=0)
            self._last_id = max(self._last_id, taken) + 1
            return self._last_id

    def stamp(self) -> int:
        """Return the present time in epoch milliseconds, and never the same twice."""
        with self._lock:
            self._last_stamp = max(int(self.clock() * 1000), self._last_stamp + 1)
            return self._last_stamp

    def _fresh_jobs(self) -> list[FlinkJob]:
        if isinstance(self._first_jobs, int):
            return sample_jobs(self._first_jobs, self.identity.project_id)
        return deepcopy(self._first_jobs)


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
        """Return it as the list shows it."""
        return asdict(self)


@dataclass
class Project:
    """One project.

    :param project_id: its id
    :param name: its name; the region's, unless it is a sub-project
    :param clock: gives epoch seconds
    :param jobs: by id, with the status that was last updated; see :meth:`job`
    :param templates: by id
    :param agencies: those of DLI in this project; None for those of the settings
    """

    project_id: str
    name: str
    clock: Callable[[], float] = field(repr=False)
    jobs: dict[int, FlinkJob] = field(default_factory=dict, repr=False)
    templates: dict[int, Template] = field(default_factory=dict, repr=False)
    agencies: tuple[str, ...] | None = None

    def job(self, job_id: int) -> FlinkJob | None:
        """Return a job as it is now, or None.

        :param job_id: its id
        """
        job = self.jobs.get(job_id)
        if job is not None:
            job.update_status(self.clock())
        return job

    def current_jobs(self) -> list[FlinkJob]:
        """Return all jobs as they are now."""
        now = self.clock()
        jobs = list(self.jobs.values())
        for job in jobs:
            job.update_status(now)
        return jobs

    def named(self, name: str) -> FlinkJob | None:
        """Return the job of a name, or None.

        :param name: of the job
        """
        return next((job for job in self.current_jobs() if job.name == name), None)
