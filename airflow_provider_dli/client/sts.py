"""What STS issues: temporary keys of an agency assumed by its URN, with a key or with a token of OpenID Connect.

Follows the IAM API reference of version 5, *AssumeAgency*, and the official clients for *AssumeAgencyWithOIDC*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from airflow_provider_dli.client.call import Clock, Flow, json_request, send
from airflow_provider_dli.client.credentials import AccessKey, Credentials, Expiring
from airflow_provider_dli.client.errors import AuthenticationError, PermissionDeniedError, RefusedError
from airflow_provider_dli.client.iam import TemporaryKeys, read_keys

_ASSUME = "/v5/agencies/assume"
_ASSUME_WITH_OIDC = "/v5/agencies/assume-with-oidc"
#: seconds that a session lasts by default
SESSION_SECONDS = 3600
_TRUST_ADVICE = (
    "Check agency_urn, and whether the trust policy of that agency names who assumes it (and which external_id); "
    "a user needs sts:agencies:assume too."
)
_OIDC_ADVICE = (
    "Check provider_urn and agency_urn, whether the trust policy of that agency names the issuer, audience and "
    "subject of the token, and whether the file of the token is still replaced before the token expires."
)


@dataclass(frozen=True, slots=True)
class Session:
    """A session with an agency.

    :param agency_urn: URN of the agency
    :param name: name of the session
    :param seconds: how long its keys last
    :param more: further fields of the request, such as ``external_id``; None for those that are not sent
    """

    agency_urn: str
    name: str
    seconds: int = SESSION_SECONDS
    more: Mapping[str, object] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        """Return the fields of the request."""
        given = {name: value for name, value in self.more.items() if value is not None}
        return {
            "agency_urn": self.agency_urn,
            "agency_session_name": self.name,
            "duration_seconds": self.seconds,
            **given,
        }


def agency_keys(endpoint: str, trusted: Credentials, session: Session) -> TemporaryKeys:
    """Assume an agency with credentials that it trusts.

    :param endpoint: base URL of STS
    :param trusted: who assumes it
    :param session: which agency, and for how long
    """
    identity = f"agency {session.agency_urn}, assumed by {trusted.identity}"
    return TemporaryKeys(identity, lambda clock: assume_agency(endpoint, trusted, session, clock))


def assume_agency(
    endpoint: str, trusted: Credentials, session: Session, clock: Clock
) -> Flow[Expiring[AccessKey]]:
    """Fetch temporary keys by assuming an agency.

    STS takes signed requests only: a token is exchanged for keys first.

    :raises ServiceError: if STS issues none
    """
    key = yield from trusted.keys(clock)
    request = json_request("AssumeAgency", "POST", endpoint + _ASSUME, session.body())
    signed = yield from key.authenticate(request, clock)
    reply = yield from send(signed)
    if reply.status == HTTPStatus.UNAUTHORIZED:
        trusted.invalidate(signed)
    try:
        return read_keys(request.operation, reply)
    except (PermissionDeniedError, RefusedError) as error:
        if reply.status != HTTPStatus.BAD_REQUEST:  # whose message names the field
            error.advice = _TRUST_ADVICE
        raise


def oidc_keys(endpoint: str, provider_urn: str, id_token: Callable[[], str], session: Session) -> TemporaryKeys:
    """Assume an agency that trusts an identity provider.

    :param endpoint: base URL of STS
    :param provider_urn: URN of the identity provider
    :param id_token: returns its current token
    :param session: which agency, and for how long
    """
    identity = f"agency {session.agency_urn}, assumed by a token of {provider_urn}"
    return TemporaryKeys(identity, lambda _clock: assume_with_oidc(endpoint, provider_urn, id_token(), session))


def assume_with_oidc(
    endpoint: str, provider_urn: str, id_token: str, session: Session
) -> Flow[Expiring[AccessKey]]:
    """Fetch temporary keys for the token of an identity provider. The request is not signed.

    :raises ServiceError: if STS issues none
    """
    body = {"provider_urn": provider_urn, "id_token": id_token, **session.body()}
    request = json_request("AssumeAgencyWithOIDC", "POST", endpoint + _ASSUME_WITH_OIDC, body)
    reply = yield from send(replace(request, secrets=(id_token,)))
    try:
        return read_keys(request.operation, reply)
    except (AuthenticationError, PermissionDeniedError, RefusedError) as error:
        error.advice = _OIDC_ADVICE
        raise
