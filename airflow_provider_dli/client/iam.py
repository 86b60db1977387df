"""What IAM, an ECS's metadata service and a pod's node issue: tokens, temporary keys, agencies; and projects.

Follows the IAM API reference, *Token Management*, *Access Key Management* and *Project Management*; and the ECS
user guide, *Obtaining Metadata*: version 2 requires a session token first; version 1, which older images have,
does not. No proxy may come between: it would fetch its own machine's metadata.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from airflow_provider_dli.client import replies
from airflow_provider_dli.client.call import Clock, Flow, Reply, Request, json_request, plain_request, send
from airflow_provider_dli.client.credentials import (
    AccessKey,
    Cached,
    Credentials,
    Expiring,
    canonical_query,
    read_small_file,
)
from airflow_provider_dli.client.errors import (
    AuthenticationError,
    ConfigurationError,
    PermissionDeniedError,
    ThrottledError,
)
from airflow_provider_dli.formatting import excerpt

TOKEN_HEADER = "X-Auth-Token"  # noqa: S105 -- the name of a header
_TOKENS = "/v3/auth/tokens?nocatalog=true"
_SECURITY_TOKENS = "/v3.0/OS-CREDENTIAL/securitytokens"
_OWN_PROJECTS = "/v3/auth/projects"
_PROJECTS = "/v3/projects"
# The response of a service that does not offer the first of these, or not to this identity.
_NOT_OFFERED = (403, 404, 405)
#: most projects that a message lists
_SHOWN = 10
_ID_TOKEN_TOKENS = "/v3.0/OS-AUTH/id-token/tokens"  # noqa: S105 -- a path
#: seconds that temporary keys last; IAM allows 900 to 86400
KEY_SECONDS = 3600

#: what a token of OpenID Connect looks like: a JWT, of three parts in base64url, or of five if it is encrypted
ID_TOKEN = re.compile(r"[\w-]+(\.[\w-]*){2}((\.[\w-]*){2})?", re.ASCII)
_ANY_TOKEN = re.compile("[!-~]+")
_MAX_TOKEN = 32768

#: the variables that CCE sets in a pod with an agency: where its keys are had, and the file of its token
POD_VARIABLES = ("HC_CONTAINER_CREDENTIALS_FULL_URI", "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE")
_KEY_PARTS = (
    ("access", "accessKeyId", "access_key_id"),
    ("secret", "secretAccessKey", "secret_access_key"),
    ("securitytoken", "securityToken", "security_token"),
)

METADATA_ENDPOINT = "http://169.254.169.254"
_METADATA_TOKEN = "/meta-data/latest/api/token"  # noqa: S105 -- a path
_METADATA_KEYS = "/openstack/latest/securitykey"
_METADATA_TOKEN_SECONDS = 21600
# The response of a metadata service without version 2 to the request for a session token.
_NO_VERSION_2 = (404, 405, 503)
_NO_AGENCY = b"Please configure Cloud Service Agency first"
_NO_AGENCY_ADVICE = (
    "The ECS has no agency: choose one for it in the console (ECS, Management Information, Agency), "
    "trusted by ECS and with permissions on DLI and OBS, or use another auth_type."
)
_POD_ADVICE = (
    "Check that the service account of this pod has an agency in CCE, and that the file that "
    "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE names holds its current token."
)
_METADATA_ADVICE = "Check metadata_endpoint of the connection: it refuses the session that it gave."
_THROTTLED_ADVICE = "Retry later: every task of this machine requests its keys of that service."
_EXPIRED_ADVICE = (
    "Check the clocks of this machine and of that service; it may hand out old keys until it is restarted."
)
_OK = 200


@dataclass(frozen=True, slots=True)
class User:
    """An IAM user with its password.

    :param name: user name
    :param password: its password
    :param domain: name of the account that the user belongs to
    """

    name: str
    password: str = field(repr=False)
    domain: str


@dataclass(frozen=True, slots=True)
class Scope:
    """The project that a token is for.

    :param project_id: its id; None if only its name is known
    :param project_name: its name: the region, or ``<region>_<sub-project>``
    """

    project_id: str | None
    project_name: str


@dataclass(frozen=True, slots=True)
class Agency:
    """An agency of another account that trusts ours.

    :param name: its name
    :param domain: name of the account that gave it
    """

    name: str
    domain: str


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A file with a token, which somebody replaces from time to time: it is read for each request.

    :param field: where its path is given, for messages
    :param path: its path
    :param form: what the token looks like; nothing else is read out of a file and sent
    """

    field: str
    path: str
    form: re.Pattern[str] = _ANY_TOKEN

    def __call__(self) -> str:
        """Return the token.

        :raises ConfigurationError: if the file holds none; nothing of the file is shown
        """
        content, problem = read_small_file(self.path)
        text = content.strip()
        if not problem and self.form.fullmatch(text) and len(text) <= _MAX_TOKEN:
            return text
        if not text:
            problem = problem or "is empty"
        elif len(text) > _MAX_TOKEN:
            problem = f"holds {len(text):,} characters, more than the {_MAX_TOKEN:,} of the longest token"
        else:
            problem = f"holds {len(text):,} characters that are no token"
        # What names no file may be the token itself.
        shown = f"'{self.path}'" if Path(self.path).exists() else excerpt(self.path)
        raise ConfigurationError(
            self.field, f"{shown} {problem}", "give the path of a file with the token alone, where the task runs"
        )


