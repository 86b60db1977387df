"""Single steps of the signature, where the golden cases do not tell."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_dli.client import signing


@pytest.mark.usefixtures("abroad")
def test_the_date_is_in_utc_wherever_the_machine_stands() -> None:
    """Neither the machine's zone nor the moment's is written."""
    assert time.localtime().tm_gmtoff == 8 * 3600
    lima = timezone(timedelta(hours=-5))
    assert signing.sdk_date(datetime(2026, 1, 15, 3, 30, 45, tzinfo=lima)) == "20260115T083045Z"


def test_what_needs_no_encoding() -> None:
    """RFC 3986's unreserved characters, the tilde among them, and nothing else."""
    assert signing.encode("aZ09-._~") == "aZ09-._~"
    assert signing.encode("/+ *%夜") == "%2F%2B%20%2A%25%E5%A4%9C"
