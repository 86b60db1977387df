"""The connection's fields, and the account that is made of them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import certifi
import pytest

from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.exchange import Account
from airflow_provider_dli.client.transport import Network
from airflow_provider_dli.connection import secrets_of, to_account
from airflow_provider_dli.connection.fields import checked_endpoint
from airflow_provider_dli.connection_form import (
    EXTRAS,
    AuthType,
    conn_fields,
    connection_form_widgets,
    ui_field_behaviour,
)
from tests.connections import GOOD, Connection

VARIABLE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
POD = {
    "HC_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/v1/credentials",
    "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nowhere/token",
}
URN, PROVIDER = "iam::1a2b:agency:backup", "iam::1a2b:oidcProvider:cluster"
OIDC = {
    "HUAWEICLOUD_OIDC_PROVIDER_URN": PROVIDER,
    "HUAWEICLOUD_OIDC_AGENCY_URN": URN,
    "HUAWEICLOUD_OIDC_TOKEN_FILE": "/nowhere/token",
}
PROFILE = """[global]
ak = GAK
[basic]
ak = FAK
sk = F%SK=x
security_token: ftoken
project_id = fproject
"""


@pytest.fixture
def credentials_file(tmp_path: Path) -> Path:
    """Return the path of a file as the official clients have it."""
    path = tmp_path / "credentials"
    path.write_text(PROFILE)
    return path


def key_of(account: Account) -> AccessKey:
    """Return the access key of an account that needs no request for it."""
    with pytest.raises(StopIteration) as done:
        next(account.credentials.keys(lambda: datetime.now(UTC)))
    key = done.value.value
    assert isinstance(key, AccessKey)
    return key


def test_region_and_project_are_enough() -> None:
    """The endpoints follow from the region."""
    account = to_account(Connection())
    assert account.endpoint == "https://dli.cn-north-4.myhuaweicloud.com"
    assert account.obs_endpoint == "https://obs.cn-north-4.myhuaweicloud.com"
    assert account.iam_endpoint == "https://iam.cn-north-4.myhuaweicloud.com"
    assert account.project.given == GOOD["project_id"]
    assert key_of(account) == AccessKey("AK", "SK")
    assert account.network == Network()
    assert account.retry.budget == 120


def test_every_extra_can_be_set_and_spaces_around_a_pasted_value_are_dropped() -> None:
    """Each endpoint on its own, a temporary key's token, the network, numbers as strings."""
    extras = {
        **GOOD,
        "endpoint": " https://dli.eu-de.otc.t-systems.com/ ",
        "obs_endpoint": "https://obs.eu-de.otc.t-systems.com",
        "iam_endpoint": "https://iam.eu-de.otc.t-systems.com",
        "sts_endpoint": "https://sts.ap-southeast-3.myhuaweicloud.com",
        "metadata_endpoint": "http://127.0.0.1:1",
        "console_endpoint": "https://console-intl.huaweicloud.com/",
        "auth_type": "access_key",
        "cloud": "open-telekom-cloud",
        "security_token": "token\n",
        "domain_name": "",
        "agency_name": None,
        "agency_domain_name": " ",
        "agency_urn": "",
        "agency_session_name": " ",
        "duration_seconds": None,
        "external_id": "",
        "provider_urn": "",
        "id_token_file": " ",
        "bucket": "obs-test",
        "ca_bundle": certifi.where(),
        "insecure_skip_verify": "False",
        "proxy": "http://user:pw@proxy:3128",
        "connect_timeout": "5",
        "read_timeout": 60,
        "total_timeout": "90",
        "retry_budget": "0",
    }
    assert set(extras) == set(EXTRAS)
    account = to_account(Connection(login=" AK ", extra_dejson=extras))
    assert account.endpoint == "https://dli.eu-de.otc.t-systems.com"
    assert account.obs_endpoint == "https://obs.eu-de.otc.t-systems.com"
    assert account.iam_endpoint == "https://iam.eu-de.otc.t-systems.com"
    assert account.console == "https://console-intl.huaweicloud.com"
    assert key_of(account) == AccessKey("AK", "SK", "token")
    assert account.network == Network(certifi.where(), "http://user:pw@proxy:3128", 5.0, 60.0, 90.0)
    assert account.retry.budget == 0


