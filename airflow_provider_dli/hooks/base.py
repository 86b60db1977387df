"""What the hooks share: the connection, read once and when first needed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_dli.connection import (
    CONN_TYPE,
    DEFAULT_CONN_ID,
    secrets_of,
    to_account,
    ui_field_behaviour,
)
from airflow_provider_dli.exceptions import translated

if TYPE_CHECKING:
    from airflow_provider_dli.client.account import Account
    from airflow_provider_dli.connection import AirflowConnection


class AccountHook(BaseHook):
    """A hook on a connection of type ``dli``.

    :param dli_conn_id: the connection
    """

    conn_name_attr = "dli_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = CONN_TYPE

    def __init__(self, dli_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:  # noqa: ANN401 -- BaseHook's
        super().__init__(**kwargs)
        self.dli_conn_id = dli_conn_id

    @cached_property
    def account(self) -> Account:
        """The account that the connection gives; read when first asked for.

        :raises DliFailException: naming the field, if one is missing, unknown or not usable
        """
        return self._read(self.get_connection(self.dli_conn_id))

    def _read(self, connection: AirflowConnection) -> Account:
        from airflow.providers.common.compat.sdk import mask_secret

        with translated(self.dli_conn_id):
            account = to_account(connection)
        for secret in secrets_of(account):
            mask_secret(secret)
        return account

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Tell Airflow how the connection form looks."""
        return ui_field_behaviour()
