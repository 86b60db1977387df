"""Hosts that follow from the region, and what people type in their place: endpoints, regions, projects."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.transport import parse_proxy
from airflow_provider_dli.connection import checked_project, secrets_of, to_account
from airflow_provider_dli.connection.fields import (
    checked_endpoint,
    checked_region,
    default_console,
    default_endpoint,
)
from tests.connections import GOOD, Connection


def test_endpoints_follow_from_the_region() -> None:
    """The sovereign European region is under .eu."""
    assert default_endpoint("dli", "cn-north-4") == "https://dli.cn-north-4.myhuaweicloud.com"
    assert default_endpoint("obs", "eu-west-101") == "https://obs.eu-west-101.myhuaweicloud.eu"


def test_sts_has_a_host_in_some_regions() -> None:
    """Of Huawei Cloud's; none of another cloud is known."""
    assert default_endpoint("sts", "tr-west-1") == "https://sts.tr-west-1.myhuaweicloud.com"
    assert default_endpoint("sts", "na-mexico-1") is None
    assert default_endpoint("sts", "eu-west-101") is None
    assert default_endpoint("sts", "cn-north-4", "huaweicloud-eu") is None


@pytest.mark.parametrize("region", ["af-north-1", "ru-northwest-2"])
def test_the_global_iam_serves_regions_without_one(region: str) -> None:
    """DLI and OBS are in the region all the same."""
    account = to_account(Connection(extra_dejson={**GOOD, "region": region}))
    assert account.iam_endpoint == "https://iam.myhuaweicloud.com"
    assert account.endpoint == f"https://dli.{region}.myhuaweicloud.com"
    assert account.obs_endpoint == f"https://obs.{region}.myhuaweicloud.com"
    given = {**GOOD, "region": region, "iam_endpoint": "https://iam.example.com"}
    assert to_account(Connection(extra_dejson=given)).iam_endpoint == "https://iam.example.com"


def test_a_host_that_no_source_names_is_required() -> None:
    """Those of the Swiss region of Open Telekom Cloud have another form, and DLI's is in no list."""
    swiss = {**GOOD, "region": "eu-ch2", "cloud": "open-telekom-cloud"}
    with pytest.raises(ConfigurationError, match=r"^endpoint: is missing, and no source names .* DLI in eu-ch2"):
        to_account(Connection(extra_dejson=swiss))
    account = to_account(Connection(extra_dejson={**swiss, "endpoint": "https://dli.example.com"}))
    assert account.endpoint == "https://dli.example.com"
    assert account.iam_endpoint == "https://iam-pub.eu-ch2.sc.otc.t-systems.com"
    assert account.obs_endpoint == "https://obs.eu-ch2.sc.otc.t-systems.com"


@pytest.mark.parametrize(
    "url",
    [
        "https://dli.eu-de.otc.t-systems.com",
        "http://127.0.0.1:8080/",
        "https://[::1]:99",
        "https://under_score.a.",
        f"https://{'a' * 63}.com",
    ],
)
def test_an_endpoint_is_scheme_host_and_port(url: str) -> None:
    """A slash at the end is dropped."""
    assert checked_endpoint("endpoint", url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "dli.cn-north-4.myhuaweicloud.com",
        "ftp://host",
        "https://",
        "https:///x",
        "https://host/v1.0",
        "https://host?x=1",
        "https://user:pw@host",
        "https://host:0",
        "https://host:99999",
        "https://host:abc",
        "https://[::1",
        "https://ho st",
        "https://host\nX: y",
        "https://hôst",
        "https://a..b",
        "https://.a",
        "https://.",
        f"https://{'a' * 64}.com",
    ],
)
def test_an_invalid_endpoint_is_refused(url: str) -> None:
    """By the name of its field."""
    with pytest.raises(ConfigurationError, match=r"^obs_endpoint: "):
        checked_endpoint("obs_endpoint", url)


@pytest.mark.parametrize(
    "region", ["", "cn", "https://cn-north-4", "cn north", "cn-north-4\n", "CN-north-4", "é-1"]
)
def test_an_invalid_region_is_refused(region: str) -> None:
    """Also a URL that was pasted there."""
    with pytest.raises(ConfigurationError, match=r"^region: "):
        checked_region(region)