@pytest.mark.parametrize(
    ("region", "cloud", "host"),
    [
        ("cn-north-4", None, "dli.cn-north-4.myhuaweicloud.com"),
        ("ap-southeast-3", "huaweicloud", "dli.ap-southeast-3.myhuaweicloud.com"),
        ("eu-west-101", None, "dli.eu-west-101.myhuaweicloud.eu"),
        ("eu-west-101", "huaweicloud-eu", "dli.eu-west-101.myhuaweicloud.eu"),
        ("eu-de", "open-telekom-cloud", "dli.eu-de.otc.t-systems.com"),
    ],
)
def test_hosts_follow_from_cloud_and_region(region: str, cloud: str | None, host: str) -> None:
    """Presets for the clouds that have the same API."""
    account = to_account(Connection(extra_dejson={**GOOD, "region": region, "cloud": cloud}))
    assert account.endpoint == f"https://{host}"
    assert account.obs_endpoint == f"https://{host}".replace("dli.", "obs.", 1)


def test_the_environment_is_read_only_if_the_connection_names_it() -> None:
    """And then nothing else is."""
    variables = {
        "HUAWEICLOUD_SDK_AK": "EAK",
        "HUAWEICLOUD_SDK_SK": "ESK",
        "HUAWEICLOUD_SDK_SECURITY_TOKEN": "etoken",
        "HUAWEICLOUD_SDK_PROJECT_ID": "eproject",
    }
    extras = {"region": "cn-north-4", "auth_type": "environment"}
    account = to_account(Connection(login=None, password=None, extra_dejson=extras), variables)
    assert key_of(account) == AccessKey("EAK", "ESK", "etoken")
    assert account.project.given == "eproject"
    plain = to_account(Connection(), variables)
    assert key_of(plain) == AccessKey("AK", "SK")
    with pytest.raises(ConfigurationError, match="environment variable HUAWEICLOUD_SDK_AK: is empty"):
        to_account(Connection(extra_dejson=extras), {})