class TemporaryKeys:
    """Access keys that are fetched, and fetched again before they expire."""

    def __init__(self, identity: str, fetch: Callable[[Clock], Flow[Expiring[AccessKey]]]) -> None:
        self.identity = identity
        self._cached = Cached(fetch)

    def authenticate(self, request: Request, clock: Clock) -> Flow[Request]:
        """Sign with the current keys."""
        key = yield from self._cached.get(clock)
        return (yield from key.authenticate(request, clock))

    def keys(self, clock: Clock) -> Flow[AccessKey]:
        """Return the current keys."""
        return (yield from self._cached.get(clock))

    def invalidate(self, refused: Request) -> bool:
        """Drop the refused keys, so that the next call fetches others.

        Return False, so that this request is not retried: a key that is refused repeatedly gets locked.
        """
        authorization = dict(refused.headers).get("Authorization", "")
        self._cached.invalidate(lambda key: key.access_key in authorization)
        return False


class TokenCredentials:
    """A token, and for OBS the temporary keys that IAM issues for it.

    :param iam_endpoint: base URL of IAM
    :param identity: whose token it is, for messages
    :param fetch: the flow that fetches the token
    :param renewable: whether ``fetch`` can fetch another one
    """

    def __init__(
        self, iam_endpoint: str, identity: str, fetch: Callable[[Clock], Flow[Expiring[str]]], *, renewable: bool
    ) -> None:
        self.identity = identity
        self._iam = iam_endpoint
        self._renewable = renewable
        self._token = Cached(fetch)
        self._keys = TemporaryKeys(identity, self._fetch_keys)

    def authenticate(self, request: Request, clock: Clock) -> Flow[Request]:
        """Add the token as ``X-Auth-Token``."""
        token = yield from self._token.get(clock)
        headers = (*request.headers, (TOKEN_HEADER, token))
        return replace(request, headers=headers, secrets=(*request.secrets, token))

    def keys(self, clock: Clock) -> Flow[AccessKey]:
        """Return temporary keys that IAM issues for the token."""
        return (yield from self._keys.keys(clock))

    def invalidate(self, refused: Request) -> bool:
        """Drop the refused token, or key; return whether another can be fetched."""
        self._keys.invalidate(refused)
        self._token.invalidate(lambda token: (TOKEN_HEADER, token) in refused.headers)
        return self._renewable

    def _fetch_keys(self, clock: Clock) -> Flow[Expiring[AccessKey]]:
        token = yield from self._token.get(clock)
        try:
            return (yield from keys_of_token(self._iam, token))
        except AuthenticationError:
            self._token.invalidate(lambda held: held == token)
            raise


def ready_token(iam_endpoint: str, token: str) -> TokenCredentials:
    """Use a token as it was given, until it expires."""

    def fetch(clock: Clock) -> Flow[Expiring[str]]:
        del clock
        yield from ()
        return Expiring(token, None)

    return TokenCredentials(iam_endpoint, "the bearer of a token", fetch, renewable=False)


def password_token(iam_endpoint: str, user: User, scope: Scope) -> TokenCredentials:
    """Fetch tokens with the password of an IAM user, each renewed before it expires."""
    identity = f"IAM user {user.name} of account {user.domain}"
    return TokenCredentials(
        iam_endpoint, identity, lambda _clock: create_token(iam_endpoint, user, scope), renewable=True
    )


def agency_keys(iam_endpoint: str, trusted: Credentials, agency: Agency) -> TemporaryKeys:
    """Assume an agency of another account."""
    identity = f"agency {agency.name} of account {agency.domain}, assumed by {trusted.identity}"
    return TemporaryKeys(identity, lambda clock: keys_of_agency(iam_endpoint, trusted, agency, clock))


def federated_keys(iam_endpoint: str, provider: str, id_token: Callable[[], str]) -> TemporaryKeys:
    """Use the federated user that an identity provider stands for.

    :param iam_endpoint: base URL of IAM
    :param provider: its id in IAM
    :param id_token: returns its current token of OpenID Connect
    """
    identity = f"a federated user of identity provider {provider}"
    return TemporaryKeys(identity, lambda _clock: keys_of_id_token(iam_endpoint, provider, id_token()))