@pytest.mark.parametrize("region", ["cn-north-4", "eu-west-101", "my-kualalumpur-1", "eu-de", "eu-ch2-x"])
def test_regions_pass(region: str) -> None:
    """Those of Huawei Cloud and of clouds with the same API."""
    assert checked_region(region) == region


@pytest.mark.parametrize("project_id", ["", "a/b", "a b", "0" * 65, "é", "a\r\nHost: x", "A1B2" * 10, "aBc4" * 10])
def test_an_invalid_project_id_is_refused(project_id: str) -> None:
    """It becomes part of a path and of a header; one as long as a secret key is not shown."""
    with pytest.raises(ConfigurationError, match=r"^project_id: ") as caught:
        checked_project(project_id)
    assert len(project_id) < 33 or project_id[:9] not in str(caught.value)


@pytest.mark.parametrize(
    ("project_id", "is_secret"),
    [("48cc2c48765f481480c7db940d6409d1", False), ("48CC2C48765F481480C7DB940D6409D1", False), ("scratch", False),
     ("d9b2d63d-a233-4123-847a-5f3c2b1a0e9d", False), ("0" * 64, False), ("AKIAIOSFODNN7EXAMPLE", True)],
)  # fmt: skip
def test_a_project_id_of_another_form_is_taken(project_id: str, is_secret: bool) -> None:
    """And masked if it has capitals, as keys and passwords have: the service quotes it."""
    assert checked_project(project_id) == project_id
    masked = secrets_of(Connection(extra_dejson={**GOOD, "project_id": project_id}), {})
    assert (project_id in masked) is is_secret


@pytest.mark.parametrize("url", ["https://{}.x", "https://{}", "https://{}.x:99999", "https://obs.{}.x"])
@pytest.mark.parametrize("secret", ["A1B2" * 10, "aBc4" * 10])
def test_an_endpoint_like_a_secret_is_refused(url: str, secret: str) -> None:
    """It would be in the message of each request that does not arrive."""
    with pytest.raises(ConfigurationError, match=r"^endpoint: .* has a long word with capitals") as caught:
        checked_endpoint("endpoint", url.format(secret))
    assert secret[:9] not in str(caught.value)


def test_an_endpoint_with_capitals_is_taken() -> None:
    """Hosts may have them, and long names in small letters."""
    for url in ("https://DLI.cn-north-4.MyHuaweiCloud.com", f"https://{'vpcep-1234567890-' * 3}a.x"):
        assert checked_endpoint("endpoint", url) == url


def test_consoles_are_those_that_are_known() -> None:
    """Of a cloud that is named, or of that of the region; else there is none."""
    known = "https://console.huaweicloud.com"
    assert default_console("cn-north-4") == known
    assert default_console("eu-west-101") is None
    assert default_console("eu-west-101", "huaweicloud") == known
    assert default_console("cn-north-4", "open-telekom-cloud") is None


def test_an_endpoint_with_a_host_that_cannot_be_looked_up() -> None:
    """The message names what is wrong with it."""
    with pytest.raises(ConfigurationError) as caught:
        checked_endpoint("endpoint", "https://a..b")
    assert caught.value.problem == "'https://a..b' has a host with a part that is empty or too long"


SECRETIVE = [
    "http://ops:hunter2#x@proxy:3128",
    "http://ops:hunter2/x@proxy:3128",
    "http://ops:hunter2?x@proxy:3128",
    "http://ops:[hunter2]@proxy:3128",
    "http://ops:hunter2@[proxy]:3128",
    "http://ops:hunter2@proxy:no",
    "http://ops:hunter2@pro..xy",
    "http://ops:hunter2@pro xy",
    "http://hunter2",
    "http://ops:hunter2",
    "http://[hunter2",
    "ops:hunter2@proxy:3128",
]


@pytest.mark.parametrize(
    ("check", "url"),
    [
        *((parse_proxy, url) for url in SECRETIVE),
        *((checked_endpoint, url) for url in SECRETIVE if "@" in url),
    ],
)
def test_a_refused_url_is_shown_without_its_password(check: Any, url: str) -> None:
    """Not even in the words of the library, which quote what they stumble over."""
    try:
        check("field", url)
    except ConfigurationError as error:
        assert "hunter2" not in str(error)  # noqa: PT017 -- one of them is a URL
