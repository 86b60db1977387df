"""STS: temporary keys of an agency assumed by its URN, with a signed request or a token of OpenID Connect.

IAM API reference of version 5, *AssumeAgency* and *Error Codes*. INVENTED, since no page has them: the codes
``STS5.…`` and the messages of refusals, but for ``PAP5.0001``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dli_emulator.call import Call
from dli_emulator.iam import iso
from dli_emulator.keys import AccessKey, TrustAgency, id_of_name
from dli_emulator.wire import Refusal, Reply

_SECONDS = range(900, 43201)
_CHAINED_SECONDS = range(900, 3601)
_SESSION_NAME = range(2, 129)
_FIELDS = {"agency_urn", "agency_session_name", "duration_seconds", "policy", "policy_ids"}
_KEY_FIELDS = {
    *_FIELDS,
    "external_id",
    "serial_number",
    "token_code",
    "source_identity",
    "tags",
    "transitive_tag_keys",
}
_OIDC_FIELDS = {*_FIELDS, "provider_urn", "id_token"}


@dataclass(frozen=True)
class Session:
    """What a request for a session with an agency has.

    :param body: its fields
    :param agency: that it names
    :param seconds: how long the session is to last
    """

    body: dict[str, Any]
    agency: TrustAgency
    seconds: int

    def assumed(self) -> dict[str, str]:
        """Return who the holder of the keys is."""
        _, _, account, _, name = self.agency.urn.split(":", 4)
        session = self.body["agency_session_name"]
        return {"urn": f"sts::{account}:assumed-agency:{name}/{session}", "id": f"{id_of_name(name)}:{session}"}


async def assume_agency(call: Call) -> Reply:
    """Return keys for a request that is signed with a key (``POST /v5/agencies/assume``)."""
    if call.request.header("Authorization") is None:
        raise Refusal(401, "APIGW.0301", "Incorrect IAM authentication information: not signed")
    is_chained = call.request.header("X-Security-Token") is not None
    session = _session(call, _KEY_FIELDS, _CHAINED_SECONDS if is_chained else _SECONDS)
    expected = session.agency.external_id
    if session.agency.provider_urn is not None or expected not in (None, session.body.get("external_id")):
        raise _denied(session.agency.urn)
    key = call.state.keys.issue_key(session.seconds, session.agency.user)
    return Reply(200, {"assumed_agency": session.assumed(), "credentials": _credentials(key)})


async def assume_agency_with_oidc(call: Call) -> Reply:
    """Return keys for a token of an identity provider (``POST /v5/agencies/assume-with-oidc``)."""
    session = _session(call, _OIDC_FIELDS, _SECONDS)
    token, provider = call.state.keys.id_token(session.body.get("id_token")), session.body.get("provider_urn")
    if token is None or token.provider_urn != provider:
        raise Refusal(400, "STS5.1004", "invalid oidc id token")
    if provider != session.agency.provider_urn or session.agency.subject not in (None, token.subject):
        raise _denied(session.agency.urn)
    key = call.state.keys.issue_key(session.seconds, session.agency.user)
    reply = {
        "assumed_agency": session.assumed(),
        "credentials": _credentials(key),
        "provider": provider,
        "subject_from_id_token": token.subject,
        "audience": "emulator",
    }
    return Reply(200, reply)


def _session(call: Call, fields: set[str], seconds: range) -> Session:
    try:
        body = call.json_object()
    except Refusal:
        raise _invalid("the body is not a JSON object") from None
    if unknown := sorted(set(body) - fields):
        raise _invalid(f"unknown field {unknown[0]}")
    urn, name, lasts = body.get("agency_urn"), body.get("agency_session_name"), body.get("duration_seconds", 3600)
    if not isinstance(urn, str) or not isinstance(name, str) or len(name) not in _SESSION_NAME:
        raise _invalid("agency_urn or agency_session_name is not valid")
    if type(lasts) is not int or lasts not in seconds:
        raise _invalid(f"duration_seconds is not from {seconds[0]} to {seconds[-1]}")
    agency = call.state.keys.trust_agencies.get(urn)
    if agency is None:
        raise _denied(urn)
    if lasts > agency.max_seconds:
        raise _invalid(f"duration_seconds exceeds the maximum of the agency, {agency.max_seconds}")
    return Session(body, agency, lasts)


def _invalid(problem: str) -> Refusal:
    return Refusal(400, "STS5.1001", f"invalid parameter: {problem}")


def _denied(urn: str) -> Refusal:
    """Refuse an agency that does not exist or does not trust the sender: it does not show which."""
    return Refusal(403, "PAP5.0001", f"access denied: sts:agencies:assume on {urn}")


def _credentials(key: AccessKey) -> dict[str, str | None]:
    return {
        "access_key_id": key.access_key,
        "secret_access_key": key.secret_key,
        "security_token": key.security_token,
        "expiration": iso(key.expires or 0.0),
    }
