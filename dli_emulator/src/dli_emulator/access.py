"""Who may do what: the permissions that IAM gives to users, and those that DLI keeps for single jobs.

An administrator may do all. Any other user needs the action of an operation in a policy, and acts on jobs of its
own, on those granted to it, and with ``dli:jobs:listAll`` on all of the project (dli_01_0479, dli_02_0234).
"""

from __future__ import annotations

from secrets import token_hex

from dli_emulator.flink_job import FlinkJob
from dli_emulator.keys import User
from dli_emulator.policies import is_allowed
from dli_emulator.state import State
from dli_emulator.wire import Refusal, Reply

#: action of an operation -> privilege of a job that it needs where the job belongs to somebody else
_PRIVILEGES = {
    "dli:jobs:get": "GET",
    "dli:jobs:update": "UPDATE",
    "dli:jobs:delete": "DELETE",
    "dli:jobs:start": "START",
    "dli:jobs:stop": "STOP",
    "dli:jobs:export": "EXPORT",
}


def may(user: User, action: str, resource: str | None = None) -> bool:
    """Return whether IAM allows a user an action.

    :param user: who wants it
    :param action: such as ``dli:jobs:export``
    :param resource: that it is for
    """
    return user.policies is None or is_allowed(user.policies, action, resource)


def check(state: State, user: User, action: str) -> None:
    """Let a request pass if its sender has the permission.

    INVENTED: code and message, which are not established; the setting ``denial`` has other forms.

    :param state: whose settings choose the form
    :param user: who sent it
    :param action: of the operation; empty if it needs none
    :raises Refusal: 403 ``APIGW.0302``, or as the setting has it
    """
    if not action or may(user, action):
        return
    words = f"Policy doesn't allow {action} to be performed."
    if action.startswith("sts:"):
        raise EncodedDenial(403, "PAP5.0001", f"access denied: {action}")
    if action.startswith("iam:"):
        raise IamDenial(403, "Forbidden", words)
    if state.settings.denial == "dli":
        raise denied(user, "jobs.flink", action.rpartition(":")[2])
    if state.settings.denial == "identity":
        raise EncodedDenial(403, "APIGW.0302", words)
    raise Refusal(403, "APIGW.0302", words)


class EncodedDenial(Refusal):
    """A denial with an encoded message beside, as newer services have it."""

    def reply(self, request_id: str) -> Reply:
        """Return the reply."""
        body = super().reply(request_id).body
        return Reply(self.status, {**body, "encoded_authorization_message": token_hex(64)})


class IamDenial(Refusal):
    """A denial in the form of IAM; its code is the title."""

    def reply(self, request_id: str) -> Reply:
        """Return the reply."""
        del request_id
        return Reply(self.status, {"error": {"code": self.status, "message": self.message, "title": self.code}})


def sees(state: State, user: User, job: FlinkJob) -> bool:
    """Return whether a job is in a user's list.

    :param state: knows what was granted
    :param user: who lists jobs
    :param job: of the project
    """
    return _may_see_all(user) or job.user_name == user.name or bool(state.privileges(user.name, job.job_id))


def may_act(state: State, user: User, job: FlinkJob, action: str) -> bool:
    """Return whether a user who has the action may use it on a job.

    :param state: knows what was granted
    :param user: who wants it
    :param job: of the project
    :param action: of the operation
    """
    if _may_see_all(user) or job.user_name == user.name:
        return True
    return _PRIVILEGES.get(action, action) in state.privileges(user.name, job.job_id)


def refused(state: State, user: User, job: FlinkJob, action: str, missing: str) -> tuple[str, str]:
    """Return code and message for a job that a user may not act on.

    INVENTED: that the refusal is not that of a job which does not exist; the setting ``foreign_jobs`` makes it so.

    :param state: whose settings choose the form
    :param user: who wanted it
    :param job: the job
    :param action: of the operation
    :param missing: code for a job that does not exist
    """
    if state.settings.foreign_jobs == "missing":
        return missing, f"The job {job.job_id} does not exist."
    refusal = denied(user, f"jobs.flink.{job.job_id}", _PRIVILEGES.get(action, action))
    return refusal.code, refusal.message


def denied(user: User, resource: str, privilege: str) -> Refusal:
    """Refuse as DLI does where its own permissions do not suffice.

    :param user: who wanted it
    :param resource: such as ``jobs.flink.100``
    :param privilege: such as ``EXPORT``
    """
    words = f"Permission denied for resource '{resource}', User = '{user.name}', Action = '{privilege.upper()}'."
    return Refusal(400, "DLI.0003", words)


def _may_see_all(user: User) -> bool:
    return may(user, "dli:jobs:listAll")
