"""Which handler answers to which method and path. The paths are written as the manual writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from dli_emulator import iam, sts
from dli_emulator.call import Handler
from dli_emulator.dli import (
    archives,
    definitions,
    jobs,
    templates,
)
from dli_emulator.wire import Request

_STREAMING = "/v1.0/{project_id}/streaming"
_JOBS = f"{_STREAMING}/jobs"
_JOB = f"{_JOBS}/{{job_id}}"
_GRAPH = "/v3/{project_id}/streaming/jobs/{job_id}/gen-graph"
_TEMPLATES = f"{_STREAMING}/job-templates"
_SECURITY_TOKENS = "/v3.0/OS-CREDENTIAL/securitytokens"
_ID_TOKEN_TOKENS = "/v3.0/OS-AUTH/id-token/tokens"  # noqa: S105 - a path
_METADATA_TOKEN = "/meta-data/latest/api/token"  # noqa: S105 - a path


@dataclass(frozen=True)
class Route:
    """One operation of the service.

    :param operation: its name in the service's own client
    :param method: HTTP method
    :param path: with its placeholders
    :param handler: carries it out
    :param action: of IAM, by its name in version 1.1; empty if none is needed. INVENTED: those of templates and of
        the list of projects
    :param is_open: whether one need not prove who one is
    """

    operation: str
    method: str
    path: str
    handler: Handler
    action: str = ""
    is_open: bool = False

    def match(self, request: Request) -> dict[str, str] | None:
        """Return the placeholders, decoded, if the request is for this operation."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        found = re.fullmatch(pattern, request.path) if request.method == self.method else None
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


ROUTES = (
    Route("ExportFlinkJobs", "POST", f"{_JOBS}/export", archives.export_flink_jobs, "dli:jobs:export"),
    Route("ImportFlinkJobs", "POST", f"{_JOBS}/import", archives.import_flink_jobs, "dli:jobs:create"),
    Route("ListFlinkJobs", "GET", _JOBS, jobs.list_flink_jobs, "dli:jobs:list"),
    Route("ShowFlinkJob", "GET", _JOB, jobs.show_flink_job, "dli:jobs:get"),
    Route("BatchRunFlinkJobs", "POST", f"{_JOBS}/run", jobs.run_jobs, "dli:jobs:start"),
    Route("BatchStopFlinkJobs", "POST", f"{_JOBS}/stop", jobs.stop_jobs, "dli:jobs:stop"),
    Route("DeleteFlinkJob", "DELETE", _JOB, jobs.delete_job, "dli:jobs:delete"),
    Route("BatchDeleteFlinkJobs", "POST", f"{_JOBS}/delete", jobs.delete_jobs, "dli:jobs:delete"),
    Route("CreateFlinkSqlJob", "POST", f"{_STREAMING}/sql-jobs", definitions.create_sql_job, "dli:jobs:create"),
    Route(
        "UpdateFlinkSqlJob",
        "PUT",
        f"{_STREAMING}/sql-jobs/{{job_id}}",
        definitions.update_sql_job,
        "dli:jobs:update",
    ),
    Route("CreateFlinkJarJob", "POST", f"{_STREAMING}/flink-jobs", definitions.create_jar_job, "dli:jobs:create"),
    Route(
        "UpdateFlinkJarJob",
        "PUT",
        f"{_STREAMING}/flink-jobs/{{job_id}}",
        definitions.update_jar_job,
        "dli:jobs:update",
    ),
    Route("ShowFlinkJobExecutionGraph", "GET", f"{_JOB}/execute-graph", jobs.show_execution_graph, "dli:jobs:get"),
    Route("CreateFlinkSqlJobGraph", "POST", _GRAPH, jobs.create_sql_job_graph, "dli:jobs:get"),
    Route("ExecuteFlinkJobSavepoint", "POST", f"{_JOB}/savepoint", jobs.trigger_savepoint, "dli:jobs:update"),
    Route("ImportFlinkJobSavepoint", "POST", f"{_JOB}/import-savepoint", jobs.import_savepoint, "dli:jobs:update"),
    Route("CreateFlinkSqlJobTemplate", "POST", _TEMPLATES, templates.create_template, "dli:jobs:create"),
    Route("ListFlinkSqlJobTemplates", "GET", _TEMPLATES, templates.list_templates, "dli:jobs:list"),
    Route(
        "UpdateFlinkSqlJobTemplate",
        "PUT",
        f"{_TEMPLATES}/{{template_id}}",
        templates.update_template,
        "dli:jobs:update",
    ),
    Route(
        "DeleteFlinkSqlJobTemplate",
        "DELETE",
        f"{_TEMPLATES}/{{template_id}}",
        templates.delete_template,
        "dli:jobs:delete",
    ),
    Route("KeystoneListAuthProjects", "GET", "/v3/auth/projects", iam.list_own_projects),
    Route("KeystoneListProjects", "GET", "/v3/projects", iam.list_projects, "iam:projects:listProjects"),
    Route("KeystoneCreateUserTokenByPassword", "POST", "/v3/auth/tokens", iam.create_token, is_open=True),
    Route("KeystoneValidateToken", "GET", "/v3/auth/tokens", iam.show_token),
    Route("CreateTemporaryAccessKey", "POST", _SECURITY_TOKENS, iam.create_security_token, is_open=True),
    Route("CreateTokenWithIdToken", "POST", _ID_TOKEN_TOKENS, iam.create_token_with_id_token, is_open=True),
    Route("AssumeAgency", "POST", "/v5/agencies/assume", sts.assume_agency, "sts:agencies:assume"),
    Route(
        "AssumeAgencyWithOIDC", "POST", "/v5/agencies/assume-with-oidc", sts.assume_agency_with_oidc, is_open=True
    ),
    Route("GetMetadataToken", "PUT", _METADATA_TOKEN, iam.create_metadata_token, is_open=True),
    Route("GetSecurityKey", "GET", "/openstack/latest/securitykey", iam.show_security_key, is_open=True),
)
OPERATIONS = tuple(route.operation for route in ROUTES)


def find_route(request: Request) -> tuple[Route, dict[str, str]] | None:
    """Find the operation that a request is for, and the placeholders of its path; None if there is none.

    :param request: as it arrived
    """
    matches = ((route, route.match(request)) for route in ROUTES)
    return next(((route, path) for route, path in matches if path is not None), None)
