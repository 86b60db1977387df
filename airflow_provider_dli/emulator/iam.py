"""Enough of IAM for a client of DLI: projects and tokens (IAM API, keystone v3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow_provider_dli.emulator.call import Call
from airflow_provider_dli.emulator.keys import Token, User
from airflow_provider_dli.emulator.state import World
from airflow_provider_dli.emulator.wire import Refusal, Reply

_DOMAIN_ID = "d78cbac186b744899480f25bd022f468"


async def list_projects(call: Call) -> Reply:
    """List the projects one may use, by name if one is given (``GET /v3/projects``)."""
    name = call.query().get("name")
    projects = [
        _project(project.project_id, project.name)
        for project in call.world.projects.values()
        if name in (None, project.name)
    ]
    links = {"next": None, "previous": None, "self": _own_url(call, "/v3/projects")}
    return Reply(200, {"projects": projects, "links": links})


async def create_token(call: Call) -> Reply:
    """Give a token for a user's password, scoped to the project (``POST /v3/auth/tokens``)."""
    try:
        auth = call.json_object()["auth"]
        password = auth["identity"]["password"]["user"]
        name, secret, domain = password["name"], password["password"], password["domain"]["name"]
        project = dict(auth["scope"]["project"])
    except (Refusal, KeyError, TypeError, ValueError):
        return refused(400, "The request body is invalid", "Bad Request")
    user = call.world.keys.users.get(name)
    if user is None or (user.password, user.domain) != (secret, domain):
        return refused(401, "The username or password is wrong.", "Unauthorized")
    account = project.pop("domain", {"name": domain})
    known = call.world.projects.values()
    scopes = [{"name": each.name} for each in known] + [{"id": each.project_id} for each in known]
    if project not in scopes or account != {"name": domain}:
        return refused(401, "The project in the scope does not exist or may not be used.", "Unauthorized")
    token = call.world.keys.issue_token(user)
    return Reply(201, _token_body(call.world, token), {"X-Subject-Token": token.value})


async def show_token(call: Call) -> Reply:
    """Tell what a token is good for (``GET /v3/auth/tokens``)."""
    token = call.world.keys.tokens.get(call.request.header("X-Subject-Token") or "")
    if token is None or token.expires <= call.world.clock():
        return refused(404, "The token does not exist or has expired.", "Not Found")
    return Reply(200, _token_body(call.world, token), {"X-Subject-Token": token.value})


def refused(status: int, message: str, title: str) -> Reply:
    """Refuse in IAM's own shape."""
    return Reply(status, {"error": {"code": status, "message": message, "title": title}})


def _project(project_id: str, name: str) -> dict[str, Any]:
    return {
        "id": project_id,
        "name": name,
        "domain_id": _DOMAIN_ID,
        "parent_id": _DOMAIN_ID,
        "enabled": True,
        "is_domain": False,
        "description": "",
        "links": {},
    }


def _token_body(world: World, token: Token) -> dict[str, Any]:
    domain = {"id": _DOMAIN_ID, "name": token.user.domain}
    return {
        "token": {
            "methods": ["password"],
            "issued_at": iso(token.issued),
            "expires_at": iso(token.expires),
            "project": {"id": world.identity.project_id, "name": world.identity.region, "domain": domain},
            "roles": [{"id": "0", "name": "te_admin"}],
            "user": {**_user(token.user), "domain": domain, "password_expires_at": ""},
            "catalog": [],
        }
    }


def _user(user: User) -> dict[str, str]:
    return {"id": f"{user.name.encode().hex():0<32.32}", "name": user.name}


def iso(moment: float) -> str:
    """Write a moment as IAM does."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _own_url(call: Call, path: str) -> str:
    return f"http://{call.request.header('Host')}{path}"