def test_the_credentials_file_is_read_only_if_the_connection_names_it(
    credentials_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the variable, or that in the home directory; section basic, and the extras come first."""
    extras = {"region": "cn-north-4", "auth_type": "credentials_file"}
    named = to_account(Connection(login="no", extra_dejson=extras), {VARIABLE: str(credentials_file)})
    assert key_of(named) == AccessKey("FAK", "F%SK=x", "ftoken")
    assert named.project.given == "fproject"
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".huaweicloud").mkdir()
    (tmp_path / ".huaweicloud" / "credentials").write_text("[basic]\nak=HAK\nsk=HSK\n")
    at_home = to_account(Connection(extra_dejson={**extras, "project_id": "given"}), {})
    assert (key_of(at_home), at_home.project.given) == (AccessKey("HAK", "HSK"), "given")
    plain = to_account(Connection(), {VARIABLE: str(credentials_file)})
    assert key_of(plain) == AccessKey("AK", "SK")


@pytest.mark.parametrize("kind", ["environment", "credentials_file"])
def test_the_host_of_iam_is_the_one_that_the_sdks_read(kind: str, tmp_path: Path) -> None:
    """Unless the connection names one; and it is checked as that is."""
    file = tmp_path / "credentials"
    environ = {"HUAWEICLOUD_SDK_AK": "AK", "HUAWEICLOUD_SDK_SK": "SK", VARIABLE: str(file)}

    def read(url: str, **extras: str) -> Account:
        file.write_text(f"[basic]\nak=a\nsk=b\niam_endpoint={url}\n")
        variables = {**environ, "HUAWEICLOUD_SDK_IAM_ENDPOINT": url}
        return to_account(Connection(extra_dejson={**GOOD, "auth_type": kind, **extras}), variables)

    assert read("https://iam.example.com/").iam_endpoint == "https://iam.example.com"
    assert read("https://a", iam_endpoint="https://b").iam_endpoint == "https://b"
    assert read("").iam_endpoint == "https://iam.cn-north-4.myhuaweicloud.com"
    with pytest.raises(ConfigurationError, match=r"(?i)iam_endpoint.*: .*has no scheme"):
        read("iam.example.com")


@pytest.mark.parametrize(
    ("content", "field", "problem"),
    [
        (None, "the file that", "cannot be read (FileNotFoundError)"),
        (b"\xff hunter2", "the file that", "cannot be read (UnicodeDecodeError)"),
        (b"hunter2", "the file that", "cannot be read (MissingSectionHeaderError)"),
        (b"[basic]\nhunter2", "the file that", "cannot be read (ParsingError)"),
        (b"[global]\nak=a\nsk=hunter2", "the file that", "has no section [basic]"),
        (b"", "the file that", "has no section [basic]"),
        (b"[basic]\nsk=" + b"x" * 131072, "the file that", "has more than 131,072 bytes"),
        (b"[basic]\nidp_id=hunter2", "id_token_file in the file that", "is empty, and idp_id is not"),
        (b"[basic]\nid_token_file=hunter2", "idp_id in the file that", "is empty, and id_token_file is not"),
        (
            b"[basic]\nidp_id=hunter2 b\nid_token_file=c",
            "idp_id in the file that",
            "has spaces or non-ASCII characters",
        ),
        (b"[basic]\nak=a", "sk in the file that", "is empty"),
        (b"[basic]\nak=a\nsk=hunter2 b", "sk in the file that", "has spaces or non-ASCII characters"),
    ],
)
def test_a_credentials_file_that_cannot_be_used(
    tmp_path: Path, content: bytes | None, field: str, problem: str
) -> None:
    """The message names it by its variable, and shows nothing of it; what is in it is masked if it can be."""
    path = tmp_path / "hunter2"
    if content is not None:
        path.write_bytes(content)
    connection = Connection(extra_dejson={**GOOD, "auth_type": "credentials_file"})
    with pytest.raises(ConfigurationError) as caught:
        to_account(connection, {VARIABLE: str(path)})
    assert caught.value.field == f"{field} {VARIABLE} names"
    assert caught.value.problem == problem
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None
    secrets_of(connection, {VARIABLE: str(path)})


@pytest.mark.parametrize(
    ("field", "example"),
    [
        ("endpoint", "https://dli.cn-north-4.myhuaweicloud.com"),
        ("iam_endpoint", "https://iam.cn-north-4.myhuaweicloud.com"),
        ("iam_endpoint in ~/.huaweicloud/credentials", "https://iam.cn-north-4.myhuaweicloud.com"),
        ("environment variable HUAWEICLOUD_SDK_IAM_ENDPOINT", "https://iam.cn-north-4.myhuaweicloud.com"),
        ("obs_endpoint", "https://obs.cn-north-4.myhuaweicloud.com"),
        ("sts_endpoint", "https://sts.cn-north-4.myhuaweicloud.com"),
        ("console_endpoint", "https://console.huaweicloud.com"),
        ("environment variable HC_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.169.254"),
    ],
)
def test_the_example_of_a_url_is_of_its_service(field: str, example: str) -> None:
    """Whoever copies it has a host that serves it."""
    with pytest.raises(ConfigurationError) as caught:
        checked_endpoint(field, "foo")
    assert caught.value.remedy.endswith(f"such as {example}")


def test_a_pipe_for_a_file_is_refused_at_once(tmp_path: Path) -> None:
    """Nobody writes into it: reading would stop every trigger of a triggerer."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    connection = Connection(extra_dejson={**GOOD, "auth_type": "credentials_file"})
    with pytest.raises(ConfigurationError, match="is not a regular file"):
        to_account(connection, {VARIABLE: str(pipe)})


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"HC_CONTAINER_CREDENTIALS_FULL_URI": ""}, "is not set"),
        ({"HC_CONTAINER_AUTHORIZATION_TOKEN_FILE": " "}, "is not set"),
        ({"HC_CONTAINER_CREDENTIALS_FULL_URI": "node/v1"}, "has no scheme http:// or https:// and host"),
        ({"HC_CONTAINER_CREDENTIALS_FULL_URI": "http://user:pw@node/v1"}, "has more than scheme, host and port"),
        ({"HC_CONTAINER_CREDENTIALS_FULL_URI": "http://node/v1\nX: y"}, "has characters that no URL has"),
    ],
)
def test_a_pod_without_an_identity(wrong: dict[str, str], problem: str) -> None:
    """The variable is named."""
    connection = Connection(extra_dejson={**GOOD, "auth_type": "pod_identity"})
    with pytest.raises(ConfigurationError) as caught:
        to_account(connection, POD | wrong)
    assert caught.value.field == f"environment variable {next(iter(wrong))}"
    assert problem in caught.value.problem


