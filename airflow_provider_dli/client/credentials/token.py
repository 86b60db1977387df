"""Tokens of IAM: one that is ready, or one that a user name and password give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from airflow_provider_dli.client.call import Clock, Conversation, Request
from airflow_provider_dli.client.credentials import iam
from airflow_provider_dli.client.credentials.cache import Cached, Lasting
from airflow_provider_dli.client.credentials.keys import AccessKey
from airflow_provider_dli.client.errors import AuthenticationError


class TokenCredentials:
    """A token as proof, and for OBS the temporary keys that IAM makes for it.

    :param iam_endpoint: base URL of IAM
    :param who: whose token it is, for people
    :param fetch: the conversation that gets the token
    :param renewable: whether ``fetch`` gives another one when asked again
    """

    def __init__(
        self, iam_endpoint: str, who: str, fetch: Callable[[Clock], Conversation[Lasting[str]]], *, renewable: bool
    ) -> None:
        self.who = who
        self._iam = iam_endpoint
        self._renewable = renewable
        self._token = Cached(fetch)
        self._keys = Cached(self._fetch_keys)

    def prove(self, request: Request, clock: Clock) -> Conversation[Request]:
        """Add the token as ``X-Auth-Token``."""
        token = yield from self._token.get(clock)
        headers = (*request.headers, (iam.TOKEN_HEADER, token))
        return replace(request, headers=headers, secrets=(*request.secrets, token))

    def keys(self, clock: Clock) -> Conversation[AccessKey]:
        """Give temporary keys that IAM makes for the token."""
        return (yield from self._keys.get(clock))

    def forget(self, refused: Request) -> bool:
        """Forget the token that was refused; whether another can be had."""
        self._token.forget(lambda token: (iam.TOKEN_HEADER, token) in refused.headers)
        return self._renewable

    def _fetch_keys(self, clock: Clock) -> Conversation[Lasting[AccessKey]]:
        token = yield from self._token.get(clock)
        try:
            return (yield from iam.keys_of_token(self._iam, token))
        except AuthenticationError:
            self._token.forget(lambda held: held == token)
            raise


def ready_token(iam_endpoint: str, token: str) -> TokenCredentials:
    """Use a token as it was given; when it ends, so does the proof.

    :param iam_endpoint: base URL of IAM
    :param token: the token, scoped to the project
    """

    def fetch(clock: Clock) -> Conversation[Lasting[str]]:
        del clock
        yield from ()
        return Lasting(token, None)

    return TokenCredentials(iam_endpoint, "the bearer of a token", fetch, renewable=False)


def password_token(iam_endpoint: str, user: iam.User, scope: iam.Scope) -> TokenCredentials:
    """Get tokens with the password of an IAM user, each renewed before its end.

    :param iam_endpoint: base URL of IAM
    :param user: who asks
    :param scope: the project that the tokens are for
    """
    who = f"IAM user {user.name} of account {user.domain}"
    return TokenCredentials(
        iam_endpoint, who, lambda _clock: iam.create_token(iam_endpoint, user, scope), renewable=True
    )
