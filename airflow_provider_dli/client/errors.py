"""The client's errors as one tree, and what to do about each code of the service.

::

    DliClientError
    ├── ConfigurationError          nothing was sent: a parameter or a connection field is not valid
    ├── NoResponseError             no response came
    │   ├── NotSentError              the request never arrived (refused, no such host, TLS)
    │   └── ResponseLostError         it may have arrived and taken effect (timeout, cut): its outcome is unknown
    └── ServiceError                an error response
        ├── AuthenticationError       401: the identity is refused. Not retried with access keys: they get locked
        ├── PermissionDeniedError     403 and the like: the identity lacks a permission
        ├── ThrottledError            429: too many requests; this one did nothing
        ├── RefusedError              other 4xx, or a 200 with ``is_success: false``
        ├── UnavailableError          5xx, 408, 499, and DLI's own codes for trouble on its side
        └── UnexpectedReplyError      a response that is not what the manual promises

What follows from an error is decided here alone:

=====================  =============  ==================  ============================  ===================
error                  ``transient``  ``may_have_acted``  ``should_resend``             ``refuses_identity``
=====================  =============  ==================  ============================  ===================
ConfigurationError     no             no                  no                            no
NotSentError           yes            no                  no                            no
ResponseLostError      yes            yes                 yes                           no
AuthenticationError    no             no                  no                            yes
PermissionDeniedError  no             no                  no                            for codes APIGW.03
ThrottledError         yes            no                  no                            no
RefusedError           no             no                  no                            no
UnavailableError       yes            yes                 for a 5xx                     no
UnexpectedReplyError   no             for 2xx and 303     no                            no
=====================  =============  ==================  ============================  ===================

``transient``: the same request can succeed later without anybody changing anything.
``may_have_acted``: the request may have taken effect; never where the error ended what comes before it, such as
the exchange of credentials.
``should_resend``: it is sent again in the same attempt if nothing shows that it took effect. Trouble that DLI
itself reports is for the log, and for Airflow's retry.
``refuses_identity``: every other request would be refused too, and a key be locked. A permission that DLI itself
requires may be one on a single job (such as EXPORT on ``jobs.flink.{id}``), or on a place in OBS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_dli.client.regions import doubt, region_in
from airflow_provider_dli.formatting import escaped

_KEYS = (
    "Check login, password and security token of the connection: access key and secret key, IAM user and "
    "password, or a token that has not expired. Do not retry unchanged: "
    "more than five failures lock a key for 5 minutes."
)
#: how advice begins that is about login and password; other kinds of credentials have neither
_ABOUT_LOGIN = re.compile(r"^Check login, password and security token of the connection(: [^.]*| \([^)]*\))")
_AGENCY = (
    "If it persists, DLI probably has no agency that may read and write in the bucket: see Global Configuration, "
    "Service Authorization in the console (dli_management_agency), and give it permissions on OBS."
)
#: operations in which DLI itself uses a bucket
_WITH_BUCKET = ("ExportFlinkJobs", "ImportFlinkJobs", "ExecuteFlinkJobSavepoint", "ImportFlinkJobSavepoint")
#: of operations that are not DLI's: the service, and the field of the connection that has its address
_SERVICES = (
    (re.compile("Object|Bucket|Upload"), "OBS", "obs_endpoint"),
    (re.compile("AssumeAgency"), "STS", "sts_endpoint"),
    (re.compile("Keystone|CreateTemporaryAccessKey|CreateToken"), "IAM", "iam_endpoint"),
    (re.compile("SecurityKey|MetadataToken"), "the metadata service", "metadata_endpoint"),
    (re.compile("PodIdentity"), "the pod identity service", "HC_CONTAINER_CREDENTIALS_FULL_URI"),
)
#: for readers of the project, of a wheel and of a site alike
PERMISSIONS_PAGE = "see the page Permissions of this provider's documentation"
_JOB = "Check which jobs this key sees: DliHook.list_flink_jobs(), or Job Management in the console."
#: the prefix of the gateway's codes for a refused identity; the gateway knows nothing of single jobs
_GATEWAY_IDENTITY = "APIGW.03"
_REDIRECT, _SEE_OTHER, _SERVER_ERROR = 300, 303, 500
_PROJECT = "Check project_id and region of the connection: the key must belong to that project."

#: code -> what to do (error codes of DLI: dli_02_0056 and the pages of its APIs; of the gateway: devg-apisign)
ADVICE: Mapping[str, str] = {
    "APIGW.0101": "DLI does not offer this API in this region, or the endpoint of the connection is not DLI's.",
    "APIGW.0301": _KEYS,
    "APIGW.0302": "The IAM user may not call this API, or the project is another account's: check project_id.",
    "APIGW.0303": "Set this machine's clock: a signature may be 15 minutes old at most.",
    "APIGW.0305": _KEYS,
    "APIGW.0307": "The token has expired; put a new one into the connection, or use auth_type password.",
    "APIGW.0308": "Too many requests: raise retry_budget of the connection, or spread the schedules of DAGs.",
    "APIGW.0310": _PROJECT,
    "APIGW.0802": "The IAM user may not work in this region.",
    "DLI.0001": "Correct the parameter that the message names.",
    "DLI.0002": "Check whether what the message names exists in this project.",
    "DLI.0003": "Request the permission that the message names, on the job or by a policy; "
    "where other users created the job, dli:jobs:listAll too.",
    "DLI.0011": "DLI may not read or write this place in OBS: check its agency's permissions on the bucket.",
    "DLI.0999": _AGENCY,
    "DLI.10001": _AGENCY,
    "DLI.13024": "Give the job a queue before it is run, also one with run_mode shared_cluster.",
    "DLI.16001": _JOB,
    "DLI.29001": "Check obs_dir: bucket or bucket/directory, the bucket in the region of the project.",
    "DLI.29002": "Check the path of the archive: bucket/key of a ZIP, or a folder that holds only such.",
}

# Refusals of DLI's agency, a project, a region: no action of the key would help.
_NOT_OF_AN_ACTION = {"DLI.0011", "APIGW.0310", "APIGW.0802"}
#: operation -> the action that a policy must allow, and its name in an identity policy where that is another
#: (dli_01_0441, dli_01_0618)
ACTIONS: Mapping[str, tuple[str, ...]] = {
    "ExportFlinkJobs": ("dli:jobs:export",),
    "ImportFlinkJobs": ("dli:jobs:create",),
    "ListFlinkJobs": ("dli:jobs:listAll", "dli:jobs:list"),
    "ShowFlinkJob": ("dli:jobs:get",),
    "BatchRunFlinkJobs": ("dli:jobs:start", "dli:jobs:startFlinkJob"),
    "BatchStopFlinkJobs": ("dli:jobs:stop", "dli:jobs:stopFlinkJob"),
    "DeleteFlinkJob": ("dli:jobs:delete",),
    "BatchDeleteFlinkJobs": ("dli:jobs:delete",),
    "CreateFlinkSqlJob": ("dli:jobs:create",),
    "CreateFlinkJarJob": ("dli:jobs:create",),
    "UpdateFlinkSqlJob": ("dli:jobs:update",),
    "UpdateFlinkJarJob": ("dli:jobs:update",),
    "ShowFlinkJobExecutionGraph": ("dli:jobs:get",),
    "CreateFlinkSqlJobGraph": ("dli:jobs:get",),
    "ExecuteFlinkJobSavepoint": ("dli:jobs:update",),
    "ImportFlinkJobSavepoint": ("dli:jobs:update",),
}


def rebuilt(
    kind: type[BaseException], arguments: tuple[object, ...], cause: BaseException | None
) -> BaseException:
    """Return an error as it was, for pickle and copy: its attributes are not its constructor's arguments.

    :param kind: its class
    :param arguments: its ``args``
    :param cause: its cause, if that is one of ours
    """
    error = kind.__new__(kind, *arguments)
    error.args = arguments  # those of OSError take none without their own constructor
    error.__cause__ = cause
    return error


def _of_service(advice: str, operation: str) -> str:
    """Return advice, which is written for DLI, for the service of an operation."""
    for pattern, service, field in _SERVICES:
        if pattern.search(operation):
            place = "the pod" if field.isupper() else "the connection"
            advice = advice.replace("the endpoint of the connection", f"{field} of {place}")
            return re.sub(r"\bDLI\b", service, advice).removesuffix(", or check project_id.").rstrip(".") + "."
    return advice


class DliClientError(Exception):
    """Root of the tree. Every class of it can be pickled and copied: Airflow passes errors between processes."""

    #: see the table of this module
    transient: bool = False
    may_have_acted: bool = False
    refuses_identity: bool = False

    @property
    def should_resend(self) -> bool:
        """See the table of this module."""
        return self.transient and self.may_have_acted

    def __reduce__(self) -> tuple[Any, ...]:
        """Return class, arguments, cause and attributes, for pickle and copy."""
        cause = self.__cause__ if isinstance(self.__cause__, DliClientError) else None
        return rebuilt, (type(self), self.args, cause), self.__dict__

    def __str__(self) -> str:
        """Return the message as one line: what came from outside is escaped here, whoever raised it."""
        return escaped(super().__str__())


class ConfigurationError(DliClientError):
    """A parameter or connection field is not valid; nothing was sent.

    :param field: the parameter or connection field at fault
    :param problem: what is wrong with it
    :param remedy: what would be right
    """

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        self.field = field
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{field}: {problem}; {remedy}")


class NoResponseError(DliClientError):
    """No response came from the service."""

    transient = True

    def __init__(self, operation: str, host: str, reason: str) -> None:
        self.operation = operation
        self.host = host
        self.reason = reason
        self.advice = _of_service(self._default_advice(), operation)
        super().__init__(f"{operation}: {self.summary} {host}: {reason}. {self.advice}")

    def _default_advice(self) -> str:
        return type(self).advice

    summary = "no response from"
    advice = "Check that this machine reaches the host."


class NotSentError(NoResponseError):
    """The request never reached the service, so retrying it is safe."""

    summary = "could not reach"
    advice = "Nothing was sent. Check the endpoint of the connection, DNS, the proxy and the certificates."

    def _default_advice(self) -> str:
        """Return the advice; of a host that follows from the region, the region comes first."""
        # Of OBS the place is named instead of the host, which the reason has.
        region = region_in(self.reason if self.host.startswith("obs://") else self.host)
        if region is None:
            return super()._default_advice()
        first = (
            f"Check region of the connection: {unknown} Then check"
            if (unknown := doubt(region))
            else "Check region and"
        )
        return type(self).advice.replace("Check", first)


class ResponseLostError(NoResponseError):
    """The request may have reached the service and taken effect; its response was lost."""

    may_have_acted = True
    summary = "lost the response of"
    advice = "Whether the request took effect is unknown."


class ServiceError(DliClientError):
    """The service responded with an error.

    :param operation: what was requested
    :param status: HTTP status
    :param code: the service's own code, such as ``DLI.29001``, or None
    :param message: the service's message, or the beginning of what came instead of one
    :param request_id: ``X-Request-Id`` of the reply, or None; support needs it
    :param advice: what to do about it, where it differs from the class's
    """

    advice = "See the error codes of the DLI API reference."

    def __init__(
        self,
        operation: str,
        status: int,
        code: str | None,
        message: str,
        request_id: str | None,
        advice: str | None = None,
    ) -> None:
        self.operation = operation
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        self.advice = advice or self._default_advice()
        self._decide()
        super().__init__(operation, status, code, message, request_id)

    def _default_advice(self) -> str:
        advice = ADVICE.get(self.code or "") or type(self).advice
        if advice is _AGENCY and self.operation not in _WITH_BUCKET:
            advice = type(self).advice
        return _of_service(advice, self.operation)

    def _decide(self) -> None:
        """Set what the class alone does not decide; see the table of this module."""

    def __str__(self) -> str:
        """Return it as one line: what was requested, what came, and what to do."""
        code = f" {self.code}" if self.code else ""
        request = f" (request id {self.request_id})" if self.request_id else ""
        end = "" if self.message.endswith((".", "!", "?")) and not request else "."
        return escaped(f"{self.operation}: HTTP {self.status}{code}: {self.message}{request}{end} {self.advice}")


class AuthenticationError(ServiceError):
    """The service refuses the identity."""

    refuses_identity = True
    advice = (
        "Check login, password and security token of the connection (access key and secret key, IAM user and "
        "password, or a token), and this machine's clock. Do not retry unchanged: more than five failures "
        "lock a key for 5 minutes."
    )

    def blame(self, source: str) -> None:
        """Name in the advice what the credentials are from, instead of login and password."""
        self.advice = _ABOUT_LOGIN.sub(lambda _: f"Check {source}", self.advice)


class PermissionDeniedError(ServiceError):
    """The service knows the identity, which lacks a permission."""

    advice = "Request the permission that the message names, or check project_id."

    def _default_advice(self) -> str:
        advice, names = super()._default_advice(), ACTIONS.get(self.operation)
        if self.code in _NOT_OF_AN_ACTION or not names:
            return advice
        identity = f" (in an identity policy {names[1]})" if names[1:] else ""
        return f"{advice} {self.operation} needs {names[0]}{identity}; {PERMISSIONS_PAGE}."

    def _decide(self) -> None:
        self.refuses_identity = (self.code or "").startswith(_GATEWAY_IDENTITY)


class ThrottledError(ServiceError):
    """Too many requests; this one did nothing."""

    transient = True
    advice = "Wait before retrying; spread the schedules of DAGs that use the same project."
    #: seconds to wait according to ``Retry-After``; None without that header
    retry_after: float | None = None


class RefusedError(ServiceError):
    """The service refuses this request, now and later."""

    advice = "Correct what the message names; retrying the same request will not help."


class UnavailableError(ServiceError):
    """The service, or a gateway before it, is in trouble; whether the request took effect is unknown."""

    transient = may_have_acted = True
    advice = "The trouble is on the service's side, or a gateway's before it; retry later."

    @property
    def should_resend(self) -> bool:
        """See the table of this module."""
        return super().should_resend and self.status >= _SERVER_ERROR


class UnexpectedReplyError(ServiceError):
    """A response that is not what the manual promises."""

    advice = "Check that the endpoint of the connection is DLI's, with no login page or proxy before it."

    def _decide(self) -> None:
        # "See other" follows an action.
        self.may_have_acted = self.status < _REDIRECT or self.status == _SEE_OTHER