OIDC_EXTRAS = {
    "auth_type": "oidc",
    "provider_urn": PROVIDER,
    "agency_urn": URN,
    "id_token_file": "/run/token",
}


def test_what_oidc_needs_comes_from_the_extras_or_the_variables_of_the_official_clients() -> None:
    """The extras come first; the session's name and its duration have defaults."""
    given = to_account(Connection(extra_dejson={**GOOD, **OIDC_EXTRAS}))
    named = to_account(Connection(login=None, password=None, extra_dejson={**GOOD, "auth_type": "oidc"}), OIDC)
    assert given.credentials.identity == named.credentials.identity
    assert given.credentials.identity == f"agency {URN}, assumed by a token of {PROVIDER}"
    other = {**GOOD, "auth_type": "oidc", "agency_urn": "iam::2:agency:other"}
    assert "iam::2:agency:other" in to_account(Connection(extra_dejson=other), OIDC).credentials.identity
    token = {**OIDC, "HUAWEICLOUD_OIDC_TOKEN_FILE": "", "HUAWEICLOUD_OIDC_ID_TOKEN": "a.b.c"}
    held = to_account(Connection(extra_dejson={**GOOD, "auth_type": "oidc"}), token)
    assert "a.b.c" not in repr(held.credentials)
    java = {**OIDC, "HUAWEICLOUD_OIDC_TOKEN_FILE": " ", "HUAWEICLOUD_SDK_ID_TOKEN_FILE": "/run/token"}
    assert to_account(Connection(extra_dejson={**GOOD, "auth_type": "oidc"}), java).credentials.identity


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"provider_urn": ""}, "provider_urn", "is missing"),
        ({"agency_urn": None}, "agency_urn", "is missing"),
        ({"id_token_file": " "}, "id_token_file", "is missing"),
        ({"id_token_file": 7}, "id_token_file", "is a int"),
        ({"provider_urn": URN}, "provider_urn", "is not a URN of this kind"),
        ({"agency_urn": PROVIDER}, "agency_urn", "is not a URN of this kind"),
        ({"agency_urn": "backup"}, "agency_urn", "is not a URN of this kind"),
        ({"agency_urn": f"iam::1:agency:{'a' * 1500}"}, "agency_urn", "is not a URN of this kind"),
        ({"agency_session_name": "a"}, "agency_session_name", "has 1 characters"),
        ({"agency_session_name": "a" * 129}, "agency_session_name", "has 129 characters"),
        ({"duration_seconds": 899}, "duration_seconds", "is not valid"),
        ({"duration_seconds": "43201"}, "duration_seconds", "is not valid"),
        ({"duration_seconds": "an hour"}, "duration_seconds", "is not valid"),
        ({"duration_seconds": True}, "duration_seconds", "is not valid"),
        ({"duration_seconds": 1000.5}, "duration_seconds", "is not a whole number"),
        ({"external_id": "ours"}, "external_id", "has no effect here"),
        ({"auth_type": "access_key"}, "provider_urn", "has no effect here"),
        ({"auth_type": "access_key", "provider_urn": ""}, "id_token_file", "has no effect here"),
        ({"region": "na-mexico-1"}, "sts_endpoint", "no source names the host of STS in na-mexico-1"),
        ({"cloud": "open-telekom-cloud"}, "sts_endpoint", "no source names the host of STS in cn-north-4"),
        ({"sts_endpoint": "sts.host"}, "sts_endpoint", "has no scheme http:// or https:// and host"),
    ],
)
def test_what_oidc_cannot_use_is_refused_by_name(changes: dict[str, Any], field: str, problem: str) -> None:
    """Before anything is read or sent."""
    with pytest.raises(ConfigurationError) as caught:
        to_account(Connection(extra_dejson={**GOOD, **OIDC_EXTRAS, **changes}), {})
    assert caught.value.field == field
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("AGENCY_URN", "backup", "is not a URN of this kind"),
        ("DURATION_SECONDS", "1", "is not valid"),
        ("SESSION_NAME", "a", "has 1 characters"),
        ("SESSION_NAME", "bad name!", "'bad name!' has spaces, / or :"),
        ("SESSION_NAME", "a/b", "has spaces, / or :"),
        ("DURATION_SECONDS", "1e4", "is not valid"),
        ("DURATION_SECONDS", "\u0669\u0660\u0660", "is not valid"),
        ("POLICY", "a", "has 1 characters"),
        ("POLICY", "{not json", "is not a JSON object"),
        ("POLICY", "[1]", "is not a JSON object"),
        ("POLICY_IDS", ",,", "',,' is not a list of ids"),
        ("POLICY_IDS", "a, b c", "is not a list of ids"),
        ("ID_TOKEN", "hunter2", "is not a token of OpenID Connect"),
    ],
)
def test_a_variable_of_oidc_that_cannot_be_used_is_named(name: str, value: str, problem: str) -> None:
    """And a token is not shown."""
    with pytest.raises(ConfigurationError) as caught:
        to_account(
            Connection(extra_dejson={**GOOD, "auth_type": "oidc"}), {**OIDC, f"HUAWEICLOUD_OIDC_{name}": value}
        )
    assert caught.value.field == f"environment variable HUAWEICLOUD_OIDC_{name}"
    assert problem in caught.value.problem
    assert "hunter2" not in str(caught.value)


