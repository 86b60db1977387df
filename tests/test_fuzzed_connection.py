"""Whatever somebody types into the connection form: an account, or one short message that names the field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.connection import secrets_of, to_account
from airflow_provider_dli.connection_form import EXTRAS, AuthType
from tests.connections import GOOD, Connection
from tests.sampling import tried_of

_ODD = ("", " ", "true", "http://", "https://[", "http://a..b", "https://u:p@h:99999", "1e999", "\ud800", "a\nb")
_KNOWN = (*AuthType, "huaweicloud", "cn-north-4", "é" * 5000)
TEXTS = st.one_of(st.text(max_size=30), st.sampled_from(_ODD + _KNOWN))
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.integers(10**300, 10**310),
    st.lists(TEXTS, max_size=2),
    st.dictionaries(TEXTS, TEXTS, max_size=2),
)
EXTRA = st.dictionaries(st.sampled_from(list(EXTRAS)) | st.text(max_size=9), VALUES, max_size=5)


@pytest.mark.slow
@settings(max_examples=tried_of(1500))
@given(
    login=st.none() | TEXTS,
    password=st.none() | TEXTS,
    extra=st.builds(lambda base, given: {**base, **given}, st.sampled_from([GOOD, {}]), EXTRA) | VALUES,
    host=st.none() | TEXTS,
)
def test_any_connection(login: str | None, password: str | None, extra: Any, host: str | None) -> None:
    """Nothing else is raised, by a connection that is good, broken or malicious."""
    given = Connection(login, password, host, extra_dejson=extra)
    secrets = secrets_of(given, {})
    assert all(secrets)
    refused = None
    try:
        to_account(given, {})
    except ConfigurationError as error:
        refused = error
    if refused:
        message = str(refused)
        assert refused.field
        assert refused.remedy
        assert len(message) < 900
        assert not [secret for secret in secrets if len(secret) > 12 and secret in message]
