"""Access keys with their lock-outs, users with their passwords, tokens with their expiry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_hex

from dli_emulator.policies import Policy

Clock = Callable[[], float]


def id_of_name(name: str) -> str:
    """Return the id of a user or project: 32 hex digits, the same whenever the name is.

    :param name: of the user or project
    """
    number = name.encode().hex()
    return f"{number:0<32}" if len(number) <= 32 else sha256(name.encode()).hexdigest()[:32]  # noqa: PLR2004


#: consecutive failures that a key may have before it is locked
MAX_FAILURES = 5
#: seconds for which it is locked then
LOCK_SECONDS = 300.0
#: seconds that a token lives
TOKEN_SECONDS = 24 * 3600.0
#: seconds that a temporary key lives unless the request has another time
KEY_SECONDS = 900.0


@dataclass
class AccessKey:
    """An access key of the account.

    :param access_key: the id (AK)
    :param secret_key: the secret (SK)
    :param security_token: must come along if the key is temporary; None if it is permanent
    :param expires: epoch seconds; None if it is permanent
    :param failures: consecutive wrong signatures
    :param locked_until: epoch seconds; 0 if it never was locked
    :param user: name of the user whose it is; None for the account's administrator
    """

    access_key: str
    secret_key: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    expires: float | None = None
    failures: int = 0
    locked_until: float = 0.0
    user: str | None = None


@dataclass(frozen=True)
class User:
    """An IAM user who may sign in with a password.

    :param name: user name
    :param password: theirs
    :param domain: account that the user belongs to
    :param policies: what the user may do; None for an administrator, who may do all
    """

    name: str
    password: str = field(repr=False)
    domain: str
    policies: tuple[Policy, ...] | None = None


@dataclass(frozen=True)
class Token:
    """A token that IAM gave out.

    :param value: what goes into ``X-Auth-Token``
    :param user: whose it is
    :param issued: epoch seconds
    :param expires: epoch seconds
    :param project_id: that it is scoped to; None for the state's first
    :param methods: what it was given for
    """

    value: str = field(repr=False)
    user: User
    issued: float
    expires: float
    project_id: str | None = None
    methods: tuple[str, ...] = ("password",)


@dataclass(frozen=True)
class Agency:
    """An agency that another account has given the account of the emulator.

    :param name: of the agency
    :param domain: account that gave it
    """

    name: str
    domain: str


@dataclass(frozen=True)
class TrustAgency:
    """An agency that is assumed by its URN, and what its trust policy allows.

    :param urn: of the agency
    :param provider_urn: identity provider whose tokens may assume it; None where the account's keys may
    :param subject: that such a token must have; None for any
    :param external_id: that a request signed with a key must have; None for any
    :param max_seconds: maximum session duration
    :param user: name of a user with whose permissions it acts; None for an administrator
    """

    urn: str
    provider_urn: str | None = None
    subject: str | None = None
    external_id: str | None = None
    max_seconds: int = 43200
    user: str | None = None


@dataclass(frozen=True)
class IdToken:
    """A token that an identity provider of OpenID Connect gave out.

    :param value: has the form of a JWT
    :param provider_urn: of the identity provider; its name, the last part, is its id where IAM takes the token
    :param subject: whom it is about
    :param expires: epoch seconds
    """

    value: str = field(repr=False)
    provider_urn: str
    subject: str
    expires: float


class KeyRing:
    """All keys, users, tokens and agencies of the account.

    :param clock: gives epoch seconds
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.access_keys: dict[str, AccessKey] = {}
        self.users: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}
        self.agencies: set[Agency] = set()
        #: by URN
        self.trust_agencies: dict[str, TrustAgency] = {}
        #: by value
        self.id_tokens: dict[str, IdToken] = {}
        #: seconds that a new token lives
        self.token_seconds = TOKEN_SECONDS
        #: seconds that a new temporary key lives, whatever was requested; None takes the requested time
        self.key_seconds: float | None = None
        #: name of a user with whose permissions the agency of the ECS acts; None for an administrator
        self.ecs_user: str | None = None

    def add_key(
        self, access_key: str, secret_key: str, security_token: str | None = None, user: str | None = None
    ) -> AccessKey:
        """Let a key in.

        :param access_key: the id (AK)
        :param secret_key: the secret (SK)
        :param security_token: for a temporary key
        :param user: name of the user whose it is; None for the account's administrator
        """
        self.access_keys[access_key] = AccessKey(access_key, secret_key, security_token, user=user)
        return self.access_keys[access_key]

    def key_of(self, user: str) -> AccessKey:
        """Return the permanent key of a user.

        :param user: name of the user
        :raises ValueError: if the user has none
        """
        keys = (key for key in self.access_keys.values() if key.user == user and key.security_token is None)
        found = next(keys, None)
        if found is None:
            raise ValueError(f"there is no user {user!r} with an access key")
        return found

    def issue_key(self, seconds: float = KEY_SECONDS, user: str | None = None) -> AccessKey:
        """Issue a temporary key.

        :param seconds: that it lives, unless :attr:`key_seconds` is set
        :param user: name of the user whose it is; None for the account's administrator
        """
        key = self.add_key(f"HST{token_hex(9).upper()}"[:20], token_hex(20), f"gQpjbi{token_hex(60)}", user)
        key.expires = self._clock() + (seconds if self.key_seconds is None else self.key_seconds)
        return key

    def is_expired(self, key: AccessKey) -> bool:
        """Return whether a temporary key's time is over."""
        return key.expires is not None and key.expires <= self._clock()

    def is_locked(self, key: AccessKey) -> bool:
        """Return whether the key is locked now."""
        return self._clock() < key.locked_until

    def failed(self, key: AccessKey) -> bool:
        """Count a wrong signature; the sixth in a row locks the key.

        :param key: whose signature was wrong
        :returns: whether the key is locked now
        """
        key.failures += 1
        if key.failures <= MAX_FAILURES:
            return False
        key.failures = 0
        key.locked_until = self._clock() + LOCK_SECONDS
        return True

    def issue_token(self, user: User, project_id: str | None = None, former: Token | None = None) -> Token:
        """Return out a token.

        :param user: whose it is
        :param project_id: that it is scoped to; None for the state's first
        :param former: the token that it is exchanged for; it ends no later than that
        """
        now = self._clock()
        ends = former.expires if former else now + self.token_seconds
        methods = ("token",) if former else ("password",)
        token = Token(f"MII{token_hex(48)}", user, now, ends, project_id, methods)
        self.tokens[token.value] = token
        return token

    def issue_id_token(self, provider_urn: str, subject: str = "airflow", seconds: float = 3600.0) -> IdToken:
        """Issue a token of an identity provider, as it would be written into a file.

        :param provider_urn: of the identity provider
        :param subject: whom it is about
        :param seconds: that it lives
        """
        value = f"eyJ{token_hex(12)}.eyJ{token_hex(40)}.{token_hex(60)}"
        token = IdToken(value, provider_urn, subject, self._clock() + seconds)
        self.id_tokens[value] = token
        return token

    def id_token(self, value: object) -> IdToken | None:
        """Return a token of an identity provider; None if it is unknown or has expired.

        :param value: as it was sent
        """
        token = self.id_tokens.get(value) if isinstance(value, str) else None
        return token if token and token.expires > self._clock() else None