def test_any_credentials_assume_an_agency_by_its_urn() -> None:
    """A permanent key for up to twelve hours, a temporary one for one; not by its name as well."""

    def read(**extras: Any) -> Account:
        return to_account(Connection(extra_dejson={**GOOD, "agency_urn": URN, **extras}))

    assert read().credentials.identity == f"agency {URN}, assumed by access key AK"
    assert "IAM user AK" in read(auth_type="password", domain_name="d", external_id="ours").credentials.identity
    assert "AK" in read(duration_seconds=43200, agency_session_name="nightly").credentials.identity
    refused: list[tuple[dict[str, Any], str]] = [
        ({"duration_seconds": 3601, "security_token": "t"}, "duration_seconds"),
        ({"duration_seconds": 3601, "auth_type": "metadata"}, "duration_seconds"),
        ({"agency_name": "a", "agency_domain_name": "b"}, "agency_urn"),
        ({"agency_name": "a"}, "agency_urn"),
        ({"external_id": "x"}, "external_id"),
        ({"id_token_file": "/run/token"}, "id_token_file"),
        ({"region": "eu-west-101"}, "sts_endpoint"),
        ({"agency_urn": "", "duration_seconds": 900}, "duration_seconds"),
        ({"agency_urn": "", "agency_session_name": "nightly"}, "agency_session_name"),
    ]
    for wrong, field in refused:
        with pytest.raises(ConfigurationError, match=rf"^{field}: "):
            read(**wrong)


def test_certificate_verification_can_be_skipped() -> None:
    """Whatever is in the bundle."""
    extras = {**GOOD, "insecure_skip_verify": True, "ca_bundle": certifi.where()}
    assert to_account(Connection(extra_dejson=extras)).network.verify is False


@pytest.mark.parametrize("empty", ["", None, "  "])
def test_a_field_left_empty_in_the_form_is_not_set(empty: str | None) -> None:
    """The form sends empty strings or nulls for empty fields."""
    extras = {**dict.fromkeys(EXTRAS, empty), **GOOD}
    if empty == "  ":
        extras |= {
            "insecure_skip_verify": "",
            "connect_timeout": "",
            "read_timeout": "",
            "total_timeout": "",
            "retry_budget": "",
        }
    account = to_account(Connection(extra_dejson=extras))
    assert account.endpoint == "https://dli.cn-north-4.myhuaweicloud.com"
    assert key_of(account).security_token is None
    assert account.network == Network()


