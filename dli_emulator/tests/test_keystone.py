"""keystoneauth1, OpenStack's own client of this protocol, unchanged, as a second opinion on the emulator's IAM."""

from __future__ import annotations

from typing import Any

import pytest
from keystoneauth1.exceptions import NotFound, Unauthorized
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from dli_emulator import Emulator
from dli_emulator.state import DEFAULT_DOMAIN, DEFAULT_USER


def session(emulator: Emulator, **changes: Any) -> Session:
    """Make a session of the emulator's user."""
    given = {
        "auth_url": f"{emulator.iam}/v3",
        "username": DEFAULT_USER,
        "password": "emulator-password",
        "user_domain_name": DEFAULT_DOMAIN,
        "project_name": emulator.region,
        "project_domain_name": DEFAULT_DOMAIN,
    }
    return Session(auth=v3.Password(**given | changes))


def test_it_gets_its_token_and_project(dli_emulator: Emulator) -> None:
    """And DLI takes the token."""
    ours = session(dli_emulator)
    assert ours.get_project_id() == dli_emulator.project_id
    url = f"{dli_emulator.dli}/v1.0/{dli_emulator.project_id}/streaming/jobs"
    reply = ours.get(url)
    assert len(reply.json()["job_list"]["jobs"]) == 10
    assert reply.request.headers["X-Auth-Token"] == ours.get_token()


def test_a_token_that_ends_is_renewed(dli_emulator: Emulator) -> None:
    """It reads the expiry from the response."""
    dli_emulator.state.keys.token_seconds = 10.0
    ours = session(dli_emulator)
    first = ours.get_token()
    assert isinstance(ours.auth, v3.Password)
    assert ours.auth.get_access(ours).will_expire_soon(30)
    assert ours.get_token() != first


def test_a_scope_is_named_by_id_too(dli_emulator: Emulator) -> None:
    """Instead of the project's name and account."""
    ours = session(dli_emulator, project_name=None, project_domain_name=None, project_id=dli_emulator.project_id)
    assert ours.get_project_id() == dli_emulator.project_id


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_token_is_of_the_project_that_its_scope_names(dli_emulator: Emulator, by: str) -> None:
    """Not of the first of the account."""
    other = dli_emulator.state.add_project("cn-north-4_scratch")
    by_id = {"project_name": None, "project_domain_name": None, "project_id": other.project_id}
    ours = session(dli_emulator, **(by_id if by == "id" else {"project_name": other.name}))
    assert isinstance(ours.auth, v3.Password)
    access = ours.auth.get_access(ours)
    assert (access.project_id, access.project_name, access.project_scoped) == (other.project_id, other.name, True)
    assert ours.get(f"{dli_emulator.dli}/v1.0/{other.project_id}/streaming/jobs").json()["job_list"]["jobs"] == []


def exchanged(emulator: Emulator, token: str, **changes: Any) -> Session:
    """Make a session of a token that is given, scoped again."""
    given = {"project_name": emulator.region, "project_domain_name": DEFAULT_DOMAIN} | changes
    return Session(auth=v3.Token(f"{emulator.iam}/v3", token, **given))


def test_a_token_is_exchanged_for_one_of_another_project(dli_emulator: Emulator) -> None:
    """It ends when the first one ends, and DLI takes it."""
    other = dli_emulator.state.add_project("cn-north-4_scratch")
    first = session(dli_emulator)
    ours = exchanged(dli_emulator, str(first.get_token()), project_name=other.name)
    assert isinstance(ours.auth, v3.Token)
    assert isinstance(first.auth, v3.Password)
    access = ours.auth.get_access(ours)
    assert access.auth_token != first.get_token()
    assert access.project_id == other.project_id
    assert access.expires == first.auth.get_access(first).expires
    assert ours.get(f"{dli_emulator.dli}/v1.0/{other.project_id}/streaming/jobs").status_code == 200


def test_a_token_that_is_wrong_or_has_ended_is_not_exchanged(dli_emulator: Emulator) -> None:
    """As by the real one."""
    dli_emulator.state.keys.token_seconds = 0.0
    for token in (str(session(dli_emulator).get_token()), "wrong"):
        with pytest.raises(Unauthorized):
            exchanged(dli_emulator, token).get_token()


def test_a_token_is_shown_until_it_expires(dli_emulator: Emulator) -> None:
    """To a sender with a token of its own."""
    sender, subject = session(dli_emulator), session(dli_emulator)
    url = f"{dli_emulator.iam}/v3/auth/tokens"
    given = sender.get(url, headers={"X-Subject-Token": str(subject.get_token())}).json()["token"]
    assert given["project"]["id"] == dli_emulator.project_id
    assert given["methods"] == ["password"]
    with pytest.raises(NotFound):
        sender.get(url, headers={"X-Subject-Token": "wrong"})


def test_dli_refuses_an_expired_token_and_the_session_gets_another(dli_emulator: Emulator) -> None:
    """On a 401 it gets itself another token, once."""
    ours = session(dli_emulator)
    first = ours.get_token()
    dli_emulator.state.keys.tokens.clear()
    reply = ours.get(f"{dli_emulator.dli}/v1.0/{dli_emulator.project_id}/streaming/jobs")
    assert reply.status_code == 200
    assert ours.get_token() != first


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong"},
        {"username": "nobody"},
        {"user_domain_name": "elsewhere"},
        {"project_domain_name": "elsewhere"},
        {"project_name": "nothing"},
        {"project_name": None, "project_domain_name": None, "project_id": "0" * 32},
    ],
)
def test_it_is_refused(dli_emulator: Emulator, changes: dict[str, str]) -> None:
    """As by the real one."""
    with pytest.raises(Unauthorized):
        session(dli_emulator, **changes).get_token()
