"""The boto3 client for OBS: every setting of the connection is in it, keys are those of the moment."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.obs.client import CurrentCredentials, make_client, redact, redact_logs
from airflow_provider_dli.client.transport import Network

ENDPOINT = "https://obs.cn-north-4.myhuaweicloud.com"


def client(account: Any, **network: Any) -> Any:
    return make_client(replace(account, network=Network(**network)), lambda: account.credentials)


def test_botocore_repeats_with_growing_pauses(account_at: Any) -> None:
    """And signs as OBS wants it."""
    config = client(account_at(ENDPOINT)).meta.config
    assert config.retries["mode"] == "standard"
    assert config.signature_version == "s3v4"


def test_the_region_is_that_of_the_connection(account_at: Any) -> None:
    """Whatever the environment has."""
    made = client(account_at(ENDPOINT))
    assert (made.meta.region_name, made.meta.endpoint_url) == ("cn-north-4", ENDPOINT)


def test_a_key_that_is_renewed_signs_the_next_request(account_at: Any) -> None:
    """With its own secret and token."""
    keys = [AccessKey("ONE", "1", "token-1"), AccessKey("TWO", "2", "token-2")]
    made: Any = make_client(account_at(ENDPOINT), lambda: keys[0])
    urls = []
    for _ in range(2):
        parameters = {"Bucket": "obs-test", "Key": "a"}
        urls.append(made.generate_presigned_url("get_object", Params=parameters))
        keys.reverse()
    assert ["ONE" in url and "token-1" in url for url in urls] == [True, False]
    assert ["TWO" in url and "token-2" in url for url in urls] == [False, True]


@pytest.mark.parametrize("name", ["botocore.auth", "botocore.endpoint"])
def test_botocores_logs_are_redacted_from_then_on(name: str) -> None:
    """By one filter on the loggers of signed requests."""
    redact_logs()
    redact_logs()
    assert logging.getLogger(name).filters.count(redact) == 1
    assert redact not in logging.getLogger().filters


def test_boto3_has_all_of_a_key() -> None:
    """Access key, secret key and token, of the moment."""
    credentials = CurrentCredentials(lambda: AccessKey("AK", "SK", "TOKEN"))
    assert tuple(credentials.get_frozen_credentials())[:3] == ("AK", "SK", "TOKEN")
    assert (credentials.access_key, credentials.secret_key, credentials.token) == ("AK", "SK", "TOKEN")
