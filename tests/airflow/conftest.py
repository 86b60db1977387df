"""A connection for hooks and operators, given as a user would: in the environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

PROJECT = "48cc2c48765f481480c7db940d6409d1"

Connect = Callable[..., None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Return a function that sets the connection ``dli_default``; extras by name."""

    def set_connection(login: str | None = "AK", password: str | None = "SK", **extra: Any) -> None:
        fields = {
            "conn_type": "dli",
            "login": login,
            "password": password,
            "extra": {
                "region": "cn-north-4",
                "project_id": PROJECT,
                "endpoint": "https://dli.test",
                "retry_budget": 0,
                **extra,
            },
        }
        monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", json.dumps(fields))

    return set_connection
