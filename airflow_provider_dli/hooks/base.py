"""What the hooks share: the connection, read once and when first needed, and a way to talk."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import BaseHook, mask_secret

from airflow_provider_dli.connection.fields import CONN_TYPE, DEFAULT_CONN_ID, ui_field_behaviour
from airflow_provider_dli.exceptions import translated

if TYPE_CHECKING:
    from airflow_provider_dli.client.account import Account
    from airflow_provider_dli.client.call import Conversation
    from airflow_provider_dli.client.transport.sync import SyncTransport
    from airflow_provider_dli.connection.reading import AirflowConnection

T = TypeVar("T")


class AccountHook(BaseHook):
    """A hook on a connection of type ``dli``. Threads may share it.

    :param dli_conn_id: the connection
    """

    conn_name_attr = "dli_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = CONN_TYPE

    def __init__(self, dli_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:  # noqa: ANN401 -- BaseHook's
        super().__init__(**kwargs)
        self.dli_conn_id = dli_conn_id
        self._account: Account | None = None
        self._account_lock = threading.Lock()

    @property
    def account(self) -> Account:
        """The account that the connection gives; read when first asked for.

        :raises DliFailException: naming the field, if one is missing, unknown or not usable
        """
        return self._account or self._adopt(self.get_connection(self.dli_conn_id))

    @property
    def project_id(self) -> str:
        """The project's id; looked up in IAM if the connection does not give it.

        :raises DliFailException: if not exactly one project bears the region's name
        """
        from airflow_provider_dli.client.exchange import utc_now

        return self._hold(self.account.project.id(utc_now))

    def _hold(self, conversation: Conversation[T]) -> T:
        """Hold a conversation to its end, with errors as a DAG author sees them."""
        with translated(self.dli_conn_id):
            return self._transport.run(conversation)

    @cached_property
    def _transport(self) -> SyncTransport:
        from airflow_provider_dli.client.transport.sync import SyncTransport

        return SyncTransport(self.account.network)

    def _adopt(self, connection: AirflowConnection) -> Account:
        """Read a connection unless another thread or task has: all share one account, and so one token."""
        with self._account_lock:
            if self._account is None:
                self._account = self._read(connection)
            return self._account

    def _read(self, connection: AirflowConnection) -> Account:
        from airflow_provider_dli.connection.account import secrets_of, to_account

        for secret in secrets_of(connection):
            mask_secret(secret)
        with translated(self.dli_conn_id):
            account = to_account(connection)
        if account.network.verify is False:
            self.log.warning(
                "CERTIFICATES ARE NOT CHECKED on connection %r: anybody on the way can read and change "
                "everything, secrets included. Use ca_bundle for a private authority.",
                self.dli_conn_id,
            )
        return account

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Tell Airflow how the connection form looks."""
        return ui_field_behaviour()
