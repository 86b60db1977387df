"""Who we are: each kind of credentials in a module of its own, all with the same three verbs.

Proving is a conversation, because some credentials must first ask (IAM for a token, the metadata service for
keys): it yields requests of its own and returns the proven request. Access keys ask nobody.
"""

from __future__ import annotations

from typing import Protocol

from airflow_provider_dli.client.call import Clock, Conversation, Request
from airflow_provider_dli.client.credentials.keys import AccessKey

__all__ = ["AccessKey", "Credentials"]


class Credentials(Protocol):
    """Anything that can prove who we are."""

    @property
    def who(self) -> str:
        """Say who we are, for people; no secret is in it."""
        ...

    def prove(self, request: Request, clock: Clock) -> Conversation[Request]:
        """Give proof: return ``request`` with it, asking others on the way where needed.

        :param request: complete but for the proof
        :param clock: tells the time of proof
        """
        ...

    def keys(self, clock: Clock) -> Conversation[AccessKey]:
        """Give access keys for OBS, which takes nothing else.

        :param clock: tells the time
        """
        ...

    def forget(self, refused: Request) -> bool:
        """Forget proof that was not believed; whether fresh proof can be had.

        :param refused: the request with that proof
        """
        ...
