"""Temporary access keys that somebody hands out: the metadata service of an ECS, or IAM for an agency."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_dli.client.call import Clock, Conversation, Request
from airflow_provider_dli.client.credentials import iam, metadata
from airflow_provider_dli.client.credentials.cache import Cached, Lasting
from airflow_provider_dli.client.credentials.keys import AccessKey

if TYPE_CHECKING:
    from airflow_provider_dli.client.credentials import Credentials


class TemporaryKeys:
    """Access keys that are fetched, and fetched again before they end.

    :param who: who we are with them, for people
    :param fetch: the conversation that gets them
    """

    def __init__(self, who: str, fetch: Callable[[Clock], Conversation[Lasting[AccessKey]]]) -> None:
        self.who = who
        self._cached = Cached(fetch)

    def prove(self, request: Request, clock: Clock) -> Conversation[Request]:
        """Sign with the keys of the moment."""
        key = yield from self._cached.get(clock)
        return (yield from key.prove(request, clock))

    def keys(self, clock: Clock) -> Conversation[AccessKey]:
        """Give the keys of the moment."""
        return (yield from self._cached.get(clock))

    def forget(self, refused: Request) -> bool:
        """Forget the keys that were refused, for the next call to fetch others.

        Says that this request must not be repeated: a key that is refused again and again is locked.
        """
        proof = dict(refused.headers).get("Authorization", "")
        self._cached.forget(lambda key: key.access_key in proof)
        return False


def metadata_keys(endpoint: str = metadata.ENDPOINT) -> TemporaryKeys:
    """Use the agency of the ECS that this runs on.

    :param endpoint: base URL of the metadata service
    """
    return TemporaryKeys("the agency of this ECS", lambda _clock: metadata.security_key(endpoint))


def agency_keys(iam_endpoint: str, trusted: Credentials, agency: iam.Agency) -> TemporaryKeys:
    """Assume an agency of another account.

    :param iam_endpoint: base URL of IAM
    :param trusted: who we are before
    :param agency: whom we become
    """
    who = f"agency {agency.name} of account {agency.domain}, assumed by {trusted.who}"
    return TemporaryKeys(who, lambda clock: iam.keys_of_agency(iam_endpoint, trusted, agency, clock))