@pytest.mark.parametrize(
    ("wrong", "field_name"),
    [
        ({"login": None}, "login"),
        ({"login": "A K"}, "login"),
        ({"login": "A\nK"}, "login"),
        ({"password": ""}, "password"),
        ({"password": "gehéim"}, "password"),
        ({"password": "x" * 100_000}, "password"),
        ({"host": "dli.cn-north-4.myhuaweicloud.com"}, "host"),
        ({"schema": "https"}, "schema"),
        ({"port": 443}, "port"),
        ({"extra_dejson": {"project_id": "p"}}, "region"),
        *(
            ({"extra_dejson": {**GOOD, name: value}}, name)
            for name, value in [
                ("region", "https://x"),
                ("region", "cn-north-4\nX: y"),
                ("region", "é-1"),
                ("region", "a-" * 50_000),
                ("region", ["cn-north-4"]),
                ("project_id", "a/b"),
                ("project_id", 7),
                ("project_id", "x\r\nHost: y"),
                ("endpoint", "dli.host"),
                ("endpoint", "x" * 100_000),
                ("endpoint", {}),
                ("obs_endpoint", "obs.host"),
                ("iam_endpoint", "iam.host"),
                ("security_token", "a b"),
                ("security_token", "tökén"),
                ("security_token", "a\x00b"),
                ("auth_type", "magic"),
                ("cloud", "aws"),
                ("proxy", "proxy:no"),
                ("proxy", "socks5h://proxy:3128"),
                ("proxy", "hunter2"),
                ("proxy", "http://proxy:3128/path"),
                ("insecure_skip_verify", "perhaps"),
                ("insecure_skip_verify", 7),
                ("ca_bundle", True),
                ("ca_bundle", "/etc/\nca"),
                ("ca_bundle", "/nowhere/ca.pem"),
                ("ca_bundle", __file__),
                ("ca_bundle", "/"),
                ("connect_timeout", 0),
                ("connect_timeout", "soon"),
                ("read_timeout", -1),
                ("read_timeout", True),
                ("read_timeout", "nan"),
                ("retry_budget", "1e99"),
                ("retry_budget", [1]),
            ]
        ),
        ({"extra_dejson": {**GOOD, "regoin": "x", "proxies": {}}}, "extra proxies, regoin"),
        ({"extra_dejson": {**GOOD, "agency_name": "a"}}, "agency_domain_name"),
        ({"extra_dejson": {**GOOD, "agency_domain_name": "a"}}, "agency_name"),
        ({"extra_dejson": {**GOOD, "auth_type": "password"}}, "domain_name"),
        ({"extra_dejson": {**GOOD, "auth_type": "password", "domain_name": "d"}, "login": ""}, "login"),
        ({"extra_dejson": {**GOOD, "auth_type": "token"}, "password": ""}, "password"),
        ({"extra_dejson": ["region"]}, "extra"),
        ({"extra_dejson": {**GOOD, "retry_budget": 10**400}}, "retry_budget"),
        ({"extra_dejson": {**GOOD, "auth_type": "metadata", "metadata_endpoint": "x"}}, "metadata_endpoint"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_cannot_be_used_is_refused_by_name(wrong: dict[str, Any], field_name: str) -> None:
    """One short message that names the field and shows no secret."""
    with pytest.raises(ConfigurationError) as caught:
        to_account(Connection(**wrong))
    message = str(caught.value)
    assert caught.value.field == field_name
    assert message.startswith(f"{field_name}: ")
    assert len(message) < 700
    assert "\n" not in message
    assert "SK" not in message.replace("(SK)", "")
    assert "gehéim" not in message
    assert "tökén" not in message


@pytest.mark.parametrize("auth_type", list(AuthType))
def test_no_kind_of_credentials_sends_anything_while_it_is_read(auth_type: str, credentials_file: Path) -> None:
    """Reading a connection reads no more than the file that it names."""
    environ = {
        "HUAWEICLOUD_SDK_AK": "AK",
        "HUAWEICLOUD_SDK_SK": "SK",
        **POD,
        **OIDC,
        VARIABLE: str(credentials_file),
    }
    extras = {**GOOD, "auth_type": auth_type, "domain_name": "d", "agency_name": "a", "agency_domain_name": "b"}
    assert to_account(Connection(extra_dejson=extras), environ).region == "cn-north-4"


def test_the_form_has_every_field_and_hides_secrets() -> None:
    """Its description is made from the one list of fields."""
    fields = conn_fields()
    assert list(fields) == list(EXTRAS)
    assert all(each["label"] and each["description"] for each in fields.values())
    assert [name for name, each in fields.items() if each["schema"].get("format") == "password"] == [
        "security_token",
        "proxy",
    ]
    assert list(fields["auth_type"]["schema"]["enum"]) == list(AuthType)
    assert [name for name, each in fields.items() if "null" not in each["schema"]["type"]] == ["region"]
    assert set(ui_field_behaviour()) == {"hidden-fields", "relabeling", "placeholders"}


def test_the_form_shows_what_an_empty_field_means() -> None:
    """Saved as it opens, it is the connection that has none of its fields; no choice is called null."""
    schemas = {name: each["schema"] for name, each in conn_fields().items()}
    opened = {name: schema.get("default") for name, schema in schemas.items()}
    assert opened["insecure_skip_verify"] is False
    given = {"region": GOOD["region"], "project_id": GOOD["project_id"]}
    account = to_account(Connection(extra_dejson={**opened, **given}))
    plain = to_account(Connection(extra_dejson=given))
    assert (account.network, account.retry, account.endpoint) == (plain.network, plain.retry, plain.endpoint)
    assert key_of(account) == key_of(plain)
    choices = {name: schema for name, schema in schemas.items() if "enum" in schema}
    assert set(choices) == {"auth_type", "cloud"}
    for name, schema in choices.items():
        shown = [schema["values_display"].get("null" if value is None else value) for value in schema["enum"]]
        assert all(shown), name
        assert None in schema["enum"] or schema["default"] in schema["enum"], name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # those of flask_appbuilder
@pytest.mark.skipif(find_spec("wtforms") is None, reason="Airflow 3 has no wtforms")
def test_the_form_of_airflow_2_has_every_field() -> None:
    """With what is required and the choices in the description; none refuses what other types leave empty."""
    from wtforms import Form  # noqa: PLC0415 -- Airflow 2 has it

    widgets = connection_form_widgets()
    form = type("DliForm", (Form,), widgets)()
    assert [field.name for field in form] == list(EXTRAS)
    assert form.validate()
    assert form.region.description == "Required. Region id, such as cn-north-4."
    assert "password: an IAM user as login, with its password;" in form.auth_type.description
    assert form.cloud.description.endswith("open-telekom-cloud. Empty: follows from the region.")
    assert to_account(Connection(extra_dejson={**form.data, "region": "cn-north-4"})).retry.budget == 120


def test_every_secret_is_masked_even_of_an_invalid_connection(credentials_file: Path) -> None:
    """Before anything is made of it."""
    extras = {"security_token": " the-token", "proxy": "http://u:pw@p", "region": 7}
    given = Connection(password="the-secret", extra_dejson=extras)
    keys = {"HUAWEICLOUD_SDK_AK": "ak", "HUAWEICLOUD_SDK_SK": "sk", "HUAWEICLOUD_SDK_SECURITY_TOKEN": "token"}
    assert secrets_of(given, keys) == ["the-secret", "the-token", "http://u:pw@p", "dTpwdw=="]
    named = Connection(password=None, extra_dejson={"auth_type": "environment"})
    assert secrets_of(named, keys) == ["sk", "token"]
    filed = Connection(password=None, extra_dejson={"auth_type": "credentials_file"})
    assert secrets_of(filed, {VARIABLE: str(credentials_file)}) == ["F%SK=x", "ftoken"]
    assert secrets_of(filed, {VARIABLE: "/nowhere"}) == []
    federated = Connection(password=None, extra_dejson={"auth_type": "oidc"})
    assert secrets_of(federated, {"HUAWEICLOUD_OIDC_ID_TOKEN": "a.b.c"}) == ["a.b.c"]
    broken: Any = ["no", "mapping"]
    assert secrets_of(Connection(password="the-secret", extra_dejson=broken), keys) == ["the-secret"]


@pytest.mark.parametrize("token", ["line\nbreak", "tökén", "with space"])
def test_a_token_of_the_environment_that_no_header_takes(token: str) -> None:
    """Is refused by the name of its variable, and not shown."""
    environ = {"HUAWEICLOUD_SDK_AK": "AK", "HUAWEICLOUD_SDK_SK": "SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN": token}
    with pytest.raises(
        ConfigurationError, match=r"^environment variable HUAWEICLOUD_SDK_SECURITY_TOKEN: "
    ) as caught:
        to_account(Connection(extra_dejson={**GOOD, "auth_type": "environment"}), environ)
    assert token not in str(caught.value)


def test_no_secret_is_in_the_repr_of_an_account() -> None:
    """Whatever prints it."""
    extras = {**GOOD, "security_token": "the-token", "proxy": "http://u:proxy-pw@p"}
    account = to_account(Connection(password="the-secret", extra_dejson=extras))
    shown = repr(account) + repr(key_of(account)) + repr(account.network)
    assert not [secret for secret in ("the-secret", "the-token", "proxy-pw") if secret in shown]
