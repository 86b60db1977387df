"""The gateway before the services: authentication, authorization, and the faults that it answers itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dli_emulator.call import AgencyRefusal, envelope
from dli_emulator.faults import Fault
from dli_emulator.keys import AccessKey, User
from dli_emulator.signature import (
    DATE_FORMAT,
    MalformedAuthorization,
    is_signed,
    parse_authorization,
    signing_time,
)
from dli_emulator.state import State
from dli_emulator.wire import Refusal, Reply, Request

#: how far the clocks of client and service may be apart
MAX_SKEW = timedelta(minutes=15)

_HTML = """<html>
<head><title>{status} Bad Gateway</title></head>
<body><center><h1>{status} Bad Gateway</h1></center><hr><center>elb</center></body>
</html>
"""


def identify(state: State, request: Request, project_id: str | None, skew: float = 0.0) -> User:
    """Let a request pass if it is authenticated and its project belongs to the sender.

    :param state: knows the keys and tokens
    :param request: as it arrived
    :param project_id: of the path; None if the API has none
    :param skew: seconds that the service's clock is off
    :returns: who sent it
    :raises Refusal: 401 ``APIGW.0301``, ``APIGW.0303`` or ``APIGW.0307``. INVENTED, since neither is
        established: 403 ``APIGW.0302`` for a foreign project, ``APIGW.0301`` for a temporary key that has ended
    """
    authorization = request.header("Authorization")
    if authorization is not None:
        user = _check_signature(state, request, authorization, skew)
    else:
        user = _check_token(state, request)
    if project_id is not None and project_id not in state.projects:
        raise Refusal(403, "APIGW.0302", f"The IAM user is not allowed to access project {project_id}.")
    return user


def _check_signature(state: State, request: Request, authorization: str, skew: float) -> User:
    try:
        proof = parse_authorization(authorization)
        signed = signing_time(request)
    except MalformedAuthorization as problem:
        raise _unauthorized(str(problem)) from None
    key = state.keys.access_keys.get(proof.access_key)
    if key is None:
        raise _unauthorized(f"ak {proof.access_key} not exist")
    if state.keys.is_locked(key):
        raise locked()
    now = datetime.fromtimestamp(state.clock() + skew, UTC)
    if abs(now - signed) > MAX_SKEW:
        raise _expired(signed, now)
    if not is_signed(request, proof, key.secret_key):
        raise locked() if state.keys.failed(key) else _unauthorized("verify aksk signature fail")
    key.failures = 0
    _check_security_token(state, request, key)
    return state.user_of(key.user)


def _check_security_token(state: State, request: Request, key: AccessKey) -> None:
    if request.header("X-Security-Token") != key.security_token:
        raise _unauthorized("the security token does not belong to the access key")
    if state.keys.is_expired(key):
        raise _unauthorized("the security token has expired")


def _check_token(state: State, request: Request) -> User:
    value = request.header("X-Auth-Token")
    if value is None:
        raise _unauthorized("x-auth-token not found")
    token = state.keys.tokens.get(value)
    if token is None:
        raise _unauthorized("decrypt token fail")
    if token.expires <= state.clock():
        raise token_expired()
    return state.keys.users.get(token.user.name, token.user)


def _shown(request: Request) -> str:
    headers = ", ".join(f"{name}: {value}" for name, value in request.headers)
    return f"{request.method} {request.target} {headers} {request.body.decode(errors='replace')}"


def _unauthorized(why: str) -> Refusal:
    return Refusal(401, "APIGW.0301", f"Incorrect IAM authentication information: {why}")


def _expired(signed: datetime, now: datetime) -> Refusal:
    times = f"signature time: {signed:{DATE_FORMAT}}, server time: {now:{DATE_FORMAT}}"
    return Refusal(401, "APIGW.0303", f"Incorrect app authentication information: signature expired, {times}")


def locked() -> Refusal:
    """Refuse a key that is locked after too many wrong signatures."""
    return _unauthorized("AK access failed to reach the limit,forbidden")


def token_expired() -> Refusal:
    """Refuse a token whose time is over."""
    return Refusal(401, "APIGW.0307", "The token must be updated.")


def internal_error() -> Refusal:
    """Refuse since something broke in here."""
    return Refusal(500, "APIGW.0601", "Internal server error")


def unknown_api() -> Refusal:
    """Refuse a method and path that nothing answers to."""
    return Refusal(404, "APIGW.0101", "The API does not exist or has not been published in the environment")


def too_large() -> Refusal:
    """Refuse a body over the gateway's limit."""
    return Refusal(413, "APIGW.0201", "Request entity too large")


def scripted_reply(fault: Fault, state: State, request: Request) -> Reply | None:
    """Return the scripted reply of a fault, or None if the service replies itself.

    :param fault: the fault that the request met
    :param state: whose settings choose how success is written
    :param request: as it arrived
    :raises Refusal: where the reply is an error of the service
    """
    if refusal := _scripted_refusal(fault, request):
        raise refusal
    match fault.kind:
        case "reply":
            return Reply(fault["status"], fault["body"], fault["headers"])
        case "html":
            page = _HTML.format(status=fault["status"])
            return Reply(fault["status"], page, {"Content-Type": "text/html"})
        case "is_success_false":
            return Reply(200, envelope(state.settings, success=False, message=fault["message"]))
        case "no_zip_file":
            return Reply(200, envelope(state.settings, success=True))
        case "no_agency":
            raise AgencyRefusal
    return None


def _scripted_refusal(fault: Fault, request: Request) -> Refusal | None:
    match fault.kind:
        case "error":
            return Refusal(fault["status"], fault["code"], fault["message"])
        case "echo":
            return Refusal(fault["status"], "DLI.0001", f"The request is refused: {_shown(request)}")
        case "throttled":
            after = fault["retry_after"]
            headers = {} if after is None else {"Retry-After": str(after)}
            return Refusal(429, "APIGW.0308", fault["message"], headers)
        case "expired_token":
            return token_expired()
        case "locked":
            return locked()
    return None
