"""Huawei's official SDK as a client of the emulator."""

from __future__ import annotations

from typing import Any

from huaweicloudsdkcore.auth.credentials import (  # type: ignore[import-untyped]  # it has no types
    BasicCredentials,
)
from huaweicloudsdkdli.v1 import DliClient  # type: ignore[import-untyped]  # likewise

from dli_emulator import Emulator


def sdk_client(emulator: Emulator, secret_key: str | None = None) -> Any:
    """Return a client of the SDK for an emulator."""
    credentials = BasicCredentials(emulator.access_key, secret_key or emulator.secret_key, emulator.project_id)
    return DliClient.new_builder().with_credentials(credentials).with_endpoint(emulator.dli).build()
