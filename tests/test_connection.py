"""The connection's fields, and the account that they give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.connection import EXTRAS, conn_fields, secrets_of, to_account, ui_field_behaviour

GOOD = {"region": "cn-north-4", "project_id": "48cc2c48765f481480c7db940d6409d1"}


@dataclass
class Connection:
    login: str | None = "AK"
    password: str | None = "SK"
    host: str | None = None
    schema: str | None = None
    port: int | None = None
    extra_dejson: dict[str, Any] = field(default_factory=lambda: dict(GOOD))


def test_region_and_project_are_enough() -> None:
    """The endpoints follow from the region."""
    account = to_account(Connection())
    assert account.endpoint == "https://dli.cn-north-4.myhuaweicloud.com"
    assert account.obs_endpoint == "https://obs.cn-north-4.myhuaweicloud.com"
    assert account.iam_endpoint == "https://iam.cn-north-4.myhuaweicloud.com"
    assert account.project_id == GOOD["project_id"]
    assert account.credentials.security_token is None


def test_every_extra_can_be_set_and_blanks_around_a_pasted_value_are_dropped() -> None:
    """Each endpoint on its own, and a temporary key's token."""
    extras = {
        **GOOD,
        "endpoint": " https://dli.eu-de.otc.t-systems.com/ ",
        "obs_endpoint": "https://obs.eu-de.otc.t-systems.com",
        "iam_endpoint": "https://iam.eu-de.otc.t-systems.com",
        "security_token": "token\n",
    }
    assert set(extras) == set(EXTRAS)
    account = to_account(Connection(login=" AK ", extra_dejson=extras))
    assert account.endpoint == "https://dli.eu-de.otc.t-systems.com"
    assert account.obs_endpoint == "https://obs.eu-de.otc.t-systems.com"
    assert account.iam_endpoint == "https://iam.eu-de.otc.t-systems.com"
    assert account.credentials.access_key == "AK"
    assert secrets_of(account) == ["SK", "token"]


@pytest.mark.parametrize("empty", ["", None, "  "])
def test_a_field_left_empty_in_the_form_is_not_set(empty: str | None) -> None:
    """The form sends empty texts or nulls for what was not filled in."""
    account = to_account(Connection(extra_dejson={**GOOD, "endpoint": empty, "security_token": empty}))
    assert account.endpoint == "https://dli.cn-north-4.myhuaweicloud.com"
    assert account.credentials.security_token is None


@pytest.mark.parametrize(
    ("wrong", "field_name"),
    [
        ({"login": None}, "login"),
        ({"login": "A K"}, "login"),
        ({"login": "A\nK"}, "login"),
        ({"password": ""}, "password"),
        ({"password": "gehéim"}, "password"),
        ({"host": "dli.cn-north-4.myhuaweicloud.com"}, "host"),
        ({"schema": "https"}, "schema"),
        ({"port": 443}, "port"),
        ({"extra_dejson": {"project_id": "p"}}, "region"),
        ({"extra_dejson": {"region": "cn-north-4"}}, "project_id"),
        ({"extra_dejson": {**GOOD, "region": "https://x"}}, "region"),
        ({"extra_dejson": {**GOOD, "project_id": "a/b"}}, "project_id"),
        ({"extra_dejson": {**GOOD, "project_id": 7}}, "project_id"),
        ({"extra_dejson": {**GOOD, "endpoint": "dli.host"}}, "endpoint"),
        ({"extra_dejson": {**GOOD, "obs_endpoint": "obs.host"}}, "obs_endpoint"),
        ({"extra_dejson": {**GOOD, "iam_endpoint": "iam.host"}}, "iam_endpoint"),
        ({"extra_dejson": {**GOOD, "security_token": "a b"}}, "security_token"),
        ({"extra_dejson": {**GOOD, "regoin": "x", "proxies": {}}}, "extra proxies, regoin"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(wrong: dict[str, Any], field_name: str) -> None:
    """The message names the field, and shows no secret."""
    with pytest.raises(ConfigurationError) as caught:
        to_account(Connection(**wrong))
    assert caught.value.field == field_name
    assert str(caught.value).startswith(f"{field_name}: ")
    assert "SK" not in str(caught.value).replace("(SK)", "")
    assert "gehéim" not in str(caught.value)


def test_the_form_has_every_field_and_hides_secrets() -> None:
    """Its description is made from the one list of fields."""
    fields = conn_fields()
    assert list(fields) == list(EXTRAS)
    assert all(each["label"] and each["description"] for each in fields.values())
    assert [name for name, each in fields.items() if each["schema"].get("format") == "password"] == [
        "security_token"
    ]
    assert set(ui_field_behaviour()) == {"hidden-fields", "relabeling", "placeholders"}


def test_no_secret_stands_in_the_repr_of_an_account() -> None:
    """Whatever prints it."""
    account = to_account(Connection(password="the-secret", extra_dejson={**GOOD, "security_token": "the-token"}))
    assert "the-secret" not in repr(account)
    assert "the-token" not in repr(account)