def keys_of_id_token(endpoint: str, provider: str, id_token: str) -> Flow[Expiring[AccessKey]]:
    """Fetch temporary access keys for the token of an identity provider, as the official SDKs do.

    :raises ServiceError: if IAM issues none
    """
    body, headers = {"auth": {"id_token": {"id": id_token}}}, [("X-Idp-Id", provider)]
    request = json_request("CreateTokenWithIdToken", "POST", endpoint + _ID_TOKEN_TOKENS, body, headers)
    token = yield from _fetch_token(replace(request, secrets=(id_token,)))
    return (yield from keys_of_token(endpoint, token.value))


def create_token(endpoint: str, user: User, scope: Scope) -> Flow[Expiring[str]]:
    """Fetch a token for a user's password, scoped to a project.

    :raises ServiceError: if IAM issues none
    """
    project = {"id": scope.project_id} if scope.project_id else {"name": scope.project_name}
    person = {"name": user.name, "password": user.password, "domain": {"name": user.domain}}
    identity = {"methods": ["password"], "password": {"user": person}}
    body = {"auth": {"identity": identity, "scope": {"project": project}}}
    request = json_request("KeystoneCreateUserTokenByPassword", "POST", endpoint + _TOKENS, body)
    return (yield from _fetch_token(replace(request, secrets=(user.password,), logins=(user.name,))))


def _fetch_token(request: Request) -> Flow[Expiring[str]]:
    reply = yield from send(request)
    decoded = replies.json_object(request.operation, reply)
    token = reply.headers.get("x-subject-token")
    if not token:
        raise replies.unexpected(request.operation, reply, "the reply has no X-Subject-Token")
    return Expiring(token, _time(request.operation, reply, decoded.get("token")))


def keys_of_token(endpoint: str, token: str) -> Flow[Expiring[AccessKey]]:
    """Fetch temporary access keys for a token.

    :raises ServiceError: if IAM issues none
    """
    identity = {"methods": ["token"], "token": {"id": token, "duration_seconds": KEY_SECONDS}}
    request = json_request(
        "CreateTemporaryAccessKeyByToken", "POST", endpoint + _SECURITY_TOKENS, {"auth": {"identity": identity}}
    )
    reply = yield from send(replace(request, secrets=(token,)))
    return read_keys(request.operation, reply)


def keys_of_agency(endpoint: str, trusted: Credentials, agency: Agency, clock: Clock) -> Flow[Expiring[AccessKey]]:
    """Fetch temporary access keys by assuming an agency.

    :raises ServiceError: if IAM issues none
    """
    role = {"agency_name": agency.name, "domain_name": agency.domain, "duration_seconds": KEY_SECONDS}
    identity = {"methods": ["assume_role"], "assume_role": role}
    request = json_request(
        "CreateTemporaryAccessKeyByAgency", "POST", endpoint + _SECURITY_TOKENS, {"auth": {"identity": identity}}
    )
    reply = yield from _send_as(trusted, request, clock)
    return read_keys(request.operation, reply)


def find_project(endpoint: str, credentials: Credentials, name: str, clock: Clock) -> Flow[Expiring[str]]:
    """Look up the id of the project of a name: among those that one may use, which takes no permission to list.

    :raises ConfigurationError: if not exactly one project bears the name
    :raises ServiceError: if IAM does not list them
    """
    request = json_request("KeystoneListAuthProjects", "GET", f"{endpoint}{_OWN_PROJECTS}", None)
    reply = yield from _send_as(credentials, request, clock)
    if reply.status in _NOT_OFFERED:
        url = f"{endpoint}{_PROJECTS}?{canonical_query([('name', name)])}"
        request = json_request("KeystoneListProjects", "GET", url, None)
        reply = yield from _send_as(credentials, request, clock)
    projects = replies.json_object(request.operation, reply).get("projects")
    try:
        found = [(str(project["id"]), str(project["name"])) for project in projects or []]
    except replies.UNREADABLE as error:
        raise replies.unexpected(request.operation, reply, f"the projects cannot be read: {error}") from error
    named = [each for each in found if each[1] == name]
    if len(named) != 1:
        listed = ", ".join(f"{each} ({project_id})" for project_id, each in (named or found)[:_SHOWN]) or "none"
        raise ConfigurationError(
            "project_id",
            f"is not given, and IAM lists not one but {len(named)} projects named {name!r}: "
            f"{'only ' if found and not named else ''}{listed}",
            "copy the correct one from My Credentials in the console",
        )
    return Expiring(named[0][0], None)


def _send_as(credentials: Credentials, request: Request, clock: Clock) -> Flow[Reply]:
    """Send a request authenticated; drop credentials that are refused, so that the next request has others."""
    authenticated = yield from credentials.authenticate(request, clock)
    reply = yield from send(authenticated)
    if reply.status == HTTPStatus.UNAUTHORIZED:
        credentials.invalidate(authenticated)
    return reply


