"""Which handler answers to which method and path. The paths are written as the manual writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from airflow_provider_dli.emulator import dli, iam, temporary
from airflow_provider_dli.emulator.call import Handler
from airflow_provider_dli.emulator.wire import Request

_JOBS = "/v1.0/{project_id}/streaming/jobs"
_SECURITY_TOKENS = "/v3.0/OS-CREDENTIAL/securitytokens"
_METADATA_TOKEN = "/meta-data/latest/api/token"  # noqa: S105 - a path


@dataclass(frozen=True)
class Route:
    """One operation of the service.

    :param operation: its name in the service's own client
    :param method: HTTP method
    :param path: with its placeholders
    :param handler: carries it out
    :param is_open: whether one need not prove who one is
    """

    operation: str
    method: str
    path: str
    handler: Handler
    is_open: bool = False

    def match(self, request: Request) -> dict[str, str] | None:
        """Give the placeholders, decoded, if the request is for this operation."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        found = re.fullmatch(pattern, request.path) if request.method == self.method else None
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


ROUTES = (
    Route("ExportFlinkJobs", "POST", f"{_JOBS}/export", dli.export_flink_jobs),
    Route("ListFlinkJobs", "GET", _JOBS, dli.list_flink_jobs),
    Route("ShowFlinkJob", "GET", f"{_JOBS}/{{job_id}}", dli.show_flink_job),
    Route("KeystoneListProjects", "GET", "/v3/projects", iam.list_projects),
    Route("KeystoneCreateUserTokenByPassword", "POST", "/v3/auth/tokens", iam.create_token, is_open=True),
    Route("KeystoneValidateToken", "GET", "/v3/auth/tokens", iam.show_token),
    Route("CreateTemporaryAccessKey", "POST", _SECURITY_TOKENS, temporary.create_security_token, is_open=True),
    Route("GetMetadataToken", "PUT", _METADATA_TOKEN, temporary.create_metadata_token, is_open=True),
    Route("GetSecurityKey", "GET", "/openstack/latest/securitykey", temporary.show_security_key, is_open=True),
)
OPERATIONS = tuple(route.operation for route in ROUTES)


def find_route(request: Request) -> tuple[Route, dict[str, str]] | None:
    """Find the operation that a request is for, and the placeholders of its path; None if there is none.

    :param request: as it arrived
    """
    matches = ((route, route.match(request)) for route in ROUTES)
    return next(((route, path) for route, path in matches if path is not None), None)
