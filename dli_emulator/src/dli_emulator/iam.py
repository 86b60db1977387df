"""The part of IAM that a client of DLI needs: projects, tokens and temporary access keys.

IAM API (keystone v3), *Obtaining a Temporary Access Key*; ECS user guide, *Obtaining Metadata*.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from secrets import token_urlsafe
from typing import Any

from dli_emulator.call import Call
from dli_emulator.gateway import identify
from dli_emulator.keys import KEY_SECONDS, AccessKey, Agency, Token, User, id_of_name
from dli_emulator.state import State
from dli_emulator.wire import Refusal, Reply

_DOMAIN_ID = "d78cbac186b744899480f25bd022f468"


async def list_projects(call: Call) -> Reply:
    """List the projects one may use, by name if one is given (``GET /v3/projects``)."""
    name = call.query().get("name")
    links = {"next": None, "previous": None, "self": _own_url(call, "/v3/projects")}
    return Reply(200, {"projects": _projects(call.state, name), "links": links})


async def list_own_projects(call: Call) -> Reply:
    """List the projects one may use, without a permission to list (``GET /v3/auth/projects``)."""
    return Reply(200, {"projects": _projects(call.state), "links": {"self": _own_url(call, "/v3/auth/projects")}})


def _projects(state: State, name: str | None = None) -> list[dict[str, Any]]:
    known = state.projects.values()
    return [_project(each.project_id, each.name) for each in known if name in (None, each.name)]


async def create_token(call: Call) -> Reply:
    """Return a token, scoped to a project, for a user's password or another token (``POST /v3/auth/tokens``).

    INVENTED: that any token may be exchanged, as keystone has it; IAM's manual describes it for federated users.
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


async def create_token_with_id_token(call: Call) -> Reply:
    """Return a token of a federated user, of no project (``POST /v3.0/OS-AUTH/id-token/tokens``).

    INVENTED: the messages of refusals.
    """
    try:
        value = call.json_object()["auth"]["id_token"]["id"]
    except (Refusal, KeyError, TypeError):
        return refused(400, "Request body is invalid.", "Bad Request")
    proof = call.state.keys.id_token(value)
    if proof is None or call.request.header("X-Idp-Id") != proof.provider_urn.rpartition(":")[2]:
        return refused(401, "The ID token is not valid.", "Unauthorized")
    token = call.state.keys.issue_token(call.state.administrator)
    body = _token_body(call.state, token)["token"]
    kept = {name: body[name] for name in ("issued_at", "expires_at", "roles", "catalog")}
    federation = {"identity_provider": {"id": proof.provider_urn.rpartition(":")[2]}, "protocol": {"id": "oidc"}}
    user = {**body["user"], "name": proof.subject, "OS-FEDERATION": {**federation, "groups": []}}
    return Reply(201, {"token": {**kept, "methods": ["mapped"], "user": user}}, {"X-Subject-Token": token.value})


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
    """Show a token (``GET /v3/auth/tokens``)."""
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
    return {"id": id_of_name(user.name), "name": user.name}


def iso(moment: float) -> str:
    """Write a moment as IAM does."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _own_url(call: Call, path: str) -> str:
    return f"http://{call.request.header('Host')}{path}"


#: seconds that a temporary key may be requested for
_LIVES = range(900, 86401)
#: seconds that a session token of the metadata service may be requested for
_SESSIONS = range(1, 21601)


async def create_security_token(call: Call) -> Reply:
    """Return a temporary key (``POST /v3.0/OS-CREDENTIAL/securitytokens``).

    INVENTED, since the manual's texts were not at hand: the messages of refusals.
    """
    try:
        identity = call.json_object()["auth"]["identity"]
        (method,) = identity["methods"]
        given = dict(identity.get(method) or {})
        names = [given.get(name, "") for name in ("id", "agency_name", "domain_name")]
        if not all(isinstance(name, str) for name in (method, *names)):
            raise TypeError(method)  # noqa: TRY301 - caught with its like
    except (Refusal, KeyError, TypeError, ValueError):
        return refused(400, "The request body is invalid", "Bad Request")
    seconds = given.get("duration_seconds", int(KEY_SECONDS))
    if type(seconds) is not int or seconds not in _LIVES:
        return refused(400, "The duration_seconds is not between 900 and 86400", "Bad Request")
    refusal = {"token": _check_token, "assume_role": _check_agency}.get(method, _unknown_method)(call, given)
    token = _token_given(call, given) if method == "token" else None
    user = token.user.name if token else None
    return refusal or Reply(201, {"credential": _credential(call.state.keys.issue_key(seconds, user))})


def _token_given(call: Call, given: dict[str, Any]) -> Token | None:
    return call.state.keys.tokens.get(given.get("id") or call.request.header("X-Auth-Token") or "")


def _check_token(call: Call, given: dict[str, Any]) -> Reply | None:
    token = _token_given(call, given)
    if token is None or token.expires <= call.state.clock():
        return refused(401, "The token is not valid", "Unauthorized")
    return None


def _check_agency(call: Call, given: dict[str, Any]) -> Reply | None:
    identify(call.state, call.request, None)
    agency = Agency(given.get("agency_name") or "", given.get("domain_name") or "")
    if agency not in call.state.keys.agencies:
        return refused(404, "The agency does not exist or does not trust this account", "Not Found")
    return None


def _unknown_method(_call: Call, _given: dict[str, Any]) -> Reply | None:
    return refused(400, "The method is neither token nor assume_role", "Bad Request")


async def create_metadata_token(call: Call) -> Reply:
    """Open a session with the metadata service (``PUT /meta-data/latest/api/token``)."""
    settings = call.state.settings
    if settings.metadata_token_status or settings.metadata_version < 2:  # noqa: PLR2004 - the version with sessions
        return Reply(settings.metadata_token_status or 404, "There are no session tokens")
    text = call.request.header("X-Metadata-Token-Ttl-Seconds") or ""
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) not in _SESSIONS:
        return Reply(400, "Bad Request")
    token = token_urlsafe(32)
    call.state.metadata_tokens[token] = call.state.clock() + int(text)
    return Reply(200, token)


async def show_security_key(call: Call) -> Reply:
    """Return the key of the agency of the ECS (``GET /openstack/latest/securitykey``).

    INVENTED: what stands around the words of a refusal without an agency, which the official clients recognise.
    """
    settings, keys = call.state.settings, call.state.keys
    if not settings.has_ecs_agency:
        return Reply(401, "Please configure Cloud Service Agency first")
    ends = call.state.metadata_tokens.get(call.request.header("X-Metadata-Token") or "", 0.0)
    has_sessions = settings.metadata_version > 1 and not settings.metadata_token_status
    if has_sessions and ends <= call.state.clock():
        return Reply(401, "Unauthorized")
    return Reply(200, {"credential": _credential(keys.issue_key(_LIVES[-1], keys.ecs_user))})


def _credential(key: AccessKey) -> dict[str, Any]:
    return {
        "access": key.access_key,
        "secret": key.secret_key,
        "securitytoken": key.security_token,
        "expires_at": iso(key.expires or 0.0),
    }