def metadata_keys(endpoint: str = METADATA_ENDPOINT) -> TemporaryKeys:
    """Use the agency of the ECS that this runs on."""
    return TemporaryKeys("the agency of this ECS", lambda _clock: security_key(endpoint))


def security_key(endpoint: str) -> Flow[Expiring[AccessKey]]:
    """Fetch the temporary keys of the agency of this ECS; with a new session once if the first is refused.

    :raises ServiceError: if there are none
    """
    reply = yield from _security_key(endpoint)
    if reply.status == HTTPStatus.UNAUTHORIZED and _NO_AGENCY not in reply.body:
        reply = yield from _security_key(endpoint)
    has_none = _NO_AGENCY in reply.body
    return _read_keys_here("GetSecurityKey", reply, _NO_AGENCY_ADVICE if has_none else _METADATA_ADVICE)


def _security_key(endpoint: str) -> Flow[Reply]:
    token = yield from _session_token(endpoint)
    headers = [("X-Metadata-Token", token)] if token else []
    request = plain_request("GetSecurityKey", "GET", endpoint + _METADATA_KEYS, headers, direct=True)
    return (yield from send(replace(request, secrets=(token,) if token else ())))


def _session_token(endpoint: str) -> Flow[str | None]:
    headers = [("X-Metadata-Token-Ttl-Seconds", str(_METADATA_TOKEN_SECONDS))]
    request = plain_request("GetMetadataToken", "PUT", endpoint + _METADATA_TOKEN, headers, direct=True)
    reply: Reply = yield from send(request)
    if reply.status in _NO_VERSION_2:
        return None
    if reply.status != _OK:
        replies.json_object("GetMetadataToken", reply)
    text = reply.body.decode("ascii", "replace").strip()
    if reply.status != _OK or not (text and text.isascii() and text.isprintable()):
        raise replies.unexpected("GetMetadataToken", reply, "the reply is not a session token")
    return text


def pod_keys(url: str, token: Callable[[], str]) -> TemporaryKeys:
    """Use the agency of the pod that this runs in, as CCE gives it.

    :param url: where the node hands out keys
    :param token: returns the current token of the pod
    """
    return TemporaryKeys("the agency of this pod", lambda _clock: key_of_pod(url, token()))


def key_of_pod(url: str, token: str) -> Flow[Expiring[AccessKey]]:
    """Fetch the temporary keys of the agency of this pod.

    :raises ServiceError: if there are no keys
    """
    request = json_request("GetPodIdentityKey", "POST", url, {}, [("Authorization", token)])
    reply = yield from send(replace(request, secrets=(token,), direct=True))
    return _read_keys_here(request.operation, reply, _POD_ADVICE)


def _read_keys_here(operation: str, reply: Reply, advice: str) -> Expiring[AccessKey]:
    """Read keys that a service of this machine issues: it takes no key, and knows no project.

    :param advice: what to do where it refuses
    """
    try:
        return read_keys(operation, reply)
    except (AuthenticationError, PermissionDeniedError) as error:
        error.advice = advice
        raise
    except ThrottledError as error:
        error.advice = _THROTTLED_ADVICE
        raise


def read_keys(operation: str, reply: Reply) -> Expiring[AccessKey]:
    """Read temporary keys from a reply, whichever names they have: all are those of the official clients.

    :raises ServiceError: if it holds none
    """
    body = replies.json_object(operation, reply)
    try:
        given: Mapping[str, Any] = body.get("credential") or body.get("credentials") or body
        parts = [str(given[next((name for name in names if name in given), names[0])]) for names in _KEY_PARTS]
    except replies.UNREADABLE as error:
        raise replies.unexpected(operation, reply, f"the keys cannot be read: no {error}") from None
    if not all(part.isascii() and part.isprintable() for part in parts):
        raise replies.unexpected(operation, reply, "the keys cannot be read: they have characters that no key has")
    return Expiring(AccessKey(*parts), _time(operation, reply, given))


def _time(operation: str, reply: Reply, given: object) -> datetime:
    text = given.get("expires_at", given.get("expiration")) if isinstance(given, Mapping) else None
    shown = text if text is None or isinstance(text, str) else type(text)
    try:
        moment = datetime.fromisoformat(str(shown))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise replies.unexpected(operation, reply, f"expires_at is not a time: {shown!r}")
    # It expires by the service's clock, and is kept by this machine's.
    kept_until = replies.local(moment, reply)
    if reply.received is not None and kept_until.timestamp() <= reply.received:
        error = replies.unexpected(operation, reply, f"expires_at is in the past: {shown!r}")
        error.advice = _EXPIRED_ADVICE
        raise error
    return kept_until
