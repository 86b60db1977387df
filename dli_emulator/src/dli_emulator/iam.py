"""Enough of IAM for a client of DLI: projects and tokens (IAM API, keystone v3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dli_emulator.call import Call
from dli_emulator.keys import Token, User
from dli_emulator.state import State
from dli_emulator.wire import Refusal, Reply

_DOMAIN_ID = "d78cbac186b744899480f25bd022f468"


async def list_projects(call: Call) -> Reply:
    """List the projects one may use, by name if one is given (``GET /v3/projects``)."""
    name = call.query().get("name")
    projects = [
        _project(project.project_id, project.name)
        for project in call.state.projects.values()
        if name in (None, project.name)
    ]
    links = {"next": None, "previous": None, "self": _own_url(call, "/v3/projects")}
    return Reply(200, {"projects": projects, "links": links})


async def create_token(call: Call) -> Reply:
    """Give a token, scoped to a project, for a user's password or another token (``POST /v3/auth/tokens``).

    INVENTED: that any token may be exchanged, as keystone has it; IAM's manual tells of it for federated users.
    """
    try:
        auth = call.json_object()["auth"]
        (method,) = auth["identity"]["methods"]
        given = _texts(_PROOFS[method](auth["identity"]))
        project = dict(auth["scope"]["project"])
    except (Refusal, KeyError, TypeError, ValueError):
        return refused(400, "The request body is invalid", "Bad Request")
    former = _live_token(call.state, given[0]) if method == "token" else None
    user = former.user if former else call.state.keys.users.get(given[0])
    if user is None or (former is None and (user.password, user.domain) != given[1:]):
        what = "token" if method == "token" else "username or password"
        return refused(401, f"The {what} is wrong.", "Unauthorized")
    account = project.pop("domain", {"name": user.domain})
    known = call.state.projects.values()
    found = next((each for each in known if project in ({"name": each.name}, {"id": each.project_id})), None)
    if found is None or account not in ({"name": user.domain}, {"id": _DOMAIN_ID}):
        return refused(401, "The project in the scope does not exist or may not be used.", "Unauthorized")
    token = call.state.keys.issue_token(user, found.project_id, former)
    return Reply(201, _token_body(call.state, token), {"X-Subject-Token": token.value})


def _password_proof(identity: dict[str, Any]) -> tuple[Any, ...]:
    user = identity["password"]["user"]
    return user["name"], user["password"], user["domain"]["name"]


def _token_proof(identity: dict[str, Any]) -> tuple[Any, ...]:
    return (identity["token"]["id"],)


_PROOFS = {"password": _password_proof, "token": _token_proof}


def _texts(values: tuple[Any, ...]) -> tuple[str, ...]:
    if not all(isinstance(value, str) for value in values):
        raise TypeError("names, passwords and tokens are texts")
    return values


def _live_token(state: State, value: str) -> Token | None:
    token = state.keys.tokens.get(value)
    return token if token and token.expires > state.clock() else None


async def show_token(call: Call) -> Reply:
    """Tell what a token is good for (``GET /v3/auth/tokens``)."""
    token = _live_token(call.state, call.request.header("X-Subject-Token") or "")
    if token is None:
        return refused(404, "The token does not exist or has expired.", "Not Found")
    return Reply(200, _token_body(call.state, token), {"X-Subject-Token": token.value})


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


def _token_body(state: State, token: Token) -> dict[str, Any]:
    domain = {"id": _DOMAIN_ID, "name": token.user.domain}
    project = state.projects[token.project_id or state.identity.project_id]
    return {
        "token": {
            "methods": list(token.methods),
            "issued_at": iso(token.issued),
            "expires_at": iso(token.expires),
            "project": {"id": project.project_id, "name": project.name, "domain": domain},
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
