"""Temporary access keys: from IAM for a token or an agency, from the metadata service of an ECS for nothing.

IAM API, *Obtaining a Temporary Access Key*; ECS user guide, *Obtaining Metadata*.
"""

from __future__ import annotations

import re
from secrets import token_urlsafe
from typing import Any

from dli_emulator.call import Call
from dli_emulator.gateway import identify
from dli_emulator.iam import iso, refused
from dli_emulator.keys import KEY_SECONDS, AccessKey, Agency
from dli_emulator.wire import Refusal, Reply

#: seconds that a temporary key may be asked for
_LIVES = range(900, 86401)
#: seconds that a session token of the metadata service may be asked for
_SESSIONS = range(1, 21601)


async def create_security_token(call: Call) -> Reply:
    """Give a temporary key (``POST /v3.0/OS-CREDENTIAL/securitytokens``).

    INVENTED, since the manual's words were not at hand: the messages of refusals.
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
    return refusal or Reply(201, {"credential": _credential(call.state.keys.issue_key(seconds))})


def _check_token(call: Call, given: dict[str, Any]) -> Reply | None:
    token = call.state.keys.tokens.get(given.get("id") or call.request.header("X-Auth-Token") or "")
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
    if call.state.settings.metadata_version < 2:  # noqa: PLR2004 - the version that has sessions
        return Reply(404, "Not Found")
    text = call.request.header("X-Metadata-Token-Ttl-Seconds") or ""
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) not in _SESSIONS:
        return Reply(400, "Bad Request")
    token = token_urlsafe(32)
    call.state.metadata_tokens[token] = call.state.clock() + int(text)
    return Reply(200, token)


async def show_security_key(call: Call) -> Reply:
    """Give the key of the agency of the ECS (``GET /openstack/latest/securitykey``)."""
    ends = call.state.metadata_tokens.get(call.request.header("X-Metadata-Token") or "", 0.0)
    if call.state.settings.metadata_version > 1 and ends <= call.state.clock():
        return Reply(401, "Unauthorized")
    return Reply(200, {"credential": _credential(call.state.keys.issue_key(_LIVES[-1]))})


def _credential(key: AccessKey) -> dict[str, Any]:
    return {
        "access": key.access_key,
        "secret": key.secret_key,
        "securitytoken": key.security_token,
        "expires_at": iso(key.expires or 0.0),
    }
